"""Names for a new folder: where they are from, which are refused, and what becomes of two equal ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.core.decision import decide
from dxwatchd.core.derivation import MAX_REJECTED, Hints, Names, derive, held
from dxwatchd.core.document_facts import Readme
from dxwatchd.core.facts import Fault
from dxwatchd.core.hints import hints_of
from dxwatchd.core.layouts import find
from dxwatchd.core.manifest import parse
from dxwatchd.core.naming import (
    canonical,
    model_name_problem,
    short_digest,
    slug,
    technical_name_problem,
)
from dxwatchd.core.plan import Observation, Options
from dxwatchd.core.proposals import Proposal, render
from dxwatchd.core.records import Published
from dxwatchd.core.rest import Periods
from dxwatchd.core.snapshot import Snapshot
from tests.core import making

HASH = "0123456789abcdef" * 2 + "01234567"
CACHED = f"models--Qwen--Qwen3-8B/snapshots/{HASH}"


@pytest.mark.parametrize(
    ("hints", "technical", "model"),
    [
        (Hints("Qwen/Qwen3-8B"), "qwen3-8b", "Qwen3-8B"),
        (Hints(CACHED), "qwen3-8b", "Qwen3-8B"),
        (Hints(CACHED, refs=("refs/pr/3",)), "qwen3-8b-refs-pr-3", "Qwen3-8B-refs-pr-3"),
        (Hints(CACHED, front_matter=("Another",)), "qwen3-8b", "Qwen3-8B"),
        (Hints("Qwen/Qwen2___5-VL"), "qwen2.5-vl", "Qwen2.5-VL"),
        (Hints("x/granite", front_matter=("granite-3b-code-instruct",)), *["granite-3b-code-instruct"] * 2),
        (Hints("x/run", front_matter=("org/My-Model", "Second")), "my-model", "My-Model"),
        (Hints("x/GenZ-70B-GPTQ", front_matter=("GenZ 70B",)), "genz-70b-gptq", "GenZ-70B-GPTQ"),
        (Hints("x/final", front_matter=("results", "/home/me/out")), "x-final", "x-final"),
        (Hints("x/final", general_name="Real Name", name_or_path="org/Other"), "real-name", "Real Name"),
        (Hints("x/final", general_name="models", name_or_path="org/Other"), "other", "Other"),
        (Hints("x/final", general_name=".", title="T"), "t", "T"),
        (Hints("x/final", general_name=HASH, title="T"), "t", "T"),
        (Hints("x/final", general_name="/home/me/secret", title="T"), "t", "T"),
        (Hints("x/final", name_or_path="/home/me/secret"), "x-final", "x-final"),
        (Hints("x/final", name_or_path="./base"), "x-final", "x-final"),
        (Hints("x/final", name_or_path="out/checkpoint-500"), "x-final", "x-final"),
        (Hints("x/Falcon-40B", title="Something else"), "falcon-40b", "Falcon-40B"),
        (Hints("x/final", title="🚀 Falcon-40B"), "falcon-40b", "Falcon-40B"),
        (Hints("x/final", title="Model Card for FLAN-T5 large"), "flan-t5-large", "FLAN-T5 large"),
        (Hints("x/final", title="Fuyu-8B Model Card"), "fuyu-8b", "Fuyu-8B"),
        (Hints("x/final", title="Model Card: CLIP"), "clip", "CLIP"),
        (Hints("x/final", title="HuggingFaceTB/SmolLM3-3B"), "smollm3-3b", "SmolLM3-3B"),
        (Hints("x/final", title="Model Card for Model ID"), "x-final", "x-final"),
        (
            Hints("x/final", title="We trained this model to sort our letters by the department " * 2),
            *["x-final"] * 2,
        ),
        (Hints("x/final", title="SetFit with BAAI/bge-small-en-v1.5"), "x-final", "x-final"),
        (Hints("x/final", general_name="C:\\models\\sorter"), "x-final", "x-final"),
        (Hints("runs/checkpoint-900"), "runs-checkpoint-900", "runs-checkpoint-900"),
        (Hints("saves/Qwen2-7B/lora/sft", front_matter=("sft",)), "qwen2-7b-sft", "Qwen2-7B-sft"),
        (Hints("LLaMA/7B"), "llama-7b", "LLaMA-7B"),
        (Hints("google/gemma/transformers/2b-it/3"), "gemma-2b-it-3", "gemma-2b-it-3"),
        (Hints("runs/2024-05-01/final"), "runs-2024-05-01-final", "runs-2024-05-01-final"),
        (Hints(f"Qwen/2024/{HASH}"), "qwen-2024", "Qwen-2024"),
        (Hints("Phi-3/onnx/cuda-fp16"), "phi-3-cuda-fp16", "Phi-3-cuda-fp16"),
        (Hints("en_US/lessac/medium"), "lessac-medium", "lessac-medium"),
        (Hints("x/tickets", front_matter=("SetFit with org/mpnet",)), "tickets", "tickets"),
        (Hints("x/tickets", front_matter=("SentenceTransformer based on bert",)), "tickets", "tickets"),
        (Hints("x/final", title="CrossEncoder based on org/bert"), "x-final", "x-final"),
        (Hints("x/nomic", front_matter=("epoch_0_model",)), "nomic", "nomic"),
        (Hints(f"Qwen/{HASH}"), "qwen", "Qwen"),
        (Hints("final"), "final", "final"),
        (Hints("con"), "model-con", "con"),
        (
            Hints("通义千问", "qwen2", size=3 * 2**20, fingerprint="f"),
            f"qwen2-3m-{short_digest('f')}",
            "通义千问",
        ),
        (Hints("通义千问-7B", fingerprint="f"), f"model-0m-{short_digest('f')}", "通义千问-7B"),
        (Hints(HASH, fingerprint="f"), f"model-0m-{short_digest('f')}", f"model-0m-{short_digest('f')}"),
    ],
)
def test_where_names_are_from(hints: Hints, technical: str, model: str) -> None:
    """Cache, front matter, folder, GGUF, `_name_or_path`, title, the folders above, in this order."""
    names = derive(hints, {})
    assert (names.technical_name, names.model_name) == (technical, model)


@pytest.mark.parametrize(
    ("hints", "rejected"),
    [
        (Hints("Qwen/Qwen3-8B", general_name="models"), ()),
        (Hints("final"), ()),
        (Hints("con"), ("con: is a reserved word",)),
        (Hints("x/GenZ-GPTQ", front_matter=("GenZ",)), ("GenZ: the folder's name says more",)),
        (
            Hints(
                f"runs/{HASH}",
                front_matter=("results", "a\nb"),
                general_name="/tmp/x",
                name_or_path="/home/me",
                title="Model Card for Model ID",
            ),
            (
                "results: is generic",
                "a\\x0ab: it holds control characters",
                f"{HASH}: is a hash",
                "/tmp/x: holds a path",
                "/home/me: is not a publisher and a name",
                "Model ID: is generic",
            ),
        ),
    ],
)
def test_what_was_not_taken_is_told_with_the_reason(hints: Hints, rejected: tuple[str, ...]) -> None:
    """Every candidate before the chosen one, on one line each, whatever it holds; not those after it."""
    assert derive(hints, {}).rejected == rejected


def test_rejected_names_stand_in_the_proposal_as_comments() -> None:
    """A person sees why the folder's own name was not taken."""
    names = derive(Hints("two/con", title="x"), {"con": "first"})
    assert names.rejected == ("con: is a reserved word", "con: taken by first")
    text = render((Proposal("a", "A", "two/con", "sha256:0", "found", names.rejected),), "2026-11-23")
    assert text.endswith("# not taken: con: is a reserved word\n# not taken: con: taken by first\n")


