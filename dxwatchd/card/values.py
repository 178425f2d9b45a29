"""Values of unknown origin → values of a known type and size, or None. Nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

INTEGER_LIMIT = 2**63
TEXT_LIMIT = 200
LIST_LIMIT = 64
_DEPTH_LIMIT = 6
_NOTES_LIMIT = 64


@dataclass(slots=True)
class Notes:
    """What making one card has to say beside the values.

    sources: field path of the card → where its value is from; conflicts: (field, ((source, value), ...));
    warnings: sentences for a person.
    """

    sources: dict[str, str] = field(default_factory=dict)
    conflicts: list[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def source(self, path: str, source: str) -> None:
        """Say where the value of a field is from."""
        self.sources[path] = clean(source, 300)

    def conflict(self, path: str, *statements: tuple[str, object]) -> None:
        """Say that two places of the folder state different values for one field."""
        if len(self.conflicts) < _NOTES_LIMIT:
            self.conflicts.append(
                (path, tuple((clean(source, 300), clean(str(value))) for source, value in statements))
            )

    def warn(self, sentence: str) -> None:
        """Say something that a person should know. Said once, however often it is found."""
        said = clean(sentence, 300)
        if len(self.warnings) < _NOTES_LIMIT and said not in self.warnings:
            self.warnings.append(said)


def clean(value: str, limit: int = TEXT_LIMIT) -> str:
    """`value` as text that every encoder takes: no lone surrogates, no control characters, bounded."""
    cut = encodable(value[:limit])
    return "".join(character if character.isprintable() else " " for character in cut).strip()


def encodable(value: str) -> str:
    """`value` exactly as it is, but for what no JSON can hold: bytes that are no UTF-8, lone surrogates."""
    return value.encode("utf-8", "replace").decode("utf-8")


def integer(value: object, least: int = 0) -> int | None:
    """An integer in [least, 2**63), also one written as a whole float; a bool is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if least <= value < INTEGER_LIMIT else None


def number(value: object) -> float | None:
    """A finite number of magnitude below 2**63; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -INTEGER_LIMIT < value < INTEGER_LIMIT else None


def boolean(value: object) -> bool | None:
    """A bool, and nothing that merely counts as one."""
    return value if isinstance(value, bool) else None


def text(value: object, limit: int = TEXT_LIMIT) -> str | None:
    """A text with something in it; one beyond the limit is none, since half a name is a wrong name."""
    if not isinstance(value, str) or len(value) > limit:
        return None
    return clean(value, limit) or None


def texts(value: object, limit: int = TEXT_LIMIT, count: int = LIST_LIMIT) -> tuple[str, ...]:
    """The texts of a list, or the one text, in order, each once; other things in it are left out."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, Sequence):
        return ()
    found = (text(item, limit) for item in value[: count * 4])
    return tuple(dict.fromkeys(item for item in found if item))[:count]


def only(value: object) -> str | None:
    """The text, or the one text of a list that has no other."""
    found = texts(value)
    return found[0] if len(found) == 1 else None


def mapping(value: object) -> Mapping[str, object]:
    """A JSON object; anything else is an empty one."""
    return value if isinstance(value, (dict, Mapping)) else {}  # dict first: to ask an ABC takes long


def at(value: object, *path: str) -> object:
    """What lies at `path` inside nested objects; None where the way ends."""
    for key in path:
        value = mapping(value).get(key)
    return value


def plain(value: object, depth: int = _DEPTH_LIMIT) -> JsonValue:
    """`value` as bounded JSON: long texts and lists cut, deep parts and unknown types replaced by None."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -INTEGER_LIMIT < value < INTEGER_LIMIT else None
    if isinstance(value, float):
        return number(value)
    if depth > 0 and isinstance(value, Mapping):
        items = list(value.items())[:LIST_LIMIT]
        return {clean(str(key)): plain(item, depth - 1) for key, item in items}
    if depth > 0 and isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value[:LIST_LIMIT]]
    return None
