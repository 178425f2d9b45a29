"""What the small text files beside a model say: refs and notes of a download, checklists, the README."""

from __future__ import annotations

import re
from typing import BinaryIO

from dxwatchd.core.document_facts import FileList, HubMetadata, Readme, Ref
from dxwatchd.core.facts import Fault
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.front_matter import YamlValue, read_front_matter
from dxwatchd.readers.identity import content_digest
from dxwatchd.readers.reading import read_up_to, seek_to
from dxwatchd.readers.readme import MAX_TITLE

LIMIT = 64 * 1024
"""Bytes; such a file has a few lines."""

README_HEAD = 256 * 1024
"""Bytes of a README in which its front matter must end."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SECONDS = re.compile(r"(?P<whole>[0-9]{1,12})(\.(?P<fraction>[0-9]{1,20}))?")
_CHECKED = re.compile(r"[0-9a-f]{32,128} [ *](?P<name>[\w.-]{1,255})")


def ref(stream: BinaryIO, size: int) -> Ref:
    """A file of `refs/`: the commit that a branch or tag points to. Raises ReaderError."""
    (commit,) = _lines(stream, size)[:1] or ("",)
    if _COMMIT.fullmatch(commit) is None:
        raise ReaderError(Fault.MALFORMED, "The ref holds no commit.")
    return Ref(content_digest(stream, size), commit)


def hub_metadata(stream: BinaryIO, size: int) -> HubMetadata:
    """What huggingface_hub notes of a download: commit, etag, time in seconds. Raises ReaderError."""
    lines = _lines(stream, size)
    commit, etag, noted = (*lines[:3], "", "", "")[:3]
    etag = etag.removeprefix("W/").strip('"')
    time = _SECONDS.fullmatch(noted)
    if not (_COMMIT.fullmatch(commit) and _ETAG.fullmatch(etag) and time):
        raise ReaderError(Fault.MALFORMED, "This holds no commit, etag and time of a download.")
    nanoseconds = int(time["whole"] + (time["fraction"] or "")[:9].ljust(9, "0"))
    return HubMetadata(content_digest(stream, size), commit, etag, nanoseconds)


def checklist(stream: BinaryIO, size: int) -> FileList:
    """A `checklist.chk`: lines of a digest and a file's name. Raises ReaderError."""
    found = [_CHECKED.fullmatch(line) for line in _lines(stream, size) if line]
    names = sorted({match["name"] for match in found if match is not None})
    if not names or not all(found) or not {".", ".."}.isdisjoint(names):
        raise ReaderError(Fault.MALFORMED, "Each line of a checklist is a digest and the name of a file.")
    return FileList(content_digest(stream, size), tuple(names))


def readme(stream: BinaryIO, size: int) -> Readme:
    """The names that the head of a README gives the model; none where its front matter cannot be read.

    `model_name` is what quantisers write, `model-index` what transformers' Trainer and the Hub do; an index
    of several models names none of them. Raises ReaderError where the file changes or cannot be read at all.
    Source: https://huggingface.co/docs/hub/model-cards#evaluation-results
    """
    digest = content_digest(stream, size)
    seek_to(stream, 0)
    try:
        front = read_front_matter(stream, limit=README_HEAD)
    except ReaderError:
        return Readme(digest)
    if front.warnings and not front.fields:
        return Readme(digest)  # what looks like a heading may be a comment of an unfinished front matter
    index = front.fields.get("model-index")
    entry = index[0] if isinstance(index, list) and len(index) == 1 else None
    stated = (front.fields.get("model_name"), entry.get("name") if isinstance(entry, dict) else None)
    return Readme(digest, tuple(dict.fromkeys(filter(None, map(_short, stated)))), front.title)


def _short(value: YamlValue | None) -> str:
    """A name of a length that names have; "" for anything else."""
    return value.strip() if isinstance(value, str) and len(value) <= MAX_TITLE else ""


def _lines(stream: BinaryIO, size: int) -> list[str]:
    if size > LIMIT:
        raise ReaderError(Fault.TOO_LARGE, f"The file has more than {LIMIT} bytes.")
    seek_to(stream, 0)
    try:
        return [line.strip() for line in read_up_to(stream, LIMIT).decode().splitlines()]
    except UnicodeDecodeError as error:
        raise ReaderError(Fault.MALFORMED, "The file is no text.") from error
