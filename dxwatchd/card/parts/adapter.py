"""What an adapter says of itself."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part, Size


class Adapter(Part):
    """PEFT's adapter_config.json.

    base_model_resolved: the technical name of the registered base, or "unresolved".
    """

    peft_type: str | None = None
    task_type: str | None = None
    r: Size | None = None
    lora_alpha: float | None = None
    lora_dropout: float | None = None
    target_modules: tuple[str, ...] = ()
    num_virtual_tokens: Size | None = None
    use_dora: bool | None = None
    use_rslora: bool | None = None
    base_model_name_or_path: str | None = None
    base_model_resolved: str | None = None
