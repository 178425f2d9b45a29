"""Cards of the corpus against what transformers says of the same configs, and against its weights."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Set
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import Identity

pytestmark = pytest.mark.oracle

_SHAPE = (
    "model_type",
    "architectures",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "intermediate_size",
    "vocab_size",
    "tie_word_embeddings",
)
_FIELDS = (*_SHAPE, "max_position_embeddings", "dtype", "num_experts", "num_experts_per_tok", "quant_method")


def _ours(card: Card, field: str) -> Any:
    if field == "max_position_embeddings":
        return card.context.declared
    if field == "dtype":
        return card.dtype
    if field == "quant_method":
        return card.quantization and card.quantization.quant_method
    if field.startswith("num_experts"):
        return card.architecture.moe and getattr(card.architecture.moe, field)
    value = getattr(card.architecture, field)
    return list(value) if field == "architectures" else value


def _verdict(card: Card, field: str, answers: Any) -> str:
    """One of: right, wrong, null (the file says it), silent (it does not), beyond (the oracle does not)."""
    wanted = answers.get(field)
    if field == "head_dim" and wanted is None:
        wanted = answers.get("head_dim_derived")
    disputed = answers.get("disagrees_with_file", {}).get(field)
    if disputed:
        wanted = disputed["file"]
    got = _ours(card, field)
    if got in (None, []):
        return "silent" if wanted is None or field in answers["not_stated_in_config"] else "null"
    if wanted is None:
        return "beyond"
    return "right" if got == wanted else "wrong"


def test_no_value_of_a_config_is_wrong(families: Callable[[], Iterator[Any]], identity: Identity) -> None:
    """Right, wrong and null by field, over every family that the oracle could read; nothing may be wrong."""
    table: dict[str, Counter[str]] = {field: Counter() for field in _FIELDS}
    lines: list[str] = []
    for family in families():
        if family.answers is None:
            continue
        card = build_card(family.inputs, identity)
        for field in _FIELDS:
            verdict = _verdict(card, field, family.answers)
            table[field][verdict] += 1
            if verdict in ("wrong", "null", "beyond"):
                wanted = family.answers.get(field)
                lines.append(f"{verdict:7} {family.name:28} {field:24} {_ours(card, field)} / {wanted}")
    verdicts = ("right", "wrong", "null", "silent", "beyond")
    lines.append(f"{'field':26}" + "".join(f"{verdict:>8}" for verdict in verdicts))
    for field, counts in table.items():
        lines.append(f"{field:26}" + "".join(f"{counts[verdict]:>8}" for verdict in verdicts))
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert [line for line in lines if line.startswith("wrong")] == []


# What the files hold beyond the class that the oracle built, by the corpus's own notes.
_STORED_MORE = {
    "bert-base-uncased": 592_130,  # a pooler and a head for next-sentence prediction
    "distilroberta-base": 590_592,  # a pooler
    "flan-t5-large": 32_899_072,  # an output layer of its own
    "genz-70b-gptq": 6_717_440,  # a bias in every quantised layer
}


def test_parameter_counts_are_exact(families: Callable[[], Iterator[Any]], identity: Identity) -> None:
    """Total and trainable of every family with a recipe of safetensors."""
    exact, wrong = 0, []
    for family in families():
        if not family.inputs.tensors:
            continue
        card = build_card(family.inputs, identity)
        adapter = family.expected.get("adapter")
        weights = family.expected["configs"].get("config.json", {}).get("weights", {})
        wanted = adapter["trainable_parameters"] if adapter else weights["parameters"]
        wanted += _STORED_MORE.get(family.name, 0)
        if card.parameters.total == wanted and card.parameters.exact:
            exact += 1
        else:
            got = card.parameters.total
            wrong.append(f"{family.name}: {got} for {wanted}, {(got or 0) - wanted:+} {card.warnings}")
        assert card.parameters.trainable == (card.parameters.total if adapter else None)
    sys.stdout.write(f"\nexact: {exact}, wrong: {wrong}\n")
    assert not wrong


def test_every_card_survives_its_own_file(families: Callable[[], Iterator[Any]], identity: Identity) -> None:
    """Reading back what was written gives the same card."""
    for family in families():
        card = build_card(family.inputs, identity)
        assert parse(dump(card)) == card


def test_what_the_readme_states(families: Callable[[], Iterator[Any]], identity: Identity) -> None:
    """Licence, languages, datasets and tags of every front matter, against the oracle's reading of it."""
    compared = 0
    for family in families():
        stated = family.expected.get("model_cards", {}).get("README.md", {})
        card = build_card(family.inputs, identity)
        if not family.inputs.front_matter:
            continue
        for field in ("license", "language", "datasets", "tags", "pipeline_tag", "base_model"):
            wanted, got = stated.get(field), getattr(card, field)
            if wanted is None or card.sources.get(field) != f"README.md#{field}":
                continue
            compared += 1
            if isinstance(got, tuple):
                listed = [wanted] if isinstance(wanted, str) else wanted
                wanted = list(dict.fromkeys("no" if value is False else value for value in listed))
                got = list(got)
            assert got == wanted, f"{family.name}: {field}"
    assert compared > 100


_OF_ITSELF = frozenset(
    {
        *("schema", "technical_name", "model_name", "kind", "layout", "path", "entry_path", "availability"),
        *(
            "revision",
            "change",
            "fingerprint",
            "approved_fingerprint",
            "sources",
            "overrides",
            "conflicts",
            "warnings",
        ),
        *("files", "weight_sets", "integrity.status", "capabilities.confidence", "context.rule"),
        "parameters.exact",
    }
)
"""What a card says of itself, and words that explain a value beside them."""


def test_every_value_has_its_source(families: Callable[[], Iterator[Any]], identity: Identity) -> None:
    """Whatever is not null says where it is from, for itself or with the part that it is in."""
    bare: list[str] = []
    for family in families():
        card = json.loads(dump(build_card(family.inputs, identity)))
        told = _OF_ITSELF | card["sources"].keys()
        bare += [f"{family.name}: {path}" for path in _stated(card, "") if not _is_told(path, told)]
    assert bare == []


def _stated(value: object, path: str) -> Iterator[str]:
    """The paths of all values that say something."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _stated(inner, f"{path}.{key}" if path else key)
    elif value not in (None, [], False, ""):
        yield path


def _is_told(path: str, told: Set[str]) -> bool:
    parts = path.split(".")
    return any(".".join(parts[:count]) in told for count in range(1, len(parts) + 1))
