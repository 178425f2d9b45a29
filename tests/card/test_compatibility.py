"""Cards of earlier releases are read, and nothing that a consumer of an earlier release reads is taken away.

`released/<version>/` has the JSON Schema of each release and cards that its daemon wrote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.card.serialize import dump, json_schema, parse

RELEASES = sorted(path for path in Path(__file__).with_name("released").iterdir() if path.is_dir())
CARDS = [
    path for release in RELEASES for path in sorted(release.glob("*.json")) if path.name != "schema.json"
]

Schema = Mapping[str, Any]


def _branches(schema: Schema, root: Schema) -> list[Schema]:
    """The alternatives of a schema, references followed."""
    if "$ref" in schema:
        found: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return _branches(found, root)
    if "anyOf" in schema:
        return [branch for each in schema["anyOf"] for branch in _branches(each, root)]
    return [schema]


def _losses(path: str, old: Schema, new: Schema, roots: tuple[Schema, Schema]) -> Iterator[str]:
    """What of `old` is not so in `new`: a type, a value of an enumeration, a property, an item."""
    before, after = _branches(old, roots[0]), _branches(new, roots[1])
    kinds = [{str(branch.get("type")) for branch in each} for each in (before, after)]
    if kinds[0] != kinds[1]:
        yield f"{path}: {sorted(kinds[0])} became {sorted(kinds[1])}"
        return
    for was in before:
        now = next(branch for branch in after if branch.get("type") == was.get("type"))
        yield from _branch_losses(path, was, now, roots)


def _branch_losses(path: str, was: Schema, now: Schema, roots: tuple[Schema, Schema]) -> Iterator[str]:
    values = [set(one.get("enum", [one["const"]] if "const" in one else [])) for one in (was, now)]
    if values[1] and not values[0] <= values[1]:
        yield f"{path}: {sorted(values[0] - values[1])} are no values any more"
    if set(now.get("required", ())) - set(was.get("required", ())):
        yield f"{path}: {sorted(set(now['required']) - set(was.get('required', ())))} are demanded now"
    for name, part in was.get("properties", {}).items():
        if name not in now.get("properties", {}):
            yield f"{path}.{name} is gone"
        else:
            yield from _losses(f"{path}.{name}", part, now["properties"][name], roots)
    for key in ("items", "additionalProperties"):
        if isinstance(was.get(key), dict):
            if not isinstance(now.get(key), dict):
                yield f"{path}: {key} are not described any more"
            else:
                yield from _losses(f"{path}[]", was[key], now[key], roots)


def losses(old: Schema, new: Schema) -> list[str]:
    """Every way in which a card of schema `new` may surprise whoever knows `old`."""
    return list(_losses("card", old, new, (old, new)))


def test_there_is_a_release_to_compare_with() -> None:
    """Without one, the other tests here would say nothing."""
    assert RELEASES
    assert len(CARDS) >= 5


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: str(path.name))
def test_nothing_is_taken_away(release: Path) -> None:
    """Every property of an earlier schema is there, of the same type; none is demanded that was not."""
    assert losses(json.loads((release / "schema.json").read_bytes()), json_schema()) == []


@pytest.mark.parametrize("path", CARDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_earlier_cards_are_read(path: Path) -> None:
    """A card of an earlier release keeps every value that it states."""
    before = json.loads(path.read_bytes())
    assert _states(before, json.loads(dump(parse(path.read_bytes())))) == []


@pytest.mark.parametrize("path", CARDS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_later_cards_are_read(path: Path) -> None:
    """Keys that a later release has added, at the top and inside, and its own word for what has changed."""
    card = json.loads(path.read_bytes())
    more = {
        **card,
        "colour": "blue",
        "change": "repainted",
        "architecture": {**card["architecture"], "depth": {"of": "it"}},
    }
    known = parse(path.read_bytes())
    assert parse(json.dumps(more).encode()) == known.model_copy(update={"change": "repainted"})


def _states(before: object, after: object, at: str = "") -> list[str]:
    """Where `after` does not say what `before` says; it may say more."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [
            said for key, value in before.items() for said in _states(value, after.get(key), f"{at}/{key}")
        ]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        return [said for index, pair in pairs for said in _states(*pair, f"{at}/{index}")]
    return [] if before == after else [at]


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        (lambda schema: schema["properties"].pop("license"), "card.license is gone"),
        (lambda schema: schema["required"].append("license"), "['license'] are demanded"),
        (lambda schema: schema["properties"].update(path={"type": "integer"}), "card.path"),
        (
            lambda schema: schema["$defs"]["Context"]["properties"].pop("native"),
            "card.context.native is gone",
        ),
        (
            lambda schema: schema["properties"]["availability"]["enum"].remove("drifted"),
            "['drifted'] are no values",
        ),
    ],
)
def test_a_loss_is_seen(change: Any, loss: str) -> None:
    """The comparison itself: taken away, demanded, of another type, a value less."""
    damaged = json.loads(json.dumps(json_schema()))
    change(damaged)
    assert any(loss in said for said in losses(json_schema(), damaged))


def test_more_is_no_loss() -> None:
    """A new property, and a new value of an enumeration."""
    more = json.loads(json.dumps(json_schema()))
    more["properties"]["colour"] = {"type": "string"}
    more["properties"]["availability"]["enum"].append("archived")
    assert losses(json_schema(), more) == []
