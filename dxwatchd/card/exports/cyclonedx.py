"""A CycloneDX 1.6 bill of materials for one model (ML-BOM).

Source: ECMA-424 (CycloneDX 1.6), its JSON Schema `bom-1.6.schema.json`. The model is the component that the
bill is about, with a model card; its files are components in it, with digests where these are known. The
serial number follows from name and content, and the bill's version is the card's revision: a later card of
the same content is a later version of the same bill. There is no timestamp, since a card has none.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from pydantic import JsonValue

from dxwatchd.card.exports.digests import sha256_of
from dxwatchd.card.exports.known import known
from dxwatchd.card.exports.licences import licence_name
from dxwatchd.card.exports.spdx import spdx_identifier
from dxwatchd.card.exports.urls import is_url
from dxwatchd.card.parts import FilePart
from dxwatchd.card.schema import Card
from dxwatchd.card.summary import summary
from dxwatchd.core.records import UNRESOLVED

_NAMESPACE = uuid.UUID("6f1c1a3e-6d0b-5c36-9a55-0c3f3f8b3d11")
"""Of the serial numbers here; any fixed one would do."""
_VERSION_LIMIT = 1024
_MODEL = "machine-learning-model"


def cyclonedx(card: Card) -> dict[str, JsonValue]:
    """The bill of materials."""
    serial = uuid.uuid5(_NAMESPACE, f"{card.technical_name}\n{card.fingerprint}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": serial.urn,
        "version": card.revision,
        "metadata": {
            "tools": {"components": [{"type": "application", "name": "dxwatchd"}]},
            "component": _component(card),
        },
    }


def _component(card: Card) -> dict[str, JsonValue]:
    version = card.version
    return known(
        {
            "type": _MODEL,
            "bom-ref": card.technical_name,
            "name": card.model_name,
            "version": version if version and len(version) <= _VERSION_LIMIT else None,
            "description": summary(card),
            "authors": [{"name": author} for author in card.authors],
            "licenses": _licences(card),
            "pedigree": known({"ancestors": [*_ancestors(card)]}),
            "externalReferences": _references(card),
            "components": [_file(file) for file in card.files],
            "modelCard": _model_card(card),
            "properties": _properties(_facts(card)),
        }
    )


def _model_card(card: Card) -> dict[str, JsonValue]:
    shape, told = card.architecture, card.capabilities
    parameters = known(
        {
            "task": card.pipeline_tag,
            "architectureFamily": shape.model_type,
            "modelArchitecture": next(iter(shape.architectures), None),
            "datasets": [{"type": "dataset", "name": dataset} for dataset in card.datasets],
            "inputs": [{"format": word} for word in told.input_types],
            "outputs": [{"format": word} for word in told.output_types],
        }
    )
    limitations: list[JsonValue] = [card.limitations] if card.limitations else []
    return known(
        {"modelParameters": parameters, "considerations": known({"technicalLimitations": limitations})}
    )


def _licences(card: Card) -> list[JsonValue]:
    name = licence_name(card)
    if not name:
        return []
    identifier = spdx_identifier(name)
    link = card.license_link
    url = link if link and is_url(link) else None
    return [{"license": known({"id": identifier, "name": None if identifier else name, "url": url})}]


def _ancestors(card: Card) -> list[dict[str, JsonValue]]:
    """The lineage; while that is not known, the base models that the folder states."""
    told = [(one.name, one.relation, one.technical_name) for one in card.lineage] or [
        (name, card.base_model_relation, UNRESOLVED) for name in card.base_model
    ]
    return [
        known(
            {
                "type": _MODEL,
                "name": name,
                "properties": _properties(
                    {
                        "relation": relation,
                        "technical_name": None if technical_name == UNRESOLVED else technical_name,
                    }
                ),
            }
        )
        for name, relation, technical_name in told
        if name
    ]


def _references(card: Card) -> list[JsonValue]:
    links = [("documentation", reference) for reference in card.references]
    if card.license_link:
        links.append(("license", card.license_link))
    return [{"type": kind, "url": url} for kind, url in dict.fromkeys(links) if is_url(url)]


def _file(file: FilePart) -> JsonValue:
    sha256 = sha256_of(file.digest)
    return known(
        {
            "type": "file",
            "name": file.name,
            "hashes": [{"alg": "SHA-256", "content": sha256}] if sha256 else [],
            "properties": _properties({"size": file.size}),
        }
    )


def _facts(card: Card) -> dict[str, object]:
    """What CycloneDX has no place for, by the card's own field paths."""
    packing, integrity = card.quantization, card.integrity
    return {
        "kind": card.kind,
        "unlisted_files.count": card.unlisted_files.count if card.unlisted_files else None,
        "layout": card.layout,
        "fingerprint": card.fingerprint,
        "dtype": card.dtype,
        "quantization.quant_method": packing.quant_method if packing else None,
        "quantization.bits": packing.bits if packing else None,
        "parameters.total": card.parameters.total,
        "parameters.active": card.parameters.active,
        "parameters.trainable": card.parameters.trainable,
        "context.declared": card.context.declared,
        "context.effective": card.context.effective,
        "custom_code.required": card.custom_code.required,
        "integrity.status": integrity.status,
        "integrity.pickle_present": integrity.pickle_present,
        "integrity.disallowed_globals": ", ".join(integrity.disallowed_globals) or None,
    }


def _properties(values: Mapping[str, object]) -> list[JsonValue]:
    return [
        {"name": f"dxwatchd:{name}", "value": str(value).lower() if isinstance(value, bool) else str(value)}
        for name, value in values.items()
        if value is not None
    ]
