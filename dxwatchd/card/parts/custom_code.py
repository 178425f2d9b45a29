"""Code that a model brings along. It is never run here."""

from __future__ import annotations

from pydantic import Field

from dxwatchd.card.parts.common import Part


class CustomCode(Part):
    """required: whether loading it needs its own code to be trusted (`trust_remote_code`), None where that
    is not known; auto_map: auto class → the references that a config gives ("modeling_x.XForCausalLM"), None
    for a variant that is not there; python_files: relative to the folder.
    """

    required: bool | None = None
    auto_map: dict[str, tuple[str | None, ...]] = Field(default_factory=dict)
    python_files: tuple[str, ...] = ()
