"""A card in one line."""

from __future__ import annotations

from dxwatchd.card.parts import Quantization
from dxwatchd.card.schema import Card

_LINE_LIMIT = 120


def summary(card: Card) -> str:
    """For people, e.g. "transformers, 8.19 B parameters, bfloat16, 15.3 GiB, apache-2.0".

    What is not known is left out. One line of printable ASCII, at most 120 characters, so that it can stand
    in a comment of the manifest whatever the folder says of itself.
    """
    words = [
        card.layout,
        human_count(card.parameters.total) if card.parameters.total else "",
        _packing(card.quantization) if card.quantization else "",
        card.dtype or "",
        human_size(card.size),
        card.license or "",
    ]
    line = ", ".join(kept for word in words if (kept := _ascii(word)))
    return line[:_LINE_LIMIT]


def _packing(stated: Quantization) -> str:
    """A quantisation in a word or two: "Q4_K_M", "gptq 4-bit", "fp8"."""
    method = stated.quant_method or ""
    if stated.quant_type and method in ("gguf", "modelopt"):
        return stated.quant_type
    named = any(character.isdigit() for character in method)
    return f"{method} {stated.bits}-bit" if stated.bits and not named else method


def human_count(parameters: int) -> str:
    """A number of parameters with three digits: "8.19 B parameters"."""
    for limit, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if parameters >= limit:
            return f"{_three(parameters / limit)} {unit} parameters"
    return f"{parameters} parameters"


def human_size(size: int) -> str:
    """A size in bytes with three digits in binary units: "15.3 GiB"."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << power:
            return f"{_three(size / (1 << power))} {unit}"
    return f"{size} B"


def _three(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def _ascii(word: str) -> str:
    """`word` without anything that could end a line or a comment or hide in one."""
    return "".join(character if " " <= character <= "~" else "?" for character in word)[:40].strip()
