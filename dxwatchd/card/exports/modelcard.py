"""The card as a README: Markdown with the front matter of the Hugging Face Hub.

Source: the Hub's model card metadata (`huggingface_hub.ModelCardData`) and CommonMark. What comes from the
folder stands in code spans and fenced blocks only, where no dialect of Markdown makes HTML, links or images
of it.
"""

from __future__ import annotations

import re
import textwrap

import yaml
from pydantic import JsonValue

from dxwatchd.card.exports.known import known
from dxwatchd.card.exports.licences import licence_name
from dxwatchd.card.parts import Ancestor, Quantization
from dxwatchd.card.schema import Card
from dxwatchd.card.summary import human_count, human_size
from dxwatchd.card.values import clean
from dxwatchd.core.records import UNRESOLVED
from dxwatchd.core.text import count

_LIMIT = 4000
_WIDTH = 100
_ONE_LINE = 2**31 - 1
"""A width that no value reaches: YAML folds no line."""


def modelcard(card: Card) -> str:
    """The README."""
    front = yaml.safe_dump(_front_matter(card), allow_unicode=True, sort_keys=False, width=_ONE_LINE)
    sections = [
        f"# {_code(card.model_name) or _code(card.technical_name)}",
        _list(_facts(card)),
        _several("Made from", [_ancestor(one) for one in card.lineage] or [*map(_code, card.base_model)]),
        _several("Trained on", [*map(_code, card.datasets)]),
        _several("Trained for", [*map(_code, card.training_objectives)]),
        _prose("Limitations", card.limitations),
        _several("Authors", [*map(_code, card.authors)]),
        _several("References", [*map(_code, card.references)]),
    ]
    return f"---\n{front}---\n\n" + "\n\n".join(filter(None, sections)) + "\n"


def _front_matter(card: Card) -> dict[str, JsonValue]:
    return known(
        {
            "language": _cleaned(card.language),
            "license": clean(card.license or "", _LIMIT),
            "license_name": clean(card.license_name or "", _LIMIT),
            "license_link": clean(card.license_link or "", _LIMIT),
            "library_name": clean(card.library_name or "", _LIMIT),
            "pipeline_tag": clean(card.pipeline_tag or "", _LIMIT),
            "base_model": _cleaned(card.base_model),
            "base_model_relation": clean(card.base_model_relation or "", _LIMIT),
            "datasets": _cleaned(card.datasets),
            "tags": _cleaned(card.tags),
        }
    )


def _cleaned(values: tuple[str, ...]) -> list[JsonValue]:
    found = (clean(value, _LIMIT) for value in values)
    return [*dict.fromkeys(value for value in found if value)]


def _facts(card: Card) -> list[tuple[str, str | None]]:
    shape, packing = card.architecture, card.quantization
    total, context = card.parameters.total, card.context.effective or card.context.declared
    return [
        ("Technical name", card.technical_name),
        ("Kind", f"{card.kind}, {card.layout}"),
        ("Architecture", ", ".join(shape.architectures) or shape.model_type),
        ("Parameters", None if total is None else f"{total:,} ({human_count(total)})"),
        ("Data type", card.dtype),
        ("Quantisation", _packing(packing) if packing else None),
        ("Context", None if context is None else f"{context:,} tokens"),
        ("Size", f"{human_size(card.size)}, {count(card.file_count, 'file')}" if card.files else None),
        ("Licence", licence_name(card)),
        ("Languages", ", ".join(card.language)),
        ("Tasks", ", ".join(card.tasks) or card.pipeline_tag),
        ("Needs its own code", "yes" if card.custom_code.required else None),
        ("Fingerprint", card.fingerprint),
    ]


def _packing(packing: Quantization) -> str:
    """Method, finer kind and width, as far as they are told: "gptq, 4 bits", "gguf, Q4_K_M"."""
    bits = f"{packing.bits} bits" if packing.bits else None
    return ", ".join(filter(None, (packing.quant_method, packing.quant_type, bits)))


def _list(facts: list[tuple[str, str | None]]) -> str:
    return "\n".join(f"- {label}: {_code(value)}" for label, value in facts if value and _code(value))


def _several(title: str, items: list[str]) -> str:
    lines = [f"- {item}" for item in items if item]
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _ancestor(ancestor: Ancestor) -> str:
    registered = "" if ancestor.technical_name == UNRESOLVED else _code(ancestor.technical_name)
    words = (
        _code(ancestor.name),
        _code(ancestor.relation or ""),
        f"registered as {registered}" if registered else "",
    )
    return ", ".join(filter(None, words))


def _prose(title: str, text: str | None) -> str:
    lines = textwrap.wrap(clean(text or "", _LIMIT), _WIDTH, break_on_hyphens=False)
    if not lines:
        return ""
    fence = "`" * max(3, _longest_run(text or "") + 1)
    return "\n".join([f"## {title}", "", f"{fence}text", *lines, fence])


def _code(text: str) -> str:
    """A code span that shows exactly the text, on one line; "" for a text with nothing to show.

    CommonMark 6.1: the span ends at a run of as many backticks as it begins with, and one space is taken off
    both ends.
    """
    shown = clean(text, _LIMIT)
    if not shown:
        return ""
    ticks = "`" * (_longest_run(shown) + 1)
    return f"{ticks} {shown} {ticks}" if "`" in (shown[0], shown[-1]) else f"{ticks}{shown}{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
