"""What must be true at a quiet point, by a model simpler than the daemon: files, entries, cards, events."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dxwatchd.core.entries import normal_path
from dxwatchd.core.naming import canonical
from dxwatchd.core.text import is_text
from tests.soak.copiers import part_folders, whole_folders
from tests.soak.world import Round, World


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything at a quiet point.

    whole: path → content's identity; parts: folders that hold something and are nothing whole; prints:
    identity → fingerprint; cards, lines: by technical name, of the files and of the index.
    """

    whole: Mapping[str, str]
    parts: tuple[str, ...]
    prints: Mapping[str, str]
    text: str
    entries: tuple[dict[str, Any], ...]
    cards: Mapping[str, dict[str, Any]]
    digests: Mapping[str, str]
    index: Mapping[str, Any]
    events: tuple[dict[str, Any], ...]
    left: tuple[str, ...]

    @property
    def lines(self) -> dict[str, dict[str, Any]]:
        """The index's lines by technical name."""
        return {line["technical_name"]: line for line in self.index["models"]}

    def found(self, path: str) -> str | None:
        """The fingerprint of what lies at a path; None where nothing whole does."""
        return self.prints.get(self.whole.get(path, ""))


def look(world: World) -> Sight:
    """Look at everything."""
    state = world.place.state
    cards, digests = {}, {}
    for path in (state / "cards").glob("*.json"):
        if path.name != "index.json":
            raw = path.read_bytes()
            cards[path.stem], digests[path.stem] = (
                json.loads(raw),
                f"sha256:{hashlib.sha256(raw).hexdigest()}",
            )
    try:
        index = json.loads((state / "cards" / "index.json").read_bytes())
    except FileNotFoundError:
        index = {"generation": 0, "models": [], "tombstones": []}
    text = world.place.manifest.read_text()
    try:
        entries = tuple(tomllib.loads(text).get("models", ()))
    except ValueError:
        entries = ()
    left = [path for path in state.rglob("*") if path.name.startswith(".writing-")]
    left += [*(state / "requests").iterdir(), *state.glob("append.pending")]
    return Sight(
        whole=whole_folders(world),
        parts=tuple(part_folders(world)),
        prints={made.identity: made.fingerprint for made in world.contents.values()},
        text=text,
        entries=entries,
        cards=cards,
        digests=digests,
        index=index,
        events=tuple(events(state)),
        left=tuple(path.name for path in left),
    )


def events(state: Path) -> Iterator[dict[str, Any]]:
    """The journal from its beginning, also of files that it was moved aside to."""
    found = {}
    for path in sorted(state.glob("events*.jsonl*")):
        for line in path.read_bytes().splitlines():
            event = json.loads(line)
            found[event["sequence"], line] = event
    for _, event in sorted(found.items(), key=lambda item: item[0][0]):
        yield event


def violations(now: Sight, before: Sight | None, done: Round) -> Iterator[str]:
    """All that is not as it must be. before: at the last quiet point; done: what was done since."""
    yield from _manifest(now)
    yield from _proposals(now)
    yield from _names(now)
    yield from _cards(now)
    yield from _index(now)
    yield from _journal(now)
    yield from (f"left behind: {name}" for name in now.left)
    if before is not None:
        yield from _moves(now, before, done)
        yield from _since(now, before, done)


def _manifest(now: Sight) -> Iterator[str]:
    try:
        tomllib.loads(now.text)
    except ValueError as error:
        yield f"the manifest is no TOML: {error}"


def _proposals(now: Sight) -> Iterator[str]:
    """Every whole folder is spoken of once; nothing that is not whole was ever proposed."""
    spoken = Counter(normal_path(str(one.get("path", ""))) for one in now.entries)
    forms = Counter(map(canonical, {*spoken, *now.whole}))
    followed = {card["path"] for card in now.cards.values()}
    for path in now.whole:
        if not is_text(path):
            if spoken[path]:
                yield f"{path!r} is no text and has an entry"
        elif spoken[path] > 1:
            yield f"{path!r} has {spoken[path]} entries"
        elif not spoken[path] and path not in followed and forms[canonical(path)] == 1:
            yield f"{path!r} is whole and has no entry"
    known = set(now.prints.values())
    for event in now.events:
        if event["event"] == "proposed" and event["fingerprint"] not in known:
            yield f"proposed with content that never was whole: {event}"


def _names(now: Sight) -> Iterator[str]:
    for key in ("technical_name", "model_name"):
        taken = Counter(canonical(card[key]) for card in now.cards.values())
        yield from (f"{number} cards have the {key} {name}" for name, number in taken.items() if number > 1)


