"""What a model was made from, as its folder states it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.annotations import with_bases, with_digests
from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.card.words.stated_names import hub_id, stated_name
from dxwatchd.core.findings import Source, findings, key_of
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder
from dxwatchd.core.naming import is_generic
from dxwatchd.core.provenance import Algorithm, Check, Checked, Digests, Expected, Origin
from dxwatchd.core.records import Base
from tests.card.conftest import Family

CONFIG = "config.json#/_name_or_path"
ADAPTER = "adapter_config.json#/base_model_name_or_path"
README = "README.md#base_model"
GPTQ = {"quantization_config": {"quant_method": "gptq", "bits": 4}}


def card(
    path: str = "me/own",
    *,
    layout: Layout = Layout.TRANSFORMERS,
    kind: Kind = Kind.MODEL,
    files: tuple[str, ...] = (),
    overrides: Mapping[str, object] | None = None,
    name: str = "",
    **inputs: Any,
) -> Card:
    """The card of a folder of which only these inputs are known."""
    model = ModelFolder(path, layout, kind, (), (), (), tuple(ModelFile(one, 1) for one in files))
    own = name or path.rpartition("/")[2]
    identity = Identity("t-1", own, path, path, "sha256:0", overrides=overrides or {})
    return build_card(CardInputs(model, **inputs), identity)


def told(made: Card) -> list[tuple[str, str | None, str]]:
    """Name, relation and source of each ancestor."""
    assert all(one.technical_name == "unresolved" for one in made.lineage)
    return [(one.name, one.relation, one.source) for one in made.lineage]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("gpt2", "gpt2"),
        (" Qwen/Qwen3-8B ", "Qwen/Qwen3-8B"),
        ("https://huggingface.co/Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("https://hf.co/Qwen/Qwen3-8B/tree/main?x=1", "Qwen/Qwen3-8B"),
        ("https://www.modelscope.cn/models/Qwen/Qwen3-8B", "Qwen/Qwen3-8B"),
        ("https://example.org/Qwen/Qwen3-8B", None),
        ("https://huggingface.co/Qwen", None),
        ("file:///etc/passwd", None),
        ("/data/models/Qwen2.5-7B-Instruct", "Qwen2.5-7B-Instruct"),
        ("/data/models/Qwen2.5-7B-Instruct/", "Qwen2.5-7B-Instruct"),
        ("./Qwen2.5-7B-Instruct", "Qwen2.5-7B-Instruct"),
        ("../x/Qwen2.5-7B-Instruct", "Qwen2.5-7B-Instruct"),
        ("~/Qwen2.5-7B-Instruct", "Qwen2.5-7B-Instruct"),
        ("models/Qwen2.5-7B-Instruct", "Qwen2.5-7B-Instruct"),
        ("C:\\models\\Qwen2.5-7B-Instruct", "Qwen2.5-7B-Instruct"),
        ("/c/modelscope/hub/Qwen/Qwen2___5-7B", "Qwen2.5-7B"),
        ("/c/hub/models--Qwen--Qwen3-8B/snapshots/" + "0" * 40, "Qwen/Qwen3-8B"),
        ("/out/run/checkpoint-900", None),
        ("run/checkpoint-900", None),
        ("acme/small", "acme/small"),
        ("acme/7B", "acme/7B"),
        ("small", None),
        ("/out/final/", None),
        ("/x/" + "a" * 40, None),
        ("C:\\", None),
        ("/", None),
        ("..", None),
        ("", None),
        ("12/34", None),
        ("x" * 501, None),
        ("a\nb", "a b"),
        (None, None),
        (7, None),
        (["Qwen/Qwen3-8B"], None),
        ({"a": 1}, None),
    ],
)
def test_names_that_folders_give_other_models(value: object, name: str | None) -> None:
    """A hub id stays; of an address and of somebody's path only what names a model; else nothing."""
    assert stated_name(value) == name