def test_a_collision_takes_the_publisher_then_a_digest() -> None:
    """And says which names it did not take, and who has them."""
    hints = Hints("two/Llama-3")
    first = derive(hints, {"llama-3": "llama-3"})
    assert first.technical_name == "two-llama-3"
    assert first.model_name == "two/Llama-3"
    assert first.rejected == ("llama-3: taken", "Llama-3: taken by llama-3")
    second = derive(hints, dict.fromkeys(("llama-3", "two-llama-3", "two/llama-3"), "other"))
    assert re.fullmatch(r"llama-3-[0-9a-f]{8}", second.technical_name)
    assert re.fullmatch(r"Llama-3 \([0-9a-f]{8}\)", second.model_name)
    assert second.rejected[1] == "two-llama-3: taken by other"


def test_a_publisher_that_says_nothing_is_no_publisher() -> None:
    """`models/Llama-3` collides into a digest, not into `models-llama-3`."""
    assert re.fullmatch(
        r"llama-3-[0-9a-f]{8}", derive(Hints("models/Llama-3"), {"llama-3": "a"}).technical_name
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [("a/Llama-3", "b/Llama-3"), ("Llama-3", "llama-3"), ("Ｌlama", "Llama"), ("ß", "SS"), ("ﬁne", "fine")],
)
def test_two_folders_of_one_name_get_two(one: str, other: str) -> None:
    """Also where only case, width or a ligature tells them apart."""
    first = derive(Hints(one), {})
    second = derive(Hints(other), held(first))
    assert canonical(first.technical_name) != canonical(second.technical_name)
    assert canonical(first.model_name) != canonical(second.model_name)


@pytest.mark.parametrize(
    "name",
    [
        "a\nb",
        'say "hi"',
        "it's",
        "\x1b[31mred\x1b[0m",
        "abc\u202efdp.exe",
        "\u200f\u200e",
        "x" * 255,
        "語" * 85,
        "🚀🔥",
        "👩\u200d🚀",
        "...",
        "-",
        "[[models]]",
        "# comment",
        "a\x7fb",
        "\udcff\udcfe",
        "=" * 40,
        "CON",
        "nul.txt",
        "..",
        " ",
        "\u3000",
    ],
)
def test_hostile_folder_names_give_sane_names(name: str) -> None:
    """Always allowed, and nothing that could forge a line of the manifest."""
    for path in (name, f"publisher/{name}", f"{name}/final"):
        names = derive(Hints(path, "llama", fingerprint="f"), {})
        again = derive(Hints(path, "llama", fingerprint="f"), held(names))
        for one in (names, again):
            assert technical_name_problem(one.technical_name) is None
            assert model_name_problem(one.model_name) is None
            assert all(note.isprintable() for note in one.rejected)
        assert canonical(names.technical_name) != canonical(again.technical_name)


