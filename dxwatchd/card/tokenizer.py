"""Tokenizer class, special tokens and chat templates. Templates are hashed and searched, never rendered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from dxwatchd.card.context import UNSET
from dxwatchd.card.parts import ChatTemplate, Tokenizer
from dxwatchd.card.values import LIST_LIMIT, Notes, at, clean, integer, text

CONFIG = "tokenizer_config.json"
_SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token")
_FLAGS = (("tools", ("tools",)), ("thinking", ("enable_thinking", "<think>")), ("system", ("system",)))


def chat_template(name: str, source: str, template: str) -> ChatTemplate:
    """A template's entry. sha256: of its UTF-8 text; flags: which words stand in it."""
    flags = tuple(flag for flag, words in _FLAGS if any(word in template for word in words))
    digest = hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest()
    return ChatTemplate(name=clean(name) or "default", source=source, sha256=digest, flags=flags)


def tokenizer(documents: Mapping[str, object], texts: Mapping[str, str], notes: Notes) -> Tokenizer:
    """The tokenizer as its config files state it."""
    config = documents.get(CONFIG)
    name = None
    for file in (CONFIG, "config.json"):
        name = name or text(at(documents.get(file), "tokenizer_class"))
        if name:
            notes.source("tokenizer.tokenizer_class", f"{file}#/tokenizer_class")
            break
    limit = integer(at(config, "model_max_length"), 1)
    limit = None if limit is None or limit >= UNSET else limit
    if limit:
        notes.source("tokenizer.model_max_length", f"{CONFIG}#/model_max_length")
    tokens: dict[str, str | None] = dict.fromkeys(_SPECIAL)
    for key in _SPECIAL:
        for file in (CONFIG, "special_tokens_map.json"):
            value = at(documents.get(file), key)
            tokens[key] = text(value) or text(at(value, "content"))
            if tokens[key]:
                notes.source(f"tokenizer.{key}", f"{file}#/{key}")
                break
    templates = tuple(_templates(documents, texts))[:LIST_LIMIT]
    if templates:
        notes.source("tokenizer.chat_templates", templates[0].source)
    return Tokenizer(tokenizer_class=name, model_max_length=limit, chat_templates=templates, **tokens)


def _templates(documents: Mapping[str, object], texts: Mapping[str, str]) -> Iterator[ChatTemplate]:
    """Files of their own prevail over what stands in tokenizer_config.json."""
    if texts:
        for file in sorted(texts, key=lambda name: (name != "chat_template.jinja", name)):
            stem = file.rpartition("/")[2].removesuffix(".jinja")
            yield chat_template("default" if stem == "chat_template" else stem, clean(file), texts[file])
        return
    for file in (CONFIG, "chat_template.json"):
        stated = at(documents.get(file), "chat_template")
        source = f"{file}#/chat_template"
        if isinstance(stated, str):
            yield chat_template("default", source, stated)
            return
        if isinstance(stated, list):
            found = [(at(item, "name"), at(item, "template")) for item in stated[:LIST_LIMIT]]
            named = [(name, body) for name, body in found if isinstance(name, str) and isinstance(body, str)]
            yield from (chat_template(name, source, body) for name, body in named)
            if named:
                return