@given(st.text(max_size=600) | st.from_regex(r"(https?://)?[\w./\\~:-]{0,80}", fullmatch=True))
def test_a_name_is_short_one_line_and_no_path(value: str) -> None:
    """Whatever is stated: at most publisher and name, and the name of a name is itself."""
    name = stated_name(value)
    if name is not None:
        assert len(name) <= 200
        assert name.isprintable()
        assert name.count("/") <= 1
        assert ".." not in name.split("/")
        assert "/" in name or not is_generic(name)
        assert stated_name(name) == name


@pytest.mark.parametrize("value", ["output/Qwen", "a/b/c", "a", "/a/b", "./b", "a/", "Qwen/final", "~/x"])
def test_what_is_no_hub_id(value: str) -> None:
    """Paths, and ids that say nothing."""
    assert hub_id(value) is None


def test_an_adapter_names_its_base() -> None:
    """By the id in its configuration; the card says so, and that it is not resolved."""
    documents = {"adapter_config.json": {"base_model_name_or_path": "Qwen/Qwen3-8B", "r": 8}}
    made = card(layout=Layout.PEFT, kind=Kind.ADAPTER, documents=documents)
    assert told(made) == [("Qwen/Qwen3-8B", "adapter", ADAPTER)]
    assert made.adapter is not None
    assert made.adapter.base_model_resolved == "unresolved"
    assert made.sources["lineage"] == ADAPTER
    assert made.sources["adapter.base_model_resolved"] == "derived: lineage"


def test_an_adapter_of_a_path_that_tells_no_name() -> None:
    """Unresolved and not none, since it has a base; the warning shows the path."""
    documents = {"adapter_config.json": {"base_model_name_or_path": "/root/out/checkpoint-900"}}
    made = card(layout=Layout.PEFT, kind=Kind.ADAPTER, documents=documents)
    assert made.lineage == ()
    assert made.adapter is not None
    assert made.adapter.base_model_resolved == "unresolved"
    assert any("checkpoint-900" in warning for warning in made.warnings)


def test_an_adapter_that_names_no_base() -> None:
    """None, which is not the same as unresolved; no warning, for there is nothing to mend."""
    for document in ({"r": 8}, {"base_model_name_or_path": None}, {"base_model_name_or_path": ""}):
        made = card(layout=Layout.PEFT, kind=Kind.ADAPTER, documents={"adapter_config.json": document})
        assert made.lineage == ()
        assert made.adapter is not None
        assert made.adapter.base_model_resolved is None
        assert made.warnings == ()


def test_what_adapter_and_readme_both_name_stands_once() -> None:
    """The statement with the publisher is kept, in the first one's place."""
    documents = {"adapter_config.json": {"base_model_name_or_path": "/data/Qwen3-8B"}}
    made = card(
        layout=Layout.PEFT,
        kind=Kind.ADAPTER,
        documents=documents,
        front_matter={"base_model": ["Qwen/Qwen3-8B", "x/other"]},
    )
    assert told(made) == [("Qwen/Qwen3-8B", "adapter", README), ("x/other", "adapter", README)]


