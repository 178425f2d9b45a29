"""Tokenizer class, special tokens, limits and files, as the tokenizer's config files state them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

from dxwatchd.card.config.context import UNSET
from dxwatchd.card.loading.chat_templates import CONFIG, chat_templates
from dxwatchd.card.parts import Tokenizer
from dxwatchd.card.values import TEXT_LIMIT, Notes, at, boolean, encodable, integer, mapping, text
from dxwatchd.core.room import Room

MAP = "special_tokens_map.json"
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_FURTHER = ("extra_special_tokens", "additional_special_tokens")
"""Keys of lists of further tokens, the newer one first, which prevails."""
_NAMED = ("extra_special_tokens", "model_specific_special_tokens")
"""Keys of objects that give further tokens names of their own ("image_token")."""
_MOST_TOKENS = 1024  # further special tokens; real lists have up to 500
_ROOM = 128 * 1024  # bytes of them in the card
# fmt: off
_FILES = frozenset({
    "tokenizer.json", "tokenizer.model", "tokenizer.model.v3", "vocab.json", "vocab.txt",
    "merges.txt", "tekken.json", "spiece.model", "sentencepiece.bpe.model", "sentencepiece.model",
    "source.spm", "target.spm", "added_tokens.json", "tiktoken.model", "qwen.tiktoken", "vocab.bpe",
    "vocabulary.json", "vocabulary.txt", "spm.model",
})
# fmt: on


def tokenizer(
    documents: Mapping[str, object], texts: Mapping[str, str], notes: Notes, files: Iterable[str] = ()
) -> Tokenizer:
    """The tokenizer that a folder states; its vocabulary is not read. files: the names of the folder's."""
    config = documents.get(CONFIG)
    limit = integer(at(config, "model_max_length"), 1)
    limit = None if limit is None or limit >= UNSET else limit
    if limit:
        notes.source("tokenizer.model_max_length", f"{CONFIG}#/model_max_length")
    tokens = {key: _token(documents, key, notes) for key in _SPECIAL}
    adds = {key: boolean(at(config, key)) for key in ("add_bos_token", "add_eos_token")}
    for key, value in adds.items():
        if value is not None:
            notes.source(f"tokenizer.{key}", f"{CONFIG}#/{key}")
    templates = chat_templates(documents, texts)
    if templates:
        notes.source("tokenizer.chat_templates", templates[0].source)
    return Tokenizer(
        tokenizer_class=_class(documents, notes),
        model_max_length=limit,
        chat_templates=templates,
        additional_special_tokens=_further(documents, notes),
        add_bos_token=adds["add_bos_token"],
        add_eos_token=adds["add_eos_token"],
        tokenizer_files=tokenizer_files(files, notes),
        **tokens,
    )


def tokenizer_files(files: Iterable[str], notes: Notes) -> tuple[str, ...]:
    """Those of `files` that hold a tokenizer's vocabulary or merges; in the model's own folder alone."""
    found = tuple(sorted(name for name in files if name in _FILES))
    if found:
        notes.source("tokenizer.tokenizer_files", "files")
    return found


def _class(documents: Mapping[str, object], notes: Notes) -> str | None:
    for file in (CONFIG, "config.json"):
        name = text(at(documents.get(file), "tokenizer_class"))
        if name:
            notes.source("tokenizer.tokenizer_class", f"{file}#/tokenizer_class")
            return name
    return None


def _order(documents: Mapping[str, object]) -> tuple[str, str]:
    """The file that prevails, and the other.

    transformers merges special_tokens_map.json over tokenizer_config.json, unless the latter has
    `added_tokens_decoder`: then it does not read the former. Source: `_from_pretrained` of
    `PreTrainedTokenizerBase`.
    """
    return (CONFIG, MAP) if at(documents.get(CONFIG), "added_tokens_decoder") is not None else (MAP, CONFIG)


def _token(documents: Mapping[str, object], key: str, notes: Notes) -> str | None:
    """A token as a text, from a text or an object with `content`; two files that differ are a conflict."""
    first, second = _order(documents)
    states = [(file, _content(at(documents.get(file), key))) for file in (first, second)]
    stated = [(f"{file}#/{key}", token) for file, token in states if token]
    if len(stated) == 2 and stated[0][1] != stated[1][1]:
        notes.conflict(f"tokenizer.{key}", *stated)
    if first == CONFIG and CONFIG in documents and key in mapping(documents[CONFIG]):
        stated = [
            (source, token) for source, token in stated if source.startswith(CONFIG)
        ]  # null is an answer
    if not stated and CONFIG not in documents:
        stated = _of_ctranslate2(documents, key)
    if not stated:
        return None
    notes.source(f"tokenizer.{key}", stated[0][0])
    return stated[0][1]


def _of_ctranslate2(documents: Mapping[str, object], key: str) -> list[tuple[str, str]]:
    """CTranslate2 keeps the tokens that it needs as texts in its config.json."""
    token = _content(at(documents.get("config.json"), key))
    return [(f"config.json#/{key}", token)] if token else []


def _further(documents: Mapping[str, object], notes: Notes) -> tuple[str, ...]:
    """The list that prevails, and behind it the tokens with names of their own, each once.

    Source: `PreTrainedTokenizerBase`, which keeps both kinds side by side.
    """
    lists = (_listed(documents, file, key, list) for file in _order(documents) for key in _FURTHER)
    named = (_listed(documents, file, key, Mapping) for file in _order(documents) for key in _NAMED)
    tokens: dict[str, None] = {}
    sources = []
    for items, source in filter(None, (next(filter(None, lists), None), *named)):
        stated = list(filter(None, map(_content, items)))
        if stated:
            tokens.update(dict.fromkeys(stated))
            sources.append(source)
    room = Room(_ROOM)
    found = tuple(itertools.takewhile(room.takes, itertools.islice(tokens, _MOST_TOKENS)))
    if len(found) < len(tokens):
        notes.warn(f"there are more special tokens than a card holds; the first {len(found):,} are here")
    if found:
        notes.source("tokenizer.additional_special_tokens", ", ".join(sources))
    return found


def _listed(
    documents: Mapping[str, object],
    file: str,
    key: str,
    kind: type[list[object]] | type[Mapping[str, object]],
) -> tuple[list[object], str] | None:
    """What a list, or an object, of this key holds, and where that is; None where nothing is in it."""
    stated = at(documents.get(file), key)
    if not stated or not isinstance(stated, kind):
        return None
    items = list(stated.values()) if isinstance(stated, Mapping) else stated
    return items[: _MOST_TOKENS + 1], f"{file}#/{key}"


def _content(value: object) -> str | None:
    """A token as it is, with the spaces and line ends that may be part of it."""
    content = value if isinstance(value, str) else at(value, "content")
    if not isinstance(content, str) or not 0 < len(content) <= TEXT_LIMIT:
        return None
    return encodable(content)
