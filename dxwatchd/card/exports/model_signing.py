"""An unsigned manifest as OpenSSF Model Signing signs it: the payload of its DSSE envelope.

Source: the model_signing library 1.x (sigstore/model-transparency, `_signing/signing.py`, `Payload` and
`dsse_payload_to_manifest`), predicate version 1.0 in an in-toto Statement v1. Its verifier recomputes the
root digest, SHA-256 over the raw digests of the resources in their order, which is that of their paths part
by part. Signing is up to whoever holds a key. A verifier looks at all files of the folder: where another
model lies inside it, tell it to ignore unsigned files.
"""

from __future__ import annotations

import hashlib

from pydantic import JsonValue

from dxwatchd.card.exports.digests import digests
from dxwatchd.card.schema import Card

_IGNORED = (".cache", ".git", ".gitattributes", ".github", ".gitignore")
"""What the library itself leaves out (Git's own files), and huggingface_hub's notes: no part of a model."""


def model_signing(card: Card) -> dict[str, JsonValue]:
    """The statement. Raises ExportError while digests are not computed."""
    resources = sorted(
        (file for file in digests(card) if file.name.split("/")[0] not in _IGNORED),
        key=lambda file: file.name.split("/"),
    )
    root = hashlib.sha256(b"".join(bytes.fromhex(file.sha256) for file in resources))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": card.technical_name, "digest": {"sha256": root.hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {
                "method": "files",
                "hash_type": "sha256",
                "allow_symlinks": True,  # digests are of the files that links lead to
                "ignore_paths": [*_IGNORED],
            },
            "resources": [
                {"name": file.name, "algorithm": "sha256", "digest": file.sha256} for file in resources
            ],
        },
    }
