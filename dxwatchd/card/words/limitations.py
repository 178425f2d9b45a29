"""What a README says of its model's limits, in its own words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dxwatchd.card.values import Notes, clean
from dxwatchd.core.filenames import README
from dxwatchd.core.readme import Section, without_markup

LIMIT = 2000  # characters

# fmt: off
_WORDS = frozenset({
    "limitation", "limitations", "bias", "biases", "risk", "risks", "ethical", "ethics",
    "consideration", "considerations", "safety", "fairness", "caveat", "caveats", "known", "issue",
    "issues", "model", "and", "the", "of", "a", "s", "other", "its",
})
# fmt: on
"""A heading of these words alone is about limits; one with others mixes them with something else."""
# fmt: off
_BELOW = _WORDS | frozenset({
    "recommendations", "recommendation", "sensitive", "use", "misuse", "malicious", "out", "scope",
    "hallucination", "toxicity", "disclaimer", "warning",
})
# fmt: on
_SKIPPED = ("|", "<summary")
"""Tables, and the handles of parts that are folded away."""
_CHINESE = re.compile("局限|限制")
_EMPTY = re.compile(
    r"\W*(more information (is )?needed|needs? more information|n/?a|none|todo|tbd)\W*", re.IGNORECASE
)
"""What the Hub's templates put where nothing is said."""
_TEMPLATE = re.compile(
    r"Users \(both direct and downstream\) should be made aware of the risks, biases and limitations of the "
    r"model\.|More information needed for further recommendations\."
)
"""Sentences of the Hub's template that its users leave where they are."""


def limitations(sections: Sequence[Section], notes: Notes) -> str | None:
    """The first section whose heading is on limits, with what is below it; at most `LIMIT` characters.

    Code, tables and images are left out. A heading such as "Intended uses & limitations" is passed over: what
    is below it may be about anything.
    """
    for at, section in enumerate(sections):
        if not _on_limits(section.heading):
            continue
        texts = [_plain(section.text)]
        for inner in sections[at + 1 :]:
            if inner.level <= section.level:
                break
            if _words(inner.heading) <= _BELOW:
                texts.append(_plain(inner.text))
        text = "\n".join(filter(None, texts))
        if text:
            notes.source("limitations", f"{README}#{section.heading}")
            return _shortened(text)
    return None


def _on_limits(heading: str) -> bool:
    words = _words(heading)
    return bool(words & {"limitation", "limitations"} and words <= _WORDS) or (
        bool(_CHINESE.search(heading)) and len(heading) <= 12
    )


def _words(heading: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", heading.lower()))


def _plain(text: str) -> str:
    """The words of a section, line by line; "" where only a template speaks."""
    lines = (without_markup(line) for line in text.splitlines() if not line.lstrip().startswith(_SKIPPED))
    kept = [
        clean(line.removeprefix("> "), 2 * LIMIT) for line in lines if line and not _EMPTY.fullmatch(line)
    ]
    joined = " ".join(_TEMPLATE.sub("", "\n".join(kept)).split(" "))
    return "\n".join(line.strip() for line in joined.splitlines() if line.strip())


def _shortened(text: str) -> str:
    """Up to `LIMIT` characters, cut behind a word."""
    if len(text) <= LIMIT:
        return text
    cut = text[: LIMIT - 1]
    return cut[: max(cut.rfind(" "), cut.rfind("\n"), 1)].rstrip() + "…"
