"""Objects without what is not known."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue


def known(values: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """`values` without those that say nothing: null, and empty texts, lists and objects; 0 and false stay."""
    return {name: value for name, value in values.items() if value not in (None, "", [], {})}
