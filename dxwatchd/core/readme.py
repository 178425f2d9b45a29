"""What a README is made of: sections, and the words of a line without its markup."""

from __future__ import annotations

import re
from typing import NamedTuple

_TAG = re.compile(r"<[^<>]*>")
_IMAGE = re.compile(r"!\[[^\[\]]*\]\([^()]*\)")
_LINK = re.compile(r"\[([^\[\]]*)\](?:\([^()]*\))")
_EMPHASIS = re.compile(r"(?<![\w*])[*_](?=\S)([^*_]+)(?<=\S)[*_](?![\w*])")


class Section(NamedTuple):
    """A heading and what stands below it, up to the next heading of any level.

    level: 1 for "#", 0 for what comes before the first heading; heading: as plain text; text: the lines
    outside of code and comments, markup and all; code: those inside of fences.
    """

    level: int
    heading: str
    text: str
    code: str


def without_markup(line: str) -> str:
    """The words of one line: links and tags taken off, images left out, white space made single."""
    text = _TAG.sub(" ", _LINK.sub(r"\1", _IMAGE.sub("", line)))
    text = _EMPHASIS.sub(r"\1", text.replace("**", "").replace("__", "").replace("`", ""))
    return "".join(character for character in " ".join(text.split()) if character.isprintable())
