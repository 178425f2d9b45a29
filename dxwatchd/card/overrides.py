"""What a person wrote into the manifest prevails over what was read, and the card says so."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.schema import Card
from dxwatchd.card.values import clean, encodable, plain, text, texts

SOURCE = "manifest"
_NOTES_LIMIT = 4000
_ONE = (
    "license",
    "license_name",
    "license_link",
    "model_usage_type",
    "pipeline_tag",
    "library_name",
    "template",
    "base_model_relation",
    "version",
)
_LONG = ("limitations", "notes")
_SEVERAL = (
    "language",
    "tags",
    "datasets",
    "tasks",
    "base_model",
    "authors",
    "training_objectives",
    "references",
)
OVERRIDABLE = (*_ONE, *_LONG, *_SEVERAL)
"""Keys of a manifest entry that replace the card's field of the same name. Others are only listed."""


def apply_overrides(card: Card, overrides: Mapping[str, object]) -> Card:
    """`card` with the values of the manifest entry; a value of the wrong type is reported and not taken."""
    taken: dict[str, object] = {}
    warnings = list(card.warnings)
    for key, value in overrides.items():
        if key not in OVERRIDABLE:
            continue
        found: object = texts(value) if key in _SEVERAL else text(value, _NOTES_LIMIT)
        if found:
            taken[key] = found
        else:
            warnings.append(
                f"the manifest's {key} is not {'a list of texts' if key in _SEVERAL else 'a text'}"
            )
    listed = {clean(key): _listed(value) for key, value in overrides.items()}
    return card.model_copy(
        update={
            **taken,
            "sources": {**card.sources, **dict.fromkeys(taken, SOURCE)},
            "overrides": listed,
            "warnings": tuple(dict.fromkeys(warnings)),
        }
    )


def _listed(value: object) -> object:
    """What the manifest allows, exactly: it tells whether the entry has changed. Anything else as JSON."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [encodable(item) for item in value]
    found = plain(value)
    return clean(str(value)) if found is None else found
