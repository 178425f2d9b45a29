"""What keeps a card from being written in a format."""

from __future__ import annotations


class ExportError(ValueError):
    """A format demands what the card does not know.

    problems: one sentence for each thing, all of them; remedy: what to do.
    """

    def __init__(self, problems: tuple[str, ...], remedy: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.remedy = remedy
