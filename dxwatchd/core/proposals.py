"""The text of new proposals, and of a manifest that has no entries yet."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dxwatchd.core.text import printable


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block to be appended.

    found: the comment's words on what was found; rejected: names that were not taken, and why.
    """

    technical_name: str
    model_name: str
    path: str
    fingerprint: str
    found: str = ""
    rejected: tuple[str, ...] = ()


def render(proposals: tuple[Proposal, ...], date: str) -> str:
    """The text of new blocks, each beginning with an empty line. date: ISO 8601, for the comment."""
    return "".join(_block(proposal, date) for proposal in proposals)


def _block(proposal: Proposal, date: str) -> str:
    lines = [
        "",
        "[[models]]",
        'status = "proposed"              # "approved" registers it; "rejected" stops the asking',
        f"technical_name = {quoted(proposal.technical_name)}",
        f"model_name = {quoted(proposal.model_name)}",
        f"path = {quoted(proposal.path)}",
        f"fingerprint = {quoted(proposal.fingerprint)}",
        f"# found {date}: {printable(proposal.found, 200)}",
    ]
    lines.extend(f"# not taken: {printable(name, 200)}" for name in proposal.rejected)
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """`text` as a TOML basic string (TOML 1.0, String: JSON's escapes, and DEL escaped too)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


HEADER = """\
# The manifest of dxwatchd: which model folders are registered, and under which names.
#
# A new model folder is proposed by a block at the end of this file. To register it, change the word
# "proposed" in its status line to "approved" and save; "rejected" stops the asking. Names may be changed
# before; both are unique across the system. A block may also be written by hand before its folder is
# there: it waits for it. The same from a shell:
#     dxwatchd approve NAME
#     dxwatchd reject NAME
#     dxwatchd add TECHNICAL_NAME MODEL_NAME PATH
"""
"""What a new manifest begins with."""
