"""What cannot be read is not missing: an error anywhere in a model keeps its card and proposes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.core.decision import decide
from dxwatchd.core.facts import Fault, Unusable
from dxwatchd.core.plan import Observation, Options, Plan
from dxwatchd.core.reasons import State
from dxwatchd.core.rest import Periods
from dxwatchd.core.snapshot import SeenFolder, Snapshot, Trouble, is_below
from dxwatchd.core.unread import Unread, with_unread
from tests.core.making import (
    adapter,
    config,
    gguf,
    llama,
    manifest,
    modules,
    named,
    pipeline,
    published,
    sharded,
    snapshot,
    tensors,
    text,
)

TREES: dict[str, dict[str, Any]] = {
    "one file": llama(),
    "shards": sharded(3),
    "adapter": adapter(),
    "pipeline": {
        "model_index.json": pipeline("unet", "text_encoder", "scheduler"),
        "unet": {"config.json": config(None, "unet"), "diffusion_pytorch_model.safetensors": tensors("unet")},
        "text_encoder": llama("text"),
        "scheduler": {"scheduler_config.json": text("scheduler")},
    },
    "sentence transformers": {
        **llama("sentence"),
        "modules.json": modules("", "1_Pooling", "2_Dense"),
        "1_Pooling": {"config.json": config(None, "pool")},
        "2_Dense": {"config.json": config(None, "dense"), "model.safetensors": tensors("dense")},
    },
    "gguf": {"m.gguf": gguf("m")},
    "a model in a model": llama(draft=llama("draft")),
}


def _plan(seen: Snapshot, cards: Plan | None = None) -> Plan:
    records = [change.record for change in cards.cards] if cards is not None else []
    observation = Observation(
        seen, manifest(named("m", "org/m")), published(*records), moved_in=frozenset({"org/m"})
    )
    return decide(observation, {}, Options(Periods(0, 0)), 10.0)


def _spoiled(seen: Snapshot) -> Iterator[tuple[str, Snapshot]]:
    """Each file refused when it is read, and when it is looked at; each folder refused when it is listed."""
    for path, folder in seen.folders.items():
        if not is_below(path, "org"):
            continue
        for name, file in folder.files.items():
            if file.facts is not None:
                refused = replace(file, facts=Unusable(Fault.UNREADABLE, "The file cannot be read."))
                yield (
                    f"{path}/{name} read",
                    _with(seen, replace(folder, files={**folder.files, name: refused})),
                )
            lost = replace(file, stat=None, facts=None, trouble=Trouble.UNREADABLE)
            yield f"{path}/{name} looked at", _with(seen, replace(folder, files={**folder.files, name: lost}))
        closed = SeenFolder(path, folder.stat, trouble=Trouble.UNREADABLE)
        rest = {one: what for one, what in seen.folders.items() if one == path or not is_below(one, path)}
        yield f"{path}/ listed", Snapshot({**rest, path: closed}, seen.remote_devices)


def _with(seen: Snapshot, folder: SeenFolder) -> Snapshot:
    return Snapshot({**seen.folders, folder.path: folder}, seen.remote_devices)


@pytest.mark.promise(7, "each file and each folder of a model refuses to be read, one by one")
@pytest.mark.promise(9, "each file and each folder of a model refuses to be read, one by one")
@pytest.mark.parametrize("name", TREES)
def test_an_error_anywhere_keeps_the_card_and_proposes_no_part(
    name: str, tried: Callable[[int], None]
) -> None:
    """Neither drifted nor missing nor a proposal of some subfolder: unreadable, or as it was."""
    seen = snapshot({"org": {"m": TREES[name]}})
    first = _plan(seen)
    assert len(first.cards) == 1
    others = {new.model.path for new in first.proposals}
    count = 0
    for what, spoiled in _spoiled(seen):
        plan = _plan(spoiled, first)
        states = {folder.path: folder.state for folder in plan.folders}
        assert not plan.cards, (what, plan.cards)
        assert {new.model.path for new in plan.proposals} <= others, what
        assert states["org/m"] in (State.UNREADABLE, State.REGISTERED), (what, states)
        count += 1
    assert count >= 4
    tried(count)


def test_a_card_that_could_not_be_made_says_which_file_it_waits_for() -> None:
    """In the state of its folder, beside what is said of it anyway; others stay as they are."""
    plan = _plan(snapshot({"org": {"m": llama(), "other": llama("other")}}))
    told = with_unread(plan, [Unread("org/m", "org/m/model.safetensors")])
    states = {folder.path: folder for folder in told.folders}
    assert states["org/m"].state is State.UNREADABLE
    assert states["org/m"].reasons[-1].file == "model.safetensors"
    assert states["org/other"] in plan.folders
    assert with_unread(plan, []) is plan
