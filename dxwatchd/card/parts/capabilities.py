"""What a model takes and gives."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from dxwatchd.card.parts.common import Part


class Capabilities(Part):
    """Named as in ModelPack's model config.

    inputTypes, outputTypes: of "text", "image", "audio", "video", "embedding", "other"; toolUsage: whether
    its chat template takes tools; reasoning: whether its template knows a thinking part;
    confidence: "stated" where the folder names task and template, "derived" from the architecture's name.
    """

    model_config = ConfigDict(populate_by_name=True)

    input_types: tuple[str, ...] = Field(default=(), alias="inputTypes")
    output_types: tuple[str, ...] = Field(default=(), alias="outputTypes")
    tool_usage: bool | None = Field(default=None, alias="toolUsage")
    reasoning: bool | None = None
    confidence: Literal["stated", "derived"] | None = None