PARTS = st.text(min_size=1, max_size=60).filter(lambda part: "/" not in part and "\0" not in part)
SAID = st.none() | st.text(max_size=90)
HINTS = st.builds(
    Hints,
    st.lists(PARTS, min_size=1, max_size=4).map("/".join),
    SAID,
    st.lists(st.text(max_size=80), max_size=2).map(tuple),
    SAID,
    SAID,
    SAID,
    st.integers(0, 2**45),
    st.just("f"),
)


@given(st.lists(HINTS, min_size=1, max_size=12))
def test_a_batch_of_any_folders_gets_allowed_names_that_differ(batch: list[Hints]) -> None:
    """Unique under NFKC and case folding, printable reasons, and the same names when asked again."""

    def all_names() -> list[Names]:
        taken: dict[str, str] = {}
        given: list[Names] = []
        for hints in batch:
            given.append(derive(hints, taken))
            assert canonical(given[-1].technical_name) not in taken
            assert canonical(given[-1].model_name) not in taken
            taken |= held(given[-1])
        return given

    first = all_names()
    for names in first:
        assert technical_name_problem(names.technical_name) is None
        assert model_name_problem(names.model_name) is None
        assert len(names.rejected) <= MAX_REJECTED
        assert all(note.isprintable() and len(note) < 200 for note in names.rejected)
    assert all_names() == first


@given(HINTS, st.data())
def test_names_are_free_however_often_they_are_asked_for(hints: Hints, data: st.DataObject) -> None:
    """The same folder, twenty times in a row, with what it got before taken."""
    taken: dict[str, str] = {}
    for _ in range(data.draw(st.integers(1, 20))):
        names = derive(hints, taken)
        assert canonical(names.technical_name) not in taken
        assert canonical(names.model_name) not in taken
        taken |= held(names)


@given(st.permutations(["a/Llama-3", "b/llama_3", "c/LLAMA-3", "d/Ｌlama-3"]))
def test_who_gets_a_name_does_not_depend_on_the_order_of_discovery(order: list[str]) -> None:
    """The folders of one pass are named in the order of their paths."""
    seen = making.snapshot({path[0]: {path[2:]: making.llama(path)} for path in sorted(order)})
    folders = {"": seen.folders[""]} | {path[0]: seen.folders[path[0]] for path in order}
    folders |= {path: seen.folders[path] for path in order}
    observed = Observation(Snapshot(folders), parse(""), Published({}, {}))
    plan = decide(observed, {}, Options(Periods(0, 0)), 0.0)
    named = {new.model.path: new.names.technical_name for new in plan.proposals}
    assert named == {
        "a/Llama-3": "llama-3",
        "b/llama_3": "b-llama-3",
        "c/LLAMA-3": "c-llama-3",
        "d/Ｌlama-3": "d-llama-3",
    }


def _hints(inside: dict[str, Any]) -> Hints:
    seen = making.snapshot({"final": inside})
    (model,) = find(seen).models
    return hints_of(model, seen.folders["final"], "sha256:0")


def test_what_files_say_becomes_hints() -> None:
    """Config, README and the header of the first GGUF file."""
    folder = making.llama() | {"README.md": Readme("d", ("Name",), "Title")}
    folder["config.json"] = making.config("qwen3", name_or_path="org/x")
    hints = _hints(folder)
    assert (hints.model_type, hints.name_or_path) == ("qwen3", "org/x")
    assert (hints.front_matter, hints.title) == (("Name",), "Title")
    packed = _hints({"x-Q4_K_M.gguf": making.gguf(architecture="llama", name="Qwen3 8B")})
    assert (packed.model_type, packed.general_name, packed.title) == ("llama", "Qwen3 8B", None)


def test_the_readme_changes_neither_wholeness_nor_fingerprint() -> None:
    """Whatever is in it: a model is approved for what is loaded from it."""
    without = making.verdict(making.llama())
    assert without.whole
    for readme in (
        Readme("one", ("Name",)),
        Readme("two"),
        making.unusable(Fault.EMPTY),
        making.pointer(),
    ):
        verdict = making.verdict(making.llama() | {"README.md": readme})
        assert (verdict.whole, verdict.fingerprint) == (True, without.fingerprint)


def test_hints_of_another_revision_differ_only_by_the_ref() -> None:
    """`main` needs no word; another ref's revision is told apart by it."""
    main = Hints(CACHED, refs=("main", "v1"))
    assert derive(main, {}).technical_name == "qwen3-8b"
    assert derive(replace(main, refs=("v1",)), {}).technical_name == "qwen3-8b-v1"
    assert slug(derive(replace(main, refs=()), {}).model_name) == "qwen3-8b"
