"""The tokenizer's part: tokens as transformers resolves them, which templates count, digests and flags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.loading.chat_templates import chat_template, chat_templates
from dxwatchd.card.loading.tokenizer import tokenizer, tokenizer_files
from dxwatchd.card.parts import Tokenizer
from dxwatchd.card.values import Notes
from dxwatchd.cardmaking import read_inputs
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder


def made(config: object = None, stated_map: object = None, notes: Notes | None = None) -> Tokenizer:
    """The part for these two files; None is no file."""
    documents = {"tokenizer_config.json": config, "special_tokens_map.json": stated_map}
    present = {name: value for name, value in documents.items() if value is not None}
    return tokenizer(present, {}, notes or Notes())


@pytest.mark.parametrize(
    ("config", "stated_map", "token", "source"),
    [
        ({"eos_token": "a"}, None, "a", "tokenizer_config.json#/eos_token"),
        ({"eos_token": {"content": "a"}}, None, "a", "tokenizer_config.json#/eos_token"),
        ({"eos_token": "a"}, {"eos_token": "b"}, "b", "special_tokens_map.json#/eos_token"),
        (
            {"eos_token": "a", "added_tokens_decoder": {}},
            {"eos_token": "b"},
            "a",
            "tokenizer_config.json#/eos_token",
        ),
        ({"eos_token": None, "added_tokens_decoder": {}}, {"eos_token": "b"}, None, None),
        ({"eos_token": None}, {"eos_token": "b"}, "b", "special_tokens_map.json#/eos_token"),
        (None, {"eos_token": {"content": "b"}}, "b", "special_tokens_map.json#/eos_token"),
        ({"eos_token": "\n"}, None, "\n", "tokenizer_config.json#/eos_token"),
        ({"eos_token": " </s> "}, None, " </s> ", "tokenizer_config.json#/eos_token"),
        ({"eos_token": "x" * 500}, None, None, None),
        ({"eos_token": ["a"]}, {"eos_token": 3}, None, None),
    ],
)
def test_special_token(config: object, stated_map: object, token: str | None, source: str | None) -> None:
    """special_tokens_map.json prevails, but where transformers does not read it; spaces belong to a token."""
    notes = Notes()
    assert made(config, stated_map, notes).eos_token == token
    assert notes.sources.get("tokenizer.eos_token") == source


def test_tokens_of_ctranslate2() -> None:
    """They stand in its config.json, which nothing is taken from beside a tokenizer's own."""
    documents: dict[str, object] = {
        "config.json": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": None}
    }
    notes = Notes()
    part = tokenizer(documents, {}, notes)
    assert (part.bos_token, part.eos_token, part.unk_token) == ("<s>", "</s>", None)
    assert notes.sources["tokenizer.bos_token"] == "config.json#/bos_token"
    assert tokenizer({**documents, "tokenizer_config.json": {}}, {}, Notes()).bos_token is None


def test_two_files_that_differ_are_a_conflict() -> None:
    """Both statements are listed, the one that is taken first."""
    notes = Notes()
    made({"pad_token": "a"}, {"pad_token": "b", "cls_token": "c"}, notes)
    assert notes.conflicts == [
        (
            "tokenizer.pad_token",
            (("special_tokens_map.json#/pad_token", "b"), ("tokenizer_config.json#/pad_token", "a")),
        )
    ]


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"additional_special_tokens": ["<a>", {"content": "<b>"}, "<a>", 3]}, ("<a>", "<b>")),
        ({"extra_special_tokens": ["<c>"], "additional_special_tokens": ["<a>"]}, ("<c>",)),
        ({"extra_special_tokens": {}, "additional_special_tokens": ["<a>"]}, ("<a>",)),
        ({"extra_special_tokens": {"image_token": "<i>"}}, ("<i>",)),
        (
            {"extra_special_tokens": {"image_token": "<i>"}, "additional_special_tokens": ["<a>", "<i>"]},
            ("<a>", "<i>"),
        ),
        (
            {"extra_special_tokens": ["<a>"], "model_specific_special_tokens": {"image_token": "<i>"}},
            ("<a>", "<i>"),
        ),
        ({"extra_special_tokens": [3], "additional_special_tokens": [None]}, ()),
        ({"additional_special_tokens": None}, ()),
        ({"additional_special_tokens": "x"}, ()),
        (
            {"additional_special_tokens": [f"<{at}>" for at in range(300)]},
            tuple(f"<{at}>" for at in range(300)),
        ),
    ],
)
def test_further_special_tokens(config: object, tokens: tuple[str, ...]) -> None:
    """In a list or by name, under the newer or the older key, all of them."""
    assert made(config).additional_special_tokens == tokens


