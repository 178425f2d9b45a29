"""Is a model whole? The fingerprint if so, else every reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.facts import Fault, Hollow, Opaque, TorchArchive
from dxwatchd.core.layouts import find
from dxwatchd.core.readiness import judge
from dxwatchd.core.reasons import ReasonKind, State, state_of
from dxwatchd.core.snapshot import Trouble
from tests.core.making import (
    File,
    Folder,
    Tree,
    adapter,
    config,
    empty,
    gguf,
    index,
    llama,
    modules,
    pointer,
    sharded,
    shards,
    snapshot,
    tensors,
    text,
    told,
    torch,
    unusable,
    verdict,
)

WEIGHTS = "model.safetensors"


@pytest.mark.parametrize(
    "inside",
    [
        llama(),
        sharded(3),
        {"config.json": config(), **shards(3)},
        {"config.json": config(), "pytorch_model.bin": torch()},
        {
            "config.json": config(),
            "model-1-of-2.safetensors": tensors("a"),
            "model-2-of-2.safetensors": tensors("b"),
        },
        adapter(),
        {"m-q4.gguf": gguf()},
        {"m-00001-of-00002.gguf": gguf("a"), "m-00002-of-00002.gguf": gguf("b")},
        {"m.gguf": gguf(size=128, promised=100)},  # padded to the alignment of 32
        {**llama(), "modules.json": modules("", "1_Pooling"), "1_Pooling": {"config.json": text()}},
        {**llama(), "modules.json": modules("", "2_Normalize")},
        llama(**{"__init__.py": empty()}),
    ],
)
def test_what_is_whole(inside: Tree) -> None:
    """Nothing stands in the way, and there is a fingerprint."""
    found = verdict(inside)
    assert found.reasons == ()
    assert found.whole
    assert found.fingerprint.startswith("sha256:")


SPOILED: list[tuple[dict[str, Any], list[tuple[ReasonKind, str]]]] = [
    ({"config.json": config()}, [(ReasonKind.NO_WEIGHTS, "")]),
    (llama(**{WEIGHTS: tensors(size=99, promised=100)}), [(ReasonKind.TOO_SHORT, WEIGHTS)]),
    (llama(**{WEIGHTS: tensors(size=101, promised=100)}), [(ReasonKind.TOO_LONG, WEIGHTS)]),
    (llama(**{WEIGHTS: empty()}), [(ReasonKind.EMPTY, WEIGHTS)]),
    (llama(**{WEIGHTS: unusable(Fault.TRUNCATED)}), [(ReasonKind.TRUNCATED, WEIGHTS)]),
    (llama(**{WEIGHTS: unusable(Fault.MALFORMED)}), [(ReasonKind.MALFORMED, WEIGHTS)]),
    (llama(**{WEIGHTS: pointer()}), [(ReasonKind.POINTER, WEIGHTS)]),
    (llama(**{WEIGHTS: File(trouble=Trouble.LINK_OUTSIDE)}), [(ReasonKind.LINK_OUTSIDE, WEIGHTS)]),
    (llama(**{WEIGHTS: File(trouble=Trouble.LINK_BROKEN)}), [(ReasonKind.LINK_BROKEN, WEIGHTS)]),
    (llama(**{WEIGHTS: File(trouble=Trouble.SPECIAL)}), [(ReasonKind.SPECIAL_FILE, WEIGHTS)]),
    (llama(**{WEIGHTS: File(trouble=Trouble.UNREADABLE)}), [(ReasonKind.UNREADABLE, WEIGHTS)]),
    (llama(**{"config.json": empty()}), [(ReasonKind.EMPTY, "config.json")]),
    (llama(**{"config.json": unusable(Fault.MALFORMED, 3)}), [(ReasonKind.MALFORMED, "config.json")]),
    (llama(**{"tokenizer.json": empty()}), [(ReasonKind.EMPTY, "tokenizer.json")]),
    (
        {"config.json": config(), "pytorch_model.bin": torch(complete=False)},
        [(ReasonKind.TRUNCATED, "pytorch_model.bin")],
    ),
    ({"m.gguf": gguf(size=99, promised=100)}, [(ReasonKind.TOO_SHORT, "m.gguf")]),
    ({"m.gguf": gguf(size=129, promised=100)}, [(ReasonKind.TOO_LONG, "m.gguf")]),
    ({"m-00001-of-00002.gguf": gguf()}, [(ReasonKind.MISSING_FILE, "m-00002-of-00002.gguf")]),
    (
        {**llama(), "modules.json": modules("", "1_Pooling")},
        [(ReasonKind.MISSING_FILE, "1_Pooling/")],
    ),
]


@pytest.mark.parametrize(("inside", "reasons"), SPOILED)
@pytest.mark.promise(10, "every way not to be whole")
def test_what_is_not_whole_says_why(inside: Tree, reasons: list[tuple[ReasonKind, str]]) -> None:
    """Exactly these reasons, each with its file and a remedy, and no fingerprint."""
    found = verdict(inside)
    assert told(found.reasons) == reasons
    assert all(reason.remedy for reason in found.reasons)
    assert found.fingerprint == ""


@pytest.mark.parametrize("without", [(1,), (3,), (2, 5), (1, 2, 3, 4, 5)])
@pytest.mark.promise(3, "shards that are missing")
def test_missing_shards_are_named_one_by_one(without: tuple[int, ...]) -> None:
    """By an index, every shard that is not there; by numbering too, if one is there to number them."""
    wanted = [(ReasonKind.MISSING_FILE, f"model-{number:05d}-of-00005.safetensors") for number in without]
    assert told(verdict(sharded(5, without=without)).reasons) == wanted
    if len(without) < 5:
        assert told(verdict({"config.json": config(), **shards(5, without=without)}).reasons) == wanted


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors.incomplete",
        "model.safetensors.part",
        "model.safetensors.partial",
        "model.safetensors.aria2",
        "model.safetensors.crdownload",
        "model.safetensors.tmp",
        "model.safetensors.filepart",
        ".model.safetensors.a8Xk2Q",
        ".README.Xa81bc",
        ".unison.model.safetensors.abc",
        "._____temp",
    ],
)
@pytest.mark.promise(3, "every copier's temporary name")
def test_a_copiers_temporary_name_keeps_it_copying(name: str) -> None:
    """Every copier's temporary name, anywhere below the folder, means that a copy is in progress."""
    for inside in (llama(**{name: None}), llama(deeper={name: None}), llama(**{name: {"file": None}})):
        found = verdict(inside)
        assert {reason.kind for reason in found.reasons} == {ReasonKind.TEMPORARY_NAME}
        assert state_of(found.reasons) is State.COPYING


