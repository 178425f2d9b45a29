"""The YAML front matter of a model's README, and the sections below it.

All scalars stay the strings they are written as: `license: no` is not false, `version: 1.10` not 1.1. A null,
however it is written, is the empty string.
Aliases are refused, since a few of them can stand for gigabytes; tags mean nothing here, so no object is
ever made of them.
Source: https://huggingface.co/docs/hub/model-cards#model-card-metadata
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeAlias

import yaml

from dxwatchd.core.facts import Fault
from dxwatchd.core.readme import Section
from dxwatchd.readers.errors import ReaderError, quoted
from dxwatchd.readers.reading import read_up_to
from dxwatchd.readers.readme import read_sections

YamlValue: TypeAlias = "str | list[YamlValue] | dict[str, YamlValue]"

LIMIT = 1024 * 1024  # bytes of the README that are looked at
MAX_FRONT_MATTER = 256 * 1024  # bytes
MAX_DEPTH = 32  # levels; the Hub's evaluation results have 8
MAX_WARNINGS = 20

_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_NULLS = frozenset({"~", "null", "Null", "NULL"})
"""Source: https://yaml.org/spec/1.2.2/#1032-tag-resolution"""


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """fields: of the front matter, none without one; sections: of what follows it."""

    fields: Mapping[str, YamlValue] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def title(self) -> str | None:
        """The first heading of the first level."""
        return next((section.heading for section in self.sections if section.level == 1), None)


def read_front_matter(stream: BinaryIO, *, limit: int = LIMIT) -> FrontMatter:
    """Reads the first `limit` bytes of a README.

    As for huggingface_hub's `ModelCard`, white space may stand before the front matter.
    Raises ReaderError: MALFORMED, with the line in the README, where the front matter is not valid YAML,
    has aliases or is nested too deeply; TOO_LARGE beyond `MAX_FRONT_MATTER`; UNREADABLE.
    """
    lines = _decoded(read_up_to(stream, limit)).splitlines()
    start = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
    if start == len(lines) or lines[start].strip() != "---":
        return FrontMatter(sections=read_sections(lines))
    inside = enumerate(lines[start + 1 :], start + 1)
    end = next((at for at, line in inside if line.rstrip() in ("---", "...")), None)
    if end is None:
        return FrontMatter(
            sections=read_sections(lines), warnings=("The front matter has no closing '---'.",)
        )
    text = "\n".join(lines[start + 1 : end]) + "\n"
    if len(text) > MAX_FRONT_MATTER or len(text.encode()) > MAX_FRONT_MATTER:
        raise ReaderError(Fault.TOO_LARGE, f"The front matter has more than {MAX_FRONT_MATTER} bytes.")
    warnings: list[str] = []
    value = _Builder(warnings, start + 2).build(text)
    if not isinstance(value, dict):
        if value:  # prose between two rules, no front matter
            warnings.append("What stands between the first two '---' lines is not a mapping.")
        value = {}
    return FrontMatter(value, read_sections(lines[end + 1 :]), tuple(warnings))


def _decoded(data: bytes) -> str:
    """The text; what is not valid in its encoding becomes U+FFFD, since only a person reads it."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


class _Builder:
    """Builds a value from YAML events, with a stack of its own instead of recursion."""

    def __init__(self, warnings: list[str], first_line: int) -> None:
        self._warnings = warnings
        self._first_line = first_line  # of the text, in the README
        self._open: list[list[YamlValue]] = [[]]  # the containers' contents; first the document itself

    def build(self, text: str) -> YamlValue:
        """The first document's value. Raises ReaderError: MALFORMED."""
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._add(event)
                if isinstance(event, yaml.DocumentEndEvent):
                    break
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            reason = quoted(str(error.problem or "it cannot be parsed"), 200)
            raise self._malformed(f"it is not valid YAML: {reason}", mark) from error
        except (yaml.YAMLError, RecursionError, ValueError) as error:
            raise self._malformed(f"it is not valid YAML: {quoted(str(error), 200)}", None) from error
        return self._open[0][0] if self._open[0] else ""

    def _add(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise self._malformed("it has an anchor or an alias, and these are refused", event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            null = event.implicit[0] and event.value in _NULLS
            self._open[-1].append("" if null else event.value)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self._open) > MAX_DEPTH:
                raise self._malformed(f"it is nested more than {MAX_DEPTH} levels deep", event.start_mark)
            self._open.append([])
        elif isinstance(event, yaml.SequenceEndEvent):
            items = self._open.pop()
            self._open[-1].append(items)
        elif isinstance(event, yaml.MappingEndEvent):
            flat = self._open.pop()
            self._open[-1].append(self._mapping(flat))

    def _mapping(self, flat: list[YamlValue]) -> dict[str, YamlValue]:
        """Keys and values in turn, as the events gave them."""
        made: dict[str, YamlValue] = {}
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            if not isinstance(key, str):
                self._warn("A key that is not a string was left out.")
                continue
            if key in made:
                self._warn(f"The key {quoted(key)} stands there twice; the last one counts.")
            made[key] = value
        return made

    def _warn(self, sentence: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(sentence)

    def _malformed(self, what: str, mark: Any) -> ReaderError:
        """mark: where, in the text (one of two unrelated classes, by the parser), or None."""
        line = mark.line + self._first_line if mark is not None else None  # marks count from 0
        return ReaderError(Fault.MALFORMED, f"The front matter: {what}.", line)