def test_too_many_tokens_are_said() -> None:
    """A list beyond the bound is cut with a warning."""
    notes = Notes()
    part = made({"additional_special_tokens": [f"<{at}>" for at in range(5000)]}, None, notes)
    assert len(part.additional_special_tokens) == 1024
    assert any("the first 1,024" in warning for warning in notes.warnings)


def test_switches_and_files() -> None:
    """Only booleans are switches; only vocabularies and merges of the folder itself are tokenizer files."""
    part = made({"add_bos_token": True, "add_eos_token": "no"})
    assert (part.add_bos_token, part.add_eos_token) == (True, None)
    notes = Notes()
    names = ["vocab.json", "model.safetensors", "merges.txt", "tokenizer/vocab.json", "tekken.json"]
    assert tokenizer_files(names, notes) == ("merges.txt", "tekken.json", "vocab.json")
    assert notes.sources == {"tokenizer.tokenizer_files": "files"}
    assert tokenizer_files(["a"], Notes()) == ()


@pytest.mark.parametrize(
    ("template", "flags"),
    [
        ("{% if tools %}x{% endif %}", {"tools"}),
        ("use toolstation", set()),
        ("{{ '<think>' }}", {"thinking"}),
        ("{% if enable_thinking is false %}", {"thinking"}),
        ("{{ message.reasoning_content }}", {"thinking"}),
        ("Think step by step, I am thinking about it", {"thinking"}),
        ("let us think", set()),
        ("{% if messages[0].role == 'system' %}", {"system"}),
        ("{% generation %}{{ x }}{% endgeneration %}", {"generation"}),
        ("{%- generation -%}", {"generation"}),
        ("{% if add_generation_prompt %}", set()),
        ("{% if item.type == 'image' %}<|image_pad|>", {"images"}),
        ("{% for document in documents %}", {"documents"}),
        ("", set()),
    ],
)
def test_flags_of_a_template(template: str, flags: set[str]) -> None:
    """What stands in it, as words, not as parts of other words."""
    assert set(chat_template("default", "x", template).flags) == flags


_SOURCES = [
    ({"chat_template.jinja": "J"}, {"tokenizer_config.json": {"chat_template": "T"}}, [("default", "J")]),
    (
        {"chat_template.jinja": "J", "additional_chat_templates/rag.jinja": "R"},
        {},
        [("default", "J"), ("rag", "R")],
    ),
    ({"additional_chat_templates/chat_template.jinja": "R"}, {}, [("chat_template", "R")]),
    ({}, {"tokenizer_config.json": {"chat_template": "T"}}, [("default", "T")]),
    (
        {},
        {"tokenizer_config.json": {"chat_template": [{"name": "a", "template": "A"}, {"name": "b"}, 3]}},
        [("a", "A")],
    ),
    (
        {},
        {"tokenizer_config.json": {"chat_template": {"default": "D", "tool_use": "U"}}},
        [("default", "D"), ("tool_use", "U")],
    ),
    (
        {},
        {"tokenizer_config.json": {"chat_template": "T"}, "chat_template.json": {"chat_template": "P"}},
        [("default", "T"), ("default", "P")],
    ),
    ({"chat_template.jinja": "J"}, {"chat_template.json": {"chat_template": "P"}}, [("default", "J")]),
    ({}, {"tokenizer_config.json": {"chat_template": 3}}, []),
]


@pytest.mark.parametrize(("texts", "documents", "wanted"), _SOURCES)
def test_which_templates_count(
    texts: dict[str, str], documents: dict[str, object], wanted: list[tuple[str, str]]
) -> None:
    """Files of their own before the config's; a processor's beside it, named by where it stands."""
    found = chat_templates(documents, texts)
    digests = [(name, hashlib.sha256(body.encode()).hexdigest()) for name, body in wanted]
    assert [(each.name, each.sha256) for each in found] == digests