@pytest.mark.parametrize(
    "name", [".gitattributes", ".gitignore", ".gitattributes.backup", "part", "tmp.json"]
)
def test_ordinary_names_are_no_temporary_ones(name: str) -> None:
    """Dotfiles and words that merely look similar keep nobody waiting."""
    assert verdict(llama(**{name: None})).whole


def test_a_leftover_index_beside_whole_weights_is_a_warning() -> None:
    """A merged checkpoint keeps its old index: the set is whole, and the index is told."""
    found = verdict(llama(**{"model.safetensors.index.json": index(*shards(2))}))
    assert found.whole
    assert told(found.warnings) == [(ReasonKind.LEFTOVER_INDEX, "model.safetensors.index.json")]


def test_an_index_of_another_format_whose_files_are_absent_makes_it_patient() -> None:
    """Weights left out of a download or not copied yet: taken, after the long quiet period."""
    found = verdict(llama(**{"pytorch_model.bin.index.json": index("pytorch_model-00001-of-00001.bin")}))
    assert found.whole
    assert found.patient


def test_a_second_set_that_is_only_partly_there_is_incomplete() -> None:
    """Other forms of the same weights are whole or absent; anything between is a copy that has not ended."""
    bins = {"pytorch_model.bin.index.json": index("a-00001-of-00002.bin", "a-00002-of-00002.bin")}
    found = verdict(llama(**bins, **{"a-00001-of-00002.bin": torch()}))
    assert told(found.reasons) == [(ReasonKind.MISSING_FILE, "a-00002-of-00002.bin")]


def test_holes_are_a_reason_to_be_patient_and_never_to_refuse() -> None:
    """A preallocated file looks like this; so does a sparse copy."""
    found = verdict(llama(**{WEIGHTS: tensors(hole=True)}))
    assert found.whole
    assert found.patient
    assert told(found.warnings) == [(ReasonKind.HOLES, WEIGHTS)]