@pytest.mark.parametrize(
    ("front", "more", "relations"),
    [
        ({"base_model": "a/b"}, {}, ["finetune"]),
        ({"base_model": ["a/b"]}, {}, ["finetune"]),
        ({"base_model": ["a/b", "c/d"]}, {}, [None, None]),
        ({"base_model": ["a/b", "c/d"], "tags": ["Merge"]}, {}, ["merge", "merge"]),
        ({"base_model": ["a/b", "c/d"]}, {"files": ("mergekit_config.yml",)}, ["merge", "merge"]),
        ({"base_model": "a/b", "base_model_relation": "Quantized"}, {}, ["quantized"]),
        ({"base_model": "a/b", "base_model_relation": "cousin"}, {}, ["finetune"]),
        ({"base_model": "a/b"}, {"documents": {"config.json": GPTQ}}, ["quantized"]),
        ({"base_model": "a/b", "tags": ["merge"]}, {"documents": {"config.json": GPTQ}}, ["quantized"]),
        ({"base_model": ["a/b", "c/d"]}, {"documents": {"config.json": GPTQ}}, [None, None]),
        ({"base_model": "a/b"}, {"layout": Layout.ONNX}, ["conversion"]),
        ({"base_model": "a/b"}, {"layout": Layout.GGUF}, ["conversion"]),
        (
            {"base_model": "a/b"},
            {"path": "run/checkpoint-9", "files": ("trainer_state.json",)},
            ["checkpoint"],
        ),
    ],
)
def test_the_relation_is_the_readmes_or_what_the_folder_is(
    front: dict[str, object], more: dict[str, Any], relations: list[str | None]
) -> None:
    """Only where several bases may mean anything is it not told."""
    made = card(front_matter=front, **more)
    assert [one.relation for one in made.lineage] == relations
    assert {one.source for one in made.lineage} == {README}


def test_a_base_in_the_readme_that_names_nothing_is_told() -> None:
    """The others are kept."""
    made = card(front_matter={"base_model": ["/out/final", "a/b"]})
    assert told(made) == [("a/b", "finetune", README)]
    assert any("/out/final" in warning for warning in made.warnings)


def test_a_gguf_header_names_source_and_bases() -> None:
    """The source is what was converted; how a base of that relates to this model is not told."""
    metadata = {
        "general.architecture": "llama",
        "general.source.repo_url": "https://huggingface.co/Qwen/Qwen3-8B",
        "general.base_model.count": 3,
        "general.base_model.0.name": "Qwen3 8B Base",
        "general.base_model.0.repo_url": "https://huggingface.co/Qwen/Qwen3-8B-Base",
        "general.base_model.1.name": "Other Base",
        "general.base_model.2.organization": "Nobody",
    }
    made = card(layout=Layout.GGUF, gguf_metadata=metadata, tensors={"m.gguf": ()})
    assert told(made) == [
        ("Qwen/Qwen3-8B", "conversion", "m.gguf#general.source.repo_url"),
        ("Qwen/Qwen3-8B-Base", None, "m.gguf#general.base_model.0.repo_url"),
        ("Other Base", None, "m.gguf#general.base_model.1.name"),
    ]


@pytest.mark.parametrize("count", [-1, 2**40, "3", True, 1.5, None])
def test_a_gguf_count_is_bounded(count: Any) -> None:
    """A header that promises more bases than it names costs nothing."""
    metadata = {"general.base_model.count": count, "general.base_model.0.name": "B-1"}
    assert len(card(layout=Layout.GGUF, gguf_metadata=metadata).lineage) <= 1


@pytest.mark.parametrize(
    ("path", "stated", "names"),
    [
        ("me/my-qwen", "Qwen/Qwen3-8B", ["Qwen/Qwen3-8B"]),
        ("Qwen3-8B-AWQ", "Qwen/Qwen3-8B", ["Qwen/Qwen3-8B"]),
        ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", []),
        ("mirror/qwen3_8b", "Qwen/Qwen3-8B", []),
        ("phi3-mini-128k", "microsoft/Phi-3-mini-128k-instruct", []),
        ("models--Qwen--Qwen3-8B/snapshots/" + "0" * 40, "Qwen/Qwen3-8B", []),
        ("me/my-qwen", "/root/Qwen3-8B", []),
        ("me/my-qwen", "output/Qwen3-8B", []),
        ("me/my-qwen", "Qwen3-8B", []),
    ],
)
def test_a_config_names_what_it_was_loaded_from(path: str, stated: str, names: list[str]) -> None:
    """Only as a hub id, and only where it cannot be the model's own; the relation is not told."""
    made = card(path, documents={"config.json": {"_name_or_path": stated}})
    assert told(made) == [(name, None, CONFIG) for name in names]