@given(st.binary(max_size=200))
def test_a_digest_is_of_the_files_bytes(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever they are: byte order marks, line ends, bytes that are no UTF-8."""
    root = tmp_path_factory.mktemp("root")
    (root / "m").mkdir()
    (root / "m" / "chat_template.jinja").write_bytes(data)
    file = ModelFile("chat_template.jinja", len(data))
    inputs = read_inputs(root, ModelFolder("m", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), (file,)))
    (template,) = chat_templates({}, inputs.texts)
    assert template.sha256 == hashlib.sha256(data).hexdigest()


def test_a_template_of_lone_surrogates_has_a_digest() -> None:
    """JSON's escapes can make text that no UTF-8 stands for."""
    assert len(chat_template("a", "b", "\ud800x").sha256) == 64


# ---- transformers itself reads the same files

_TOKENS = ["<unk>", "<s>", "</s>", "<pad>", "<x>", "<y>", "<z>", "hello"]
_KEYS = ("bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_CONTENT = st.sampled_from(_TOKENS[:7])
_IN_CONFIG = st.dictionaries(
    st.sampled_from(_KEYS), _CONTENT | _CONTENT.map(lambda text: {"__type": "AddedToken", "content": text})
)
_IN_MAP = st.dictionaries(
    st.sampled_from(_KEYS), _CONTENT | _CONTENT.map(lambda text: {"content": text, "lstrip": False})
)


def _write(folder: Path, config: Mapping[str, Any], stated_map: Mapping[str, Any] | None) -> None:
    """A folder with a real tokenizer of a few words."""
    from tokenizers import Tokenizer as Engine
    from tokenizers.models import WordLevel

    engine = Engine(WordLevel({token: at for at, token in enumerate(_TOKENS)}, unk_token="<unk>"))
    engine.save(str(folder / "tokenizer.json"))
    content = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    if stated_map is not None:
        (folder / "special_tokens_map.json").write_text(json.dumps(stated_map))


def _documents(folder: Path) -> Iterator[tuple[str, object]]:
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            yield name, json.loads((folder / name).read_bytes())


@pytest.mark.oracle
@given(
    config=_IN_CONFIG,
    stated_map=st.none() | _IN_MAP,
    decoder=st.booleans(),
    limit=st.sampled_from([512, 10**30]),
)
def test_tokens_are_what_transformers_takes(
    tmp_path_factory: pytest.TempPathFactory,
    config: dict[str, Any],
    stated_map: dict[str, Any] | None,
    decoder: bool,
    limit: int,
) -> None:
    """Whichever of the two files states which token, in either form, with and without the newer key."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("tokenizer")
    newer = {"added_tokens_decoder": {"4": {"content": "<x>", "special": True}}} if decoder else {}
    _write(folder, {**config, **newer, "model_max_length": limit}, stated_map)
    oracle = AutoTokenizer.from_pretrained(folder)
    part = tokenizer(dict(_documents(folder)), {}, Notes())
    assert part.model_max_length == (512 if limit == 512 else None)
    for key in _KEYS:
        if decoder and key not in config:
            continue  # transformers leaves it unset, though the map states it: the card gives what is stated
        assert getattr(part, key) == getattr(oracle, key), key


@pytest.mark.oracle
@pytest.mark.parametrize(
    "files",
    [
        {"chat_template.jinja": "J", "tokenizer_config.json": "T"},
        {
            "chat_template.jinja": "J",
            "additional_chat_templates/rag.jinja": "R",
            "tokenizer_config.json": "T",
        },
        {"additional_chat_templates/rag.jinja": "R", "tokenizer_config.json": "T"},
        {"tokenizer_config.json": "T"},
        {
            "tokenizer_config.json": [
                {"name": "default", "template": "D"},
                {"name": "tool_use", "template": "U"},
            ]
        },
        {},
    ],
)
def test_templates_are_those_that_transformers_takes(tmp_path: Path, files: dict[str, Any]) -> None:
    """By name and by content."""
    from transformers import AutoTokenizer

    (tmp_path / "additional_chat_templates").mkdir()
    stated = files.get("tokenizer_config.json")
    _write(tmp_path, {"chat_template": stated} if stated else {}, None)
    texts = {name: body for name, body in files.items() if name.endswith(".jinja")}
    for name, body in texts.items():
        (tmp_path / name).write_text(body)
    oracle = AutoTokenizer.from_pretrained(tmp_path).chat_template
    wanted = oracle if isinstance(oracle, dict) else {"default": oracle} if oracle else {}
    found = chat_templates(dict(_documents(tmp_path)), texts)
    assert {each.name: each.sha256 for each in found} == {
        name: hashlib.sha256(body.encode()).hexdigest() for name, body in wanted.items()
    }


@pytest.mark.oracle
def test_a_real_tokenizer(real_model: Path) -> None:
    """all-MiniLM's: class, limit and all tokens."""
    from transformers import AutoTokenizer

    oracle = AutoTokenizer.from_pretrained(real_model)
    names = [file.name for file in real_model.iterdir()]
    part = tokenizer(dict(_documents(real_model)), {}, Notes(), names)
    assert part.model_max_length == oracle.model_max_length
    assert "tokenizer.json" in part.tokenizer_files
    for key in _KEYS:
        assert getattr(part, key) == getattr(oracle, key), key
