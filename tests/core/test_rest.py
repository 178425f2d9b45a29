"""Has a folder come to rest?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from dxwatchd.core.rest import Periods, Rest, Watched, rest
from tests.core.making import Folder, Tree, llama, only, tensors

PERIODS = Periods(quiet=5.0, patient=60.0)


def _rest(
    tree: Tree,
    before: Mapping[str, Watched] | None = None,
    *,
    now: float = 100.0,
    seen_at: float | None = None,
    moved_in: frozenset[str] = frozenset(),
    patient: bool = False,
    unproven: bool = False,
    path: str = "m",
    remote: bool = False,
    periods: Periods = PERIODS,
) -> Rest:
    model, seen = only(tree, path)
    if remote:
        seen = replace(seen, remote_devices=frozenset({seen.folders[path].stat.device}))
    end = now if seen_at is None else seen_at
    return rest(model, seen, before or {}, moved_in, periods, now, end, patient=patient, unproven=unproven)


def test_a_new_folder_waits_for_the_quiet_period() -> None:
    """First seen at 100: due at 105, not before."""
    first = _rest({"m": llama()})
    assert not first.settled
    assert first.due == 105.0
    before = {"m": first.watched}
    assert not _rest({"m": llama()}, before, now=104.9).settled
    assert _rest({"m": llama()}, before, now=105.0).settled


def test_a_look_that_takes_long_does_not_shorten_the_period() -> None:
    """What was seen at the end of a look of 8 seconds is not at rest 5 seconds after its beginning."""
    first = _rest({"m": llama()}, now=100.0, seen_at=108.0)
    assert first.due == 113.0
    assert not _rest({"m": llama()}, {"m": first.watched}, now=112.0).settled


@pytest.mark.parametrize(
    "changed",
    [
        llama(**{"model.safetensors": tensors("weights ", size=101)}),
        llama(**{"model.safetensors": tensors("weights ", time=2_000)}),
        llama(**{"README.md": None}),
        llama(deep={"deeper": {"file": None}}),
        Folder(llama(), time=2_000),
    ],
)
@pytest.mark.promise(3, "any change during the quiet period")
def test_any_change_below_it_starts_the_period_anew(changed: Any) -> None:
    """A size, a time, a new file however deep: the old patience does not count."""
    before = {"m": _rest({"m": llama()}).watched}
    again = _rest({"m": changed}, before, now=200.0)
    assert not again.settled
    assert again.due == 205.0


def test_a_change_elsewhere_does_not_count() -> None:
    """Another folder beside it may change all day."""
    before = {"m": _rest({"m": llama()}).watched}
    assert _rest({"m": llama(), "other": llama("x")}, before, now=105.0).settled


@pytest.mark.parametrize(("patient", "remote"), [(True, False), (False, True), (True, True)])
def test_doubts_and_remote_file_systems_take_the_long_period(patient: bool, remote: bool) -> None:
    """Holes, leftovers and file systems without events: 60 seconds instead of 5."""
    first = _rest({"m": llama()}, patient=patient, remote=remote)
    assert first.due == 160.0
    before = {"m": first.watched}
    assert not _rest({"m": llama()}, before, now=159.0, patient=patient, remote=remote).settled
    assert _rest({"m": llama()}, before, now=160.0, patient=patient, remote=remote).settled


def test_no_period_means_at_once() -> None:
    """0 seconds are allowed."""
    assert _rest({"m": llama()}, periods=Periods(0.0, 0.0)).settled


MOVED = Folder(llama(), time=1_000, changed=5_000)  # a rename stamps the folder's own ctime


def test_moved_in_as_one_is_at_rest_at_once() -> None:
    """The kernel told of the rename, and nothing inside is stamped at that moment or later."""
    assert _rest({"m": MOVED}, moved_in=frozenset({"m"})).settled
    assert _rest({"p": Folder({"m": llama()}, changed=5_000)}, moved_in=frozenset({"p"}), path="p/m").settled


@pytest.mark.parametrize(
    "inside",
    [
        {"m": Folder(llama(late=tensors(time=5_000)), changed=5_000)},
        {"m": Folder(llama(late=tensors(time=6_000)), changed=5_000)},
        {"m": Folder(llama(deep=Folder({"file": None}, time=6_000)), changed=5_000)},
        {"m": Folder(llama(), time=5_000)},
    ],
)
@pytest.mark.promise(3, "a file touched in the tick of the rename")
def test_what_was_touched_with_or_after_the_move_waits(inside: Tree) -> None:
    """A file stamped in the very tick of the rename may still be written to."""
    assert not _rest(inside, moved_in=frozenset({"m"})).settled


def test_without_word_from_the_kernel_stamps_prove_nothing() -> None:
    """`cp -rp` leaves such stamps too."""
    assert not _rest({"m": MOVED}).settled


def test_a_move_does_not_end_the_patience_with_holes() -> None:
    """A preallocated file may have been moved in with the rest."""
    assert not _rest({"m": MOVED}, moved_in=frozenset({"m"}), patient=True).settled


def test_what_proves_no_size_takes_the_long_period_unless_moved_in_as_one() -> None:
    """A copy of it waits 60 seconds; one rename brings all of it, so nothing is to be waited for."""
    assert _rest({"m": llama()}, unproven=True).due == 160.0
    assert _rest({"m": MOVED}, moved_in=frozenset({"m"}), unproven=True).settled
    assert not _rest({"m": MOVED}, moved_in=frozenset({"m"}), patient=True).settled
