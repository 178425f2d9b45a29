"""What a published card says that changes later without its folder: bases, digests, what was approved."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from dxwatchd.card.loading.adapter import base_of
from dxwatchd.card.parts import Provenance
from dxwatchd.card.schema import Card
from dxwatchd.card.values import encodable
from dxwatchd.core.findings import Findings
from dxwatchd.core.records import Base, CardRecord


def with_bases(card: Card, bases: Sequence[Base]) -> Card:
    """`card` with the technical names of its ancestors.

    bases: those of its lineage, in the same order. Raises ValueError where they are not as many.
    """
    lineage = tuple(
        ancestor.model_copy(update={"technical_name": base.technical_name})
        for ancestor, base in zip(card.lineage, bases, strict=True)
    )
    adapter = card.adapter
    if adapter is not None:
        base = base_of(lineage, named=adapter.base_model_name_or_path is not None)
        adapter = adapter.model_copy(update={"base_model_resolved": base})
    return card.model_copy(update={"lineage": lineage, "adapter": adapter})


def with_digests(card: Card, findings: Findings) -> Card:
    """`card` with the digests of its files, all of which are known, and what comparing them has shown.

    Without this call a card says "pending": also for good, where the setting `digests` is "off".
    """
    known: dict[str, deque[str]] = {}
    for name, digest in findings.sha256.items():  # names that are no UTF-8 may have become equal
        known.setdefault(encodable(name), deque()).append(f"sha256:{digest}")
    return card.model_copy(
        update={
            "files": tuple(
                file.model_copy(
                    update={"digest": known[file.name].popleft() if known.get(file.name) else None}
                )
                for file in card.files
            ),
            "integrity": card.integrity.model_copy(
                update={
                    "status": findings.status.value,
                    "provenance": tuple(
                        Provenance(source=source.origin, commit=source.commit, files=source.files)
                        for source in findings.sources
                    ),
                    "mismatched_files": tuple(map(encodable, findings.mismatched)),
                }
            ),
            "sources": dict(sorted({**card.sources, **_sources(findings)}.items())),
        }
    )


def with_approved(card: Card, record: CardRecord) -> Card:
    """`card` with the digests of the content that was approved, and of what was found instead."""
    approved = record.approved
    told = {
        "approved_digest": approved.digest if approved is not None else None,
        "approved_files": dict(approved.files) if approved is not None else {},
        "found_digest": record.found_digest,
    }
    return card.model_copy(update={"integrity": card.integrity.model_copy(update=told)})


def _sources(findings: Findings) -> dict[str, str]:
    origins = ", ".join(dict.fromkeys(source.origin for source in findings.sources))
    return {
        "files.digest": "computed from the files",
        "integrity.status": f"derived: digests compared with {origins or 'nothing'}",
    }
