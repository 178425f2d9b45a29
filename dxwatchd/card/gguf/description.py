"""What a GGUF header says of its model in words: the keys `general.*`.

Keys: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#general-metadata
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import integer, text, texts

_ONE = {
    "license": "license",
    "license_name": "license.name",
    "license_link": "license.link",
    "version": "version",
}
_SEVERAL = {"language": "languages", "tags": "tags", "datasets": "datasets"}
_AUTHORS = ("author", "organization")
"""The first one that is there."""
_ADDRESSES = ("url", "doi", "repo_url")
_MOST = 64  # data sets


class Stated(NamedTuple):
    """values: of one field; source: the key of the header that has them."""

    values: tuple[str, ...]
    source: str


def gguf_description(inputs: CardInputs, file: str) -> Mapping[str, Stated]:
    """Field of the card → what the header of `file` states; besides "authors" and "references"."""
    found: dict[str, Stated] = {}
    for name, key in _ONE.items():
        for value, source in _texts(inputs, file, (key,)):
            found[name] = Stated((value,), source)
    for name, key in _SEVERAL.items():
        values = texts(inputs.gguf_lists.get(f"general.{key}", inputs.gguf_metadata.get(f"general.{key}")))
        if values:
            found[name] = Stated(values, f"{file}#general.{key}")
    for value, source in list(_texts(inputs, file, _AUTHORS))[:1]:
        found["authors"] = Stated((value,), source)
    addresses = list(_texts(inputs, file, _ADDRESSES))
    if addresses:
        sources = ", ".join(source for _, source in addresses)
        found["references"] = Stated(tuple(dict.fromkeys(value for value, _ in addresses)), sources)
    data_sets = _data_sets(inputs.gguf_metadata)
    if data_sets and "datasets" not in found:
        found["datasets"] = Stated(data_sets, f"{file}#general.dataset.0")
    return found


def _texts(inputs: CardInputs, file: str, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The texts under `general.` that are there, each with its source."""
    for key in keys:
        value = text(inputs.gguf_metadata.get(f"general.{key}"))
        if value:
            yield value, f"{file}#general.{key}"


def _data_sets(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """Hub ids of `general.dataset.N`, where the address is the Hub's."""
    found: list[str] = []
    for at in range(min(integer(metadata.get("general.dataset.count")) or 0, _MOST)):
        address = text(metadata.get(f"general.dataset.{at}.repo_url")) or ""
        path = address.partition("huggingface.co/datasets/")[2].strip("/")
        if path and path.count("/") <= 1:
            found.append(path)
    return tuple(dict.fromkeys(found))
