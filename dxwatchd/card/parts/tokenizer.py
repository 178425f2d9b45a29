"""What turns text into tokens."""

from __future__ import annotations

from dxwatchd.card.parts.common import Part, Size


class ChatTemplate(Part):
    """A template, never rendered.

    name: "default" or its own; source: the file; sha256: of its UTF-8 text; flags: what it mentions:
    "tools", "thinking", "system" (a role), "images", "documents", "generation" (it marks what the assistant
    says, which training on its words alone asks for).
    """

    name: str
    source: str
    sha256: str
    flags: tuple[str, ...] = ()


class Tokenizer(Part):
    """model_max_length: in tokens, None where it is only a placeholder; tokens: as text.

    additional_special_tokens: further ones, under whichever key they are listed; add_bos_token,
    add_eos_token: as tokenizer_config.json or the GGUF header states, though a tokenizer.json may do
    otherwise; tokenizer_files: those that hold vocabulary or merges (a fast tokenizer is a "tokenizer.json").
    """

    tokenizer_class: str | None = None
    model_max_length: Size | None = None
    bos_token: str | None = None
    eos_token: str | None = None
    pad_token: str | None = None
    unk_token: str | None = None
    cls_token: str | None = None
    sep_token: str | None = None
    mask_token: str | None = None
    additional_special_tokens: tuple[str, ...] = ()
    add_bos_token: bool | None = None
    add_eos_token: bool | None = None
    tokenizer_files: tuple[str, ...] = ()
    chat_templates: tuple[ChatTemplate, ...] = ()