def _in_force(now: Sight) -> dict[str, dict[str, Any]]:
    """Approved entries by technical name; those that share a name or a path with another are left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in now.entries:
        for key in ("technical_name", "model_name", "path"):
            if key == "path" or one["status"] != "rejected":
                counts[key, canonical(one[key])] += 1
    return {
        one["technical_name"]: one
        for one in now.entries
        if one["status"] == "approved"
        and all(counts[key, canonical(one[key])] == 1 for key in ("technical_name", "model_name", "path"))
    }


def _cards(now: Sight) -> Iterator[str]:
    """Every approved entry and its card, by what lies on the disk."""
    entries = _in_force(now)
    approved = {one["technical_name"] for one in now.entries if one["status"] == "approved"}
    # a card stays under its old name until its folder is there to make the one of the new name from
    renamed = {normal_path(one["path"]) for name, one in entries.items() if name not in now.cards}
    for name in now.cards.keys() - approved:
        if now.cards[name]["entry_path"] not in renamed:
            yield f"the card {name} has no approved entry"
    for name, entry in entries.items():
        yield from (f"{name}: {what}" for what in _card(now, entry, now.cards.get(name)))
    places = Counter(card["path"] for card in now.cards.values() if card["availability"] == "available")
    yield from (
        f"{number} cards are available at {place!r}" for place, number in places.items() if number > 1
    )


def _card(now: Sight, entry: dict[str, Any], card: dict[str, Any] | None) -> Iterator[str]:
    path, pinned = normal_path(entry["path"]), entry.get("fingerprint")
    found = now.found(path)
    if card is None:
        if found is not None and pinned in (None, found):
            yield "approved and whole, and it has no card"
        return
    availability = card["availability"]
    if availability == "available":
        if now.found(card["path"]) != card["fingerprint"]:
            yield f"available, but {card['path']!r} is not what was approved"
        if pinned is not None and card["fingerprint"] != pinned:
            yield "available with another fingerprint than the entry's"
        if found == card["fingerprint"] and card["path"] != path:
            yield f"its folder is at {path!r}, the card says {card['path']!r}"
        return
    if found is not None and found == (pinned or card["fingerprint"]):
        yield f"whole and as approved, and the card is {availability}"
    if found is not None and availability == "missing":
        yield f"something else lies at {path!r}, and the card is missing"
    gone = not any(_below(place, path) or _below(place, card["path"]) for place in (*now.whole, *now.parts))
    if gone and availability == "drifted":
        yield f"nothing lies at {path!r}, and the card is drifted"


def _below(place: str, path: str) -> bool:
    return place == path or place.startswith(f"{path}/") or path.startswith(f"{place}/")


def _index(now: Sight) -> Iterator[str]:
    if now.lines.keys() != now.cards.keys():
        yield f"index and cards differ: {sorted(now.lines.keys() ^ now.cards.keys())}"
    for name, line in now.lines.items():
        if name in now.cards and line["digest"] != now.digests[name]:
            yield f"{name} has another digest in the index"
    for dead in now.index["tombstones"]:
        if dead["technical_name"] in now.cards:
            yield f"{dead['technical_name']} has a tombstone and a card"


def _journal(now: Sight) -> Iterator[str]:
    """No gap, no double; each card's revisions count up by one; the last is the card's or tombstone's."""
    if [event["sequence"] for event in now.events] != list(range(1, len(now.events) + 1)):
        yield "the journal's sequence has gaps"
    ids = Counter(event["id"] for event in now.events)
    yield from (f"{number} events with the id {one}" for one, number in ids.items() if number > 1)
    last: dict[str, int] = {}
    for event in now.events:
        if "revision" in event:
            name = event["technical_name"]
            if event["revision"] != last.get(name, 0) + 1:
                yield f"{name}: revision {event['revision']} after {last.get(name, 0)} in the journal"
            last[name] = event["revision"]
    told = {name: card["revision"] for name, card in now.cards.items()}
    told |= {dead["technical_name"]: dead["revision"] for dead in now.index["tombstones"]}
    for name in last.keys() | told.keys():
        if last.get(name) != told.get(name):
            yield f"{name}: the journal ends with revision {last.get(name)}, published is {told.get(name)}"


def _moves(now: Sight, before: Sight, done: Round) -> Iterator[str]:
    """A folder of a content that was there once, renamed once, has its card follow."""
    copies, copies_before = Counter(now.whole.values()), Counter(before.whole.values())
    then = _in_force(before)
    for name, entry in _in_force(now).items():
        card, old = before.cards.get(name), normal_path(entry["path"])
        if name in done.removals or then.get(name) != entry or card is None or old not in done.moved:
            continue
        new, content = done.moved[old]
        alone = copies[content] == copies_before[content] == 1 and not done.dropped[content]
        once = done.touched[old] == 1 and done.touched[new] <= 1 and now.whole.get(new) == content
        there = card["availability"] == "available" and card["path"] == old
        if alone and once and there and is_text(new) and now.cards[name]["path"] != new:
            yield f"{name}: {old!r} was moved to {new!r}, the card is {now.cards[name]['availability']}"


def _since(now: Sight, before: Sight, done: Round) -> Iterator[str]:
    """Nothing counts backwards, no event changes, and no content is approved but by a person."""
    if now.index["generation"] < before.index["generation"]:
        yield "the index's generation went back"
    if now.events[: len(before.events)] != before.events:
        yield "events that were journalled are not the same any more"
    approved = {one["technical_name"] for one in before.entries if one["status"] == "approved"}
    # a card that stayed under its old name goes with the entry of the new one
    stayed = before.cards.keys() - approved
    # the line of its fingerprint was taken away while its folder was not there: that counts once it is
    unpinned = {
        one["technical_name"]
        for one in before.entries
        if "fingerprint" not in one
        and before.cards.get(one["technical_name"], {}).get("approved_fingerprint") is not None
    }
    for event in now.events[len(before.events) :]:
        name = event.get("technical_name")
        known = stayed | unpinned if event["event"] == "approved_again" else stayed
        if event["event"] in ("removed", "approved_again") and name not in (*done.removals, *known):
            yield f"nobody touched the entry of {name}: {event}"
