"""What an adapter says of itself."""

from __future__ import annotations

from pydantic import Field

from dxwatchd.card.parts.common import Part, Size


class Adapter(Part):
    """PEFT's adapter_config.json.

    target_r: the rank that AdaLoRA aims at, which does not use `r`; alpha: what LoHa and LoKr have in place
    of `lora_alpha`; target_modules: names, one regular expression, or "all-linear"; target_parameters: of
    experts, which are no modules; modules_to_save: trained in full and saved with it; rank_pattern,
    alpha_pattern: of modules with others than `r` and `lora_alpha` (a server allows for the largest rank);
    revision: of the base; base_model_resolved: the technical name of the registered base, or "unresolved".
    """

    peft_type: str | None = None
    task_type: str | None = None
    r: Size | None = None
    target_r: Size | None = None
    lora_alpha: float | None = None
    alpha: float | None = None
    lora_dropout: float | None = None
    bias: str | None = None
    target_modules: tuple[str, ...] = ()
    exclude_modules: tuple[str, ...] = ()
    target_parameters: tuple[str, ...] = ()
    modules_to_save: tuple[str, ...] = ()
    rank_pattern: dict[str, Size] = Field(default_factory=dict)
    alpha_pattern: dict[str, float] = Field(default_factory=dict)
    num_virtual_tokens: Size | None = None
    use_dora: bool | None = None
    use_rslora: bool | None = None
    peft_version: str | None = None
    base_model_name_or_path: str | None = None
    revision: str | None = None
    base_model_resolved: str | None = None
