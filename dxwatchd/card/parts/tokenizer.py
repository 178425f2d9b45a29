"""What turns text into tokens."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part, Size


class ChatTemplate(Part):
    """A template, never rendered.

    name: "default" or its own; source: the file; sha256: of its UTF-8 text; flags: what it mentions
    ("tools", "thinking", "system").
    """

    name: str
    source: str
    sha256: str
    flags: tuple[str, ...] = ()


class Tokenizer(Part):
    """model_max_length: in tokens, None where it is only a placeholder; tokens: as text."""

    tokenizer_class: str | None = None
    model_max_length: Size | None = None
    bos_token: str | None = None
    eos_token: str | None = None
    pad_token: str | None = None
    unk_token: str | None = None
    chat_templates: tuple[ChatTemplate, ...] = ()