def test_a_config_counts_only_where_nothing_else_is_stated() -> None:
    """The README's author knows better than whatever saved the weights."""
    documents = {"config.json": {"_name_or_path": "x/older"}}
    assert told(card(documents=documents, front_matter={"base_model": "a/b"})) == [
        ("a/b", "finetune", README)
    ]


def test_a_checkpoint_is_one_of_what_was_loaded() -> None:
    """Its name says nothing, and is often derived from the very base that it names."""
    path, documents = "run/checkpoint-900", {"config.json": {"_name_or_path": "Qwen/Qwen3-8B"}}
    made = card(path, name="Qwen3-8B", files=("trainer_state.json",), documents=documents)
    assert told(made) == [("Qwen/Qwen3-8B", "checkpoint", CONFIG)]
    assert told(card(path, name="Qwen3-8B", documents=documents)) == []


def test_a_persons_word_stands_alone() -> None:
    """`base_model` in the manifest replaces what the folder states, relation included."""
    documents = {"adapter_config.json": {"base_model_name_or_path": "x/y"}}
    made = card(
        layout=Layout.PEFT, kind=Kind.ADAPTER, documents=documents, overrides={"base_model": "qwen3-8b"}
    )
    assert told(made) == [("qwen3-8b", "adapter", "manifest")]
    overrides = {"base_model": ["a", "https://huggingface.co/b/c"], "base_model_relation": "merge"}
    assert told(card(overrides=overrides)) == [("a", "merge", "manifest"), ("b/c", "merge", "manifest")]
    assert told(card(overrides={"base_model": []}, front_matter={"base_model": "a/b"})) != []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING, st.sampled_from(list(Layout)), st.sampled_from(list(Kind)))
def test_hostile_statements_make_no_card_fail(
    name: object, base: object, relation: object, path: object, layout: Layout, kind: Kind
) -> None:
    """Any value of any type: a card that can be written and read, with bounded names of one line."""
    made = card(
        layout=layout,
        kind=kind,
        documents={
            "config.json": {"_name_or_path": path},
            "adapter_config.json": {"base_model_name_or_path": name},
        },
        front_matter={"base_model": base, "base_model_relation": relation, "tags": base},
        gguf_metadata={"general.base_model.count": 2, "general.base_model.1.name": str(name)},
    )
    assert parse(dump(made)) == made
    assert len(made.lineage) <= 64
    for one in made.lineage:
        assert one.name.isprintable()
        assert len(one.name) <= 200
        assert one.relation in (None, "adapter", "finetune", "quantized", "merge", "checkpoint", "conversion")


def test_bases_are_resolved_without_the_folder() -> None:
    """The adapter's own field mirrors them; going back to unresolved gives the first card again."""
    documents = {"adapter_config.json": {"base_model_name_or_path": "Qwen/Qwen3-8B"}}
    made = card(
        layout=Layout.PEFT, kind=Kind.ADAPTER, documents=documents, front_matter={"base_model": "x/y"}
    )
    resolved = with_bases(made, [Base("Qwen/Qwen3-8B", "qwen3-8b"), Base("x/y")])
    assert [one.technical_name for one in resolved.lineage] == ["qwen3-8b", "unresolved"]
    assert resolved.adapter is not None
    assert resolved.adapter.base_model_resolved == "qwen3-8b"
    assert with_bases(resolved, [Base("Qwen/Qwen3-8B"), Base("x/y")]) == made
    with pytest.raises(ValueError, match="zip"):
        with_bases(made, [Base("x/y")])


