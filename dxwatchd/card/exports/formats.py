"""The names of the formats, apart from what makes them, so that a command line can list them at once."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """What a card can be exported as."""

    PLATFORM = "platform"
    MODELPACK = "modelpack"
    CYCLONEDX = "cyclonedx"
    OPENAI = "openai"
    MODEL_SIGNING = "model-signing"
    MODELCARD = "modelcard"
