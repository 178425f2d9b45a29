"""The JSON Schema of a ModelPack config, restated from the specification's text.

Source: modelpack/model-spec, docs/config.md and schema/config-schema.json.
"""

from __future__ import annotations

from typing import Any


def _closed(required: tuple[str, ...] = (), **properties: object) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }


def _list_of(items: object, **more: object) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_FLAG = {"type": "boolean"}
_MODALITY = {"enum": ["text", "image", "audio", "video", "embedding", "other"]}

SCHEMA = _closed(
    ("descriptor", "config", "modelfs"),
    descriptor=_closed(
        createdAt=_TIME,
        authors=_list_of(_TEXT),
        family=_TEXT,
        name={"type": "string", "minLength": 1},
        docURL=_TEXT,
        sourceURL=_TEXT,
        datasetsURL=_list_of(_TEXT),
        version=_TEXT,
        revision=_TEXT,
        vendor=_TEXT,
        licenses=_list_of(_TEXT),
        title=_TEXT,
        description=_TEXT,
    ),
    config=_closed(
        architecture=_TEXT,
        format=_TEXT,
        paramSize={"type": "string", "pattern": r"^[0-9]+(\.[0-9])?[QqTtBbMmKk]$"},
        precision=_TEXT,
        quantization=_TEXT,
        capabilities=_closed(
            inputTypes=_list_of(_MODALITY),
            outputTypes=_list_of(_MODALITY),
            knowledgeCutoff=_TIME,
            reasoning=_FLAG,
            toolUsage=_FLAG,
            reward=_FLAG,
            languages=_list_of({"type": "string", "pattern": "^[a-z]{2}$"}),
        ),
    ),
    modelfs=_closed(
        ("type", "diffIds"),
        type={"enum": ["layers"]},
        diffIds=_list_of({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}, minItems=1),
    ),
)
"""What the text says of `paramSize` and of digests is in it too, beyond the specification's own schema."""