def test_names_that_look_alike_keep_their_own_digests() -> None:
    """Two names that are no UTF-8 are one in a card; the digests stay in the order of the files."""
    names = ("odd\udcfe.bin", "odd\udcff.bin")
    digests = ("ab" * 32, "cd" * 32)
    model = ModelFolder(
        "m", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), tuple(ModelFile(one, 1) for one in names)
    )
    checked = tuple(
        Checked(name, Check.COMPUTED, None, Digests(digest))
        for name, digest in zip(names, digests, strict=True)
    )
    found = findings(model, checked)
    assert found is not None
    files = with_digests(card(files=names), found).files
    assert [file.digest for file in files] == [f"sha256:{digest}" for digest in digests]
    assert key_of("computed", [(file.name, str(file.digest)[7:]) for file in files], (), ()) == found.key


def test_digests_are_written_into_a_card() -> None:
    """Each file's, the whole's status, and where a download told them; names that are no UTF-8 too."""
    odd = "odd\udcff.bin"
    made = card(files=("config.json", odd))
    good, bad = "ab" * 32, "cd" * 32
    expected = Expected(Algorithm.SHA256, good, Origin.HUB_METADATA, "0" * 40)
    checked = (
        Checked("config.json", Check.VERIFIED, expected, Digests(good)),
        Checked(odd, Check.MISMATCH, expected, Digests(bad)),
    )
    model = ModelFolder(
        "m", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), (ModelFile("config.json", 1), ModelFile(odd, 1))
    )
    found = findings(model, checked)
    assert found is not None
    digested = with_digests(made, found)
    assert [file.digest for file in digested.files] == [f"sha256:{good}", f"sha256:{bad}"]
    assert digested.integrity.status == "mismatch"
    assert digested.integrity.mismatched_files == ("odd?.bin",)
    (told_by,) = digested.integrity.provenance
    assert Source(told_by.source, told_by.commit, told_by.files) == Source(
        "huggingface_hub download metadata", "0" * 40, 2
    )
    assert "huggingface_hub download metadata" in digested.sources["integrity.status"]
    assert parse(dump(digested)) == digested
    assert made.integrity.status == "pending"


EXPECTED = {
    "lora-glm4": [("glm-4-9b-chat", "adapter")],
    "lora-hy-mt": [("tencent/HY-MT1.5-1.8B", "adapter")],
    "genz-70b-gptq": [("budecosystem/genz-70b", "quantized")],
    "molmo-7b-nf4": [("allenai/Molmo-7B-D-0924", "quantized")],
    "qwen3-14b-mlx-4bit": [("Qwen/Qwen3-14B", "quantized")],
    "medgemma-27b-it": [("google/gemma-3-27b-pt", "finetune")],
    "wizardcoder-15b-gptq": [("bigcode/starcoder", None)],  # the grandparent: no quantisation of it
    "llama2-7b-hf": [],
    "chatglm3-6b": [],
    "deepseek-ocr2": [],
    "marian-romance-en-tf": [],
}


def of_family(one: Family) -> Card:
    model = replace(one.inputs.model, path=one.name)
    return build_card(
        replace(one.inputs, model=model), Identity(one.name, one.name, one.name, one.name, "sha256:0")
    )


@pytest.mark.parametrize("name", EXPECTED)
def test_real_folders(family: Callable[[str], Family], name: str) -> None:
    """Adapters, quantised and fine-tuned models name what they were made from, publishers' own do not."""
    assert [(one.name, one.relation) for one in of_family(family(name)).lineage] == EXPECTED[name]


@pytest.mark.oracle
def test_every_adapter_and_readme_of_the_corpus(families: Callable[[], Iterator[Family]]) -> None:
    """The base is the one that PEFT and huggingface_hub read there."""
    seen = 0
    for one in families():
        stated: list[str] = []
        for document in (one.expected.get("adapters") or {}).values():
            stated += [document["base_model_name_or_path"]] if document.get("base_model_name_or_path") else []
        for readme in (one.expected.get("model_cards") or {}).values():
            base = readme.get("base_model") or []
            stated += [base] if isinstance(base, str) else base
        names = [ancestor.name for ancestor in of_family(one).lineage]
        for value in stated:
            seen += 1
            assert any(value.endswith(name) for name in names), (one.name, value, names)
    assert seen >= 12
