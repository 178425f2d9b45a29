"""Chat templates: which of them count, their digests, and the words in them. None is ever rendered."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

from dxwatchd.card.parts import ChatTemplate
from dxwatchd.card.values import LIST_LIMIT, at, clean
from dxwatchd.core.snapshot import basename

CONFIG = "tokenizer_config.json"
JINJA = "chat_template.jinja"

_FLAGS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("tools", re.compile(r"\btools\b|\btool_calls\b|\bavailable_tools\b", re.IGNORECASE)),
    (
        "thinking",
        re.compile(r"</?think>|\bthinking\b|\w_thinking\b|\breasoning_(?:content|effort)\b|\[THINK\]"),
    ),
    ("system", re.compile(r"system", re.IGNORECASE)),
    ("images", re.compile(r"\bimages?\b|image_url|image_pad|<image|vision_start|IMG", re.IGNORECASE)),
    ("documents", re.compile(r"\bdocuments\b")),
    ("generation", re.compile(r"\{%[-+]?\s{0,8}generation\s{0,8}[-+]?%\}")),
)
"""Flag → what stands in a template that has it."""


def chat_template(name: str, source: str, template: str) -> ChatTemplate:
    """A template's entry. sha256: of its bytes in UTF-8; flags: which words stand in it."""
    flags = tuple(flag for flag, words in _FLAGS if words.search(template))
    digest = hashlib.sha256(_bytes(template)).hexdigest()
    return ChatTemplate(name=clean(name) or "default", source=source, sha256=digest, flags=flags)


def chat_templates(documents: Mapping[str, object], texts: Mapping[str, str]) -> tuple[ChatTemplate, ...]:
    """Those that transformers takes: files of their own, else what stands in tokenizer_config.json.

    The processor's older chat_template.json counts beside the latter, as the processor asks for nothing else.
    Source: `PreTrainedTokenizerBase._from_pretrained`, `ProcessorMixin.get_processor_dict`.
    """
    if texts:
        return tuple(_files(texts))[:LIST_LIMIT]
    found = (*_stated(documents, CONFIG), *_stated(documents, "chat_template.json"))
    return found[:LIST_LIMIT]


def _files(texts: Mapping[str, str]) -> Iterator[ChatTemplate]:
    """The default first, then those of additional_chat_templates, which are named by their files."""
    for file in sorted(texts, key=lambda name: (name != JINJA, name)):
        stem = basename(file).removesuffix(".jinja")
        yield chat_template("default" if file == JINJA else stem, clean(file), texts[file])


def _stated(documents: Mapping[str, object], file: str) -> Iterator[ChatTemplate]:
    """One template, or several with their names, under the key `chat_template`."""
    stated = at(documents.get(file), "chat_template")
    source = f"{file}#/chat_template"
    if isinstance(stated, str):
        yield chat_template("default", source, stated)
    elif isinstance(stated, Mapping):
        for name, body in list(stated.items())[:LIST_LIMIT]:
            if isinstance(body, str):
                yield chat_template(str(name), source, body)
    elif isinstance(stated, list):
        for item in stated[:LIST_LIMIT]:
            name, body = at(item, "name"), at(item, "template")
            if isinstance(name, str) and isinstance(body, str):
                yield chat_template(name, source, body)


def _bytes(template: str) -> bytes:
    """The bytes that a file was read from, or that JSON's escapes stand for."""
    try:
        return template.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return template.encode("utf-8", "surrogatepass")