def test_all_reasons_are_told_not_only_the_first() -> None:
    """Three things wrong are three reasons, and the state is that of the gravest."""
    inside = {**sharded(3, without=(2,)), "tokenizer.json": empty(), "x.part": None}
    found = verdict(inside)
    assert {kind for kind, _ in told(found.reasons)} == {
        ReasonKind.MISSING_FILE,
        ReasonKind.EMPTY,
        ReasonKind.TEMPORARY_NAME,
    }
    assert state_of(found.reasons) is State.COPYING


FULL: dict[str, Any] = llama(
    **{
        "tokenizer.json": text("tokens"),
        "README.md": None,
        "code.py": text("code"),
        "deeper": {"module.py": text("more"), "vocab.txt": text("of a part that is not loaded")},
    }
)


@pytest.mark.parametrize(
    "other",
    [
        {**FULL, "README.md": File(size=5)},
        {name: FULL[name] for name in FULL if name != "README.md"},
        {**FULL, "picture.png": None},
        {**FULL, "deeper": {"module.py": text("more")}},
        {**FULL, "pytorch_model.bin": torch("the same again")},
        dict(reversed(list(FULL.items()))),
        Folder(FULL, time=999),
        {**FULL, WEIGHTS: replace(FULL[WEIGHTS], time=999)},
    ],
)
@pytest.mark.promise(9, "what is no content, and must not say `drifted`")
def test_the_fingerprint_is_the_same_for_the_same_content(other: Tree | Folder) -> None:
    """Times, order, README, pictures, what is not loaded and other forms of the weights are not content."""
    assert verdict(other).fingerprint == verdict(FULL).fingerprint != ""


@pytest.mark.parametrize(
    "other",
    [
        {**FULL, "config.json": config(say="other")},
        {**FULL, WEIGHTS: tensors("other")},
        {**FULL, "tokenizer.json": text("other")},
        {**FULL, "code.py": text("other")},
        {**FULL, "deeper": {"module.py": text("other")}},
        {**FULL, "deeper": {"renamed.py": text("more")}},
        {name: FULL[name] for name in FULL if name != "tokenizer.json"},
    ],
)
@pytest.mark.promise(9, "content that changes, by the fingerprint")
def test_the_fingerprint_is_another_for_other_content(other: Tree) -> None:
    """Config, tokenizer, code and weights are content, names and all."""
    assert verdict(other).whole
    assert verdict(other).fingerprint != verdict(FULL).fingerprint


def test_the_fingerprint_does_not_depend_on_where_the_folder_lies() -> None:
    """A moved folder is recognised by it."""
    seen = snapshot({"a": FULL, "b": {"c": FULL}})
    prints = {judge(model, seen).fingerprint for model in find(seen).models}
    assert len(prints) == 1


@given(st.text(min_size=1, max_size=40).filter(lambda name: "/" not in name and name not in (".", "..")))
def test_no_file_name_makes_it_raise(name: str) -> None:
    """Any name of a file, with or without facts, gives a verdict."""
    for what in (None, text("x"), tensors("x"), empty()):
        verdict(llama(**{name: what}))


@pytest.mark.parametrize(
    ("inside", "patient", "unproven"),
    [
        (llama(), False, False),
        (llama(**{"config.json": config(code_files=("modeling_x.py",))}), False, True),
        (
            llama(**{"config.json": config(code_files=("modeling_x.py",)), "modeling_x.py": text()}),
            False,
            False,
        ),
        (
            {"config.json": config(), "pytorch_model.bin": File(TorchArchive("d", "pickle", True))},
            False,
            True,
        ),
        ({"config.json": config(), "pytorch_model.bin": torch()}, False, False),
        ({"config.json": config(), "rust_model.ot": File(Opaque("d"))}, False, True),
        ({"config.json": config(), "pytorch_model.bin": File(Hollow("d"), hole=True)}, True, False),
        (llama(**{WEIGHTS: tensors(hole=True)}), True, False),
    ],
)
def test_what_proves_less_is_waited_for_longer(inside: Tree, patient: bool, unproven: bool) -> None:
    """Holes always; code that may still come, and formats that tell no size, unless moved in as one."""
    found = verdict(inside)
    assert found.whole
    assert (found.patient, found.unproven) == (patient, unproven)
