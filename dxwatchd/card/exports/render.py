"""Card and format → the text to write."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from dxwatchd.card.exports.cyclonedx import cyclonedx
from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.card.exports.model_signing import model_signing
from dxwatchd.card.exports.modelcard import modelcard
from dxwatchd.card.exports.modelpack import modelpack
from dxwatchd.card.exports.openai import openai
from dxwatchd.card.exports.platform import platform
from dxwatchd.card.schema import Card

EXPORTS: Mapping[ExportFormat, Callable[[Card], JsonValue]] = {
    ExportFormat.PLATFORM: platform,
    ExportFormat.MODELPACK: modelpack,
    ExportFormat.CYCLONEDX: cyclonedx,
    ExportFormat.OPENAI: openai,
    ExportFormat.MODEL_SIGNING: model_signing,
    ExportFormat.MODELCARD: modelcard,
}
"""What makes each format: JSON-ready data, or the text itself."""


def render(card: Card, wanted: ExportFormat) -> str:
    """The export as text: Markdown as it is, else JSON in ASCII with a final newline.

    Raises ExportError where the format demands what the card does not know.
    """
    made = EXPORTS[wanted](card)
    return made if isinstance(made, str) else json.dumps(made, indent=2, allow_nan=False) + "\n"
