"""Which classes transformers has, and what its config classes take where a config.json states nothing.

The table is generated from the classes themselves by `tests/card/generate_class_defaults.py`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

FOLLOWS_HEADS = "num_attention_heads"
FOUR_TIMES_HIDDEN = "4 * hidden_size"
"""Values of `ConfigClass.rules`."""


@dataclass(frozen=True, slots=True)
class ConfigClass:
    """One config class of transformers.

    name: of the class; defaults: key → value; rules: field of the card → what it follows where it is not
    stated; patterns: key of a list with a word for each layer → the words that repeat; parts: key of a part
    → the model type that the part has where it states none; names: field of the card → the key that the class
    has for it.
    """

    name: str
    defaults: Mapping[str, int | float | bool | str]
    rules: Mapping[str, str]
    patterns: Mapping[str, tuple[str, ...]]
    parts: Mapping[str, str]
    names: Mapping[str, str]

    @property
    def source(self) -> str:
        """The source of a value that is the class's default."""
        return f"default: transformers {self.name}"


def config_class(model_type: str | None) -> ConfigClass | None:
    """The class that transformers loads a config.json of this type with; None where it knows none."""
    return _table().get(model_type) if model_type is not None else None


def has_model_class(class_name: str) -> bool:
    """Whether a name is put together as those of transformers' model classes, in letters of either case."""
    name, families = class_name.lower(), _families()
    return any(name.endswith(head) and name[: -len(head)] in families for head in _stored()["heads"])


def version() -> str:
    """The version of transformers that all of this is about."""
    return str(_stored()["transformers"])


@functools.cache
def _families() -> frozenset[str]:
    return frozenset(_stored()["families"])


@functools.cache
def _stored() -> dict[str, Any]:
    table = files("dxwatchd.card.config").joinpath("class_defaults.json")
    stored: dict[str, Any] = json.loads(table.read_bytes())
    return stored


@functools.cache
def _table() -> Mapping[str, ConfigClass]:
    return {
        model_type: ConfigClass(
            name=entry["class"],
            defaults=entry["defaults"],
            rules=entry.get("rules", {}),
            patterns={key: tuple(words) for key, words in entry.get("patterns", {}).items()},
            parts=entry.get("parts", {}),
            names=entry.get("names", {}),
        )
        for model_type, entry in _stored()["model_types"].items()
    }
