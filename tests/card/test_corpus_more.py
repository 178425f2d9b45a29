"""What else the corpus knows of its families by itself: stored sizes, quantisation, layers, adapters, parts.

Sizes, dtype and parameters of the primary config are compared in test_corpus.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import CardInputs
from dxwatchd.core.model import Kind, Layout, ModelFolder
from tests.card.conftest import IDENTITY, Family
from tests.card.test_corpus import _FIELDS, _ours, _verdict
from tests.test_cardmaking import card_of

pytestmark = pytest.mark.oracle

_ALONE = ModelFolder("a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())


class Carded(NamedTuple):
    """A family with its card."""

    family: Family
    card: Card

    @property
    def primary(self) -> Mapping[str, Any]:
        """What the oracle says of the primary config."""
        found: Mapping[str, Any] = self.family.expected["configs"].get(
            self.family.expected["primary_config"], {}
        )
        return found


@pytest.fixture(scope="module")
def carded(families: Callable[[], Iterator[Family]]) -> list[Carded]:
    """All families with their cards."""
    return [Carded(family, build_card(family.inputs, IDENTITY)) for family in families()]


def told(table: Mapping[str, Counter[str]], lines: list[str]) -> None:
    """Print the verdicts by field; fail where one is wrong."""
    kinds = ("right", "wrong", "null", "silent", "beyond")
    head = f"{'field':28}" + "".join(f"{kind:>8}" for kind in kinds)
    rows = [
        f"{field:28}" + "".join(f"{counts[kind]:>8}" for kind in kinds) for field, counts in table.items()
    ]
    sys.stdout.write("\n" + "\n".join([*lines, head, *rows]) + "\n")
    assert [line for line in lines if line.startswith("wrong")] == []


def judged(got: object, wanted: object) -> str:
    """One of: right, wrong, null (only the oracle has a value), silent (neither), beyond (only the card)."""
    if got in (None, (), {}, []):
        return "silent" if wanted is None else "null"
    if wanted is None:
        return "beyond"
    return "right" if got == wanted else "wrong"


def _canonical(each: Carded) -> Mapping[str, Any]:
    """The oracle's view of the text part, or of the whole where there is none."""
    whole: Mapping[str, Any] = each.primary.get("canonical", {})
    part = (each.primary.get("answers") or {}).get("text_part")
    return whole.get(part, {}) if part else whole


def _kinds(words: Iterable[str]) -> dict[str, int]:
    """How many layers of each kind; transformers calls Mamba's a linear attention as well."""
    return dict(Counter("linear_attention" if word == "mamba" else word for word in words))


def test_layers_windows_and_experts(carded: list[Carded]) -> None:
    """How many layers of each kind, the window, and what the experts are, beside what test_corpus has."""
    fields = ("sliding_window", "layer_types", "moe_intermediate_size", "num_shared_experts", "native")
    table = {field: Counter[str]() for field in fields}
    lines = []
    for each in carded:
        wanted, shape = _canonical(each), each.card.architecture
        rope = wanted.get("rope_parameters", {})
        of_full = rope.get("full_attention", rope)
        experts = shape.moe
        window = wanted.get("sliding_window") if wanted.get("use_sliding_window") is not False else None
        pairs = {
            "sliding_window": (shape.attention.sliding_window, window),
            "layer_types": (_kinds(shape.attention.layer_types), wanted.get("layer_types_count")),
            "moe_intermediate_size": (
                experts and experts.moe_intermediate_size, wanted.get("moe_intermediate_size")),
            "num_shared_experts": (experts and experts.num_shared_experts, wanted.get("n_shared_experts")),
            "native": (each.card.context.native if of_full.get("rope_type") != "default" else None,
                       of_full.get("original_max_position_embeddings")),
        }  # fmt: skip
        for field, (got, right) in pairs.items():
            said = judged(got, right)
            table[field][said] += 1
            if said in ("wrong", "null"):
                lines.append(f"{said:5} {each.family.name:28} {field:24} {got} / {right}")
    told(table, lines)


def test_quantisation_in_detail(carded: list[Carded]) -> None:
    """Bits, groups, blocks and the rest, as transformers reads them of the same file."""
    fields = ("quant_method", "bits", "group_size", "weight_block_size", "desc_act", "sym")
    table = {field: Counter[str]() for field in fields}
    lines = []
    for each in carded:
        stated = each.primary.get("canonical", {}).get("quantization")
        for field in fields if stated else ():
            got, right = getattr(each.card.quantization, field, None), stated.get(field)
            said = judged(list(got) if isinstance(got, tuple) else got, right)
            table[field][said] += 1
            if said in ("wrong", "null"):
                lines.append(f"{said:5} {each.family.name:28} {field:24} {got} / {right}")
    told(table, lines)
    assert sum(counts["right"] for counts in table.values()) > 15


_BITS = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F64": 8}


def test_stored_sizes(carded: list[Carded]) -> None:
    """Tensors, elements and bytes of the files, and the bytes of each dtype of which nothing else is made."""
    compared = 0
    for each in carded:
        stored = each.primary.get("weights", {}).get("checkpoint")
        if not each.family.inputs.tensors or not stored or "elements" not in stored:
            continue
        made = each.card.parameters
        parts = _as_written(each.family)
        compared += 1
        assert made.stored_elements == parts["elements"], each.family.name
        assert made.bytes == parts["bytes"], each.family.name
        assert [weights.tensors for weights in each.card.weight_sets if weights.primary] == [parts["tensors"]]
        for dtype, logical in made.by_dtype.items():
            most = stored["bytes_by_dtype"].get(dtype, 0)
            if dtype in _BITS and each.card.quantization is None and not _refitted(each):
                assert logical * _BITS[dtype] <= most, f"{each.family.name}: {dtype}"
    assert compared > 60


def _refitted(each: Carded) -> bool:
    """Whether the recipe was changed to fit the real file, after the oracle counted."""
    return "fit_notes" in each.primary["weights"]


def _as_written(family: Family) -> dict[str, int]:
    """Tensors, elements and bytes of the primary set, from the corpus's own list of files."""
    tensors = [tensor for listed in family.inputs.tensors.values() for tensor in listed]
    stored = family.expected["configs"]["config.json"]["weights"]["checkpoint"]
    if "fit_notes" in family.expected["configs"]["config.json"]["weights"]:
        return {
            "tensors": len(tensors),
            "elements": sum(_elements(tensor.shape) for tensor in tensors),
            "bytes": sum(tensor.nbytes for tensor in tensors),
        }
    return {key: stored[key] for key in ("tensors", "elements", "bytes")}


def _elements(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def test_adapters(carded: list[Carded]) -> None:
    """What PEFT's own classes make of the same files."""
    fields = ("peft_type", "task_type", "r", "lora_alpha", "num_virtual_tokens", "use_dora",
              "base_model_name_or_path", "target_modules")  # fmt: skip
    table = {field: Counter[str]() for field in fields}
    lines = []
    for each in carded:
        wanted = each.family.expected.get("adapters", {}).get("adapter_config.json")
        if wanted is None:
            continue
        assert each.card.adapter is not None
        for field in fields:
            got, right = getattr(each.card.adapter, field), wanted.get(field)
            said = judged(sorted(got) if isinstance(got, tuple) else got,
                          sorted(right) if isinstance(right, list) else right)  # fmt: skip
            table[field][said] += 1
            if said in ("wrong", "null"):
                lines.append(f"{said:5} {each.family.name:28} {field:24} {got} / {right}")
        tensors = each.family.expected.get("adapter", {}).get("tensors")
        if tensors is not None and each.family.inputs.tensors:
            assert [weights.tensors for weights in each.card.weight_sets] == [tensors]
    told(table, lines)
    assert sum(counts["right"] for counts in table.values()) > 30


def test_configs_of_parts(carded: list[Carded], corpus: Path) -> None:
    """The configs of components and of further folders, each as if it were a model of its own."""
    compared = 0
    for each in carded:
        for name, oracle in each.family.expected["configs"].items():
            if name == each.family.expected["primary_config"] or not oracle.get("answers"):
                continue
            document = json.loads((corpus / each.family.name / name).read_bytes())
            inputs = CardInputs(_ALONE, {"config.json": document})
            card = build_card(inputs, IDENTITY)
            for field in _FIELDS:
                said = _verdict(card, field, oracle["answers"])
                got, right = _ours(card, field), oracle["answers"].get(field)
                assert said not in ("wrong", "null"), f"{each.family.name}/{name} {field}: {got} / {right}"
                compared += said == "right"
    assert compared > 30


def test_real_gguf_file(corpus: Path, tmp_path: Path) -> None:
    """A vocabulary without tensors: what gguf's reader says of its header."""
    name = "ggml-vocab-bert-bge.gguf"
    (tmp_path / "m").mkdir()
    family = corpus / "gguf-bert-bge-vocab"
    shutil.copy(family / name, tmp_path / "m" / name)
    fields = json.loads((family / "expected.json").read_bytes())["gguf"][name]["fields"]
    card = card_of(tmp_path)
    shape = card.architecture
    assert shape.model_type == fields["general.architecture"]
    assert shape.num_hidden_layers == fields["bert.block_count"]
    assert shape.num_attention_heads == fields["bert.attention.head_count"]
    assert shape.hidden_size == fields["bert.embedding_length"]
    assert shape.intermediate_size == fields["bert.feed_forward_length"]
    assert card.context.declared == fields["bert.context_length"]
    assert f"<{shape.vocab_size} items>" == fields["tokenizer.ggml.tokens"]
    assert card.tokenizer.tokenizer_class == fields["tokenizer.ggml.model"]
    assert card.kv_cache.bytes_per_token == 0
    assert card.parameters.total is None


def test_real_safetensors_files(corpus: Path, tmp_path: Path) -> None:
    """Real shards of a small model, both with all of its tensors: each counts once."""
    family = corpus / "tiny-random-phi-real-weights"
    shutil.copytree(family, tmp_path / "m")
    for name in ("expected.json", "ORIGIN.json"):
        (tmp_path / "m" / name).unlink()
    real = json.loads((family / "expected.json").read_bytes())["real_safetensors"]
    card = card_of(tmp_path)
    primary = next(weights for weights in card.weight_sets if weights.primary)
    assert sorted(primary.files) == sorted(real)
    assert {each["elements"] for each in real.values()} == {card.parameters.stored_elements}
    assert primary.tensors == sum(each["tensors"] for each in real.values())


def test_recipes_list_what_the_card_lists(
    carded: list[Carded], corpus: Path, make_folder: Callable[..., dict[str, int]], tmp_path: Path
) -> None:
    """Through real folders of several families: the same files and sizes that the corpus noted of its own."""
    compared = 0
    for each in carded:
        made = each.family.expected.get("made_by_recipe")
        if (
            not made
            or made["weight_files"] > 4
            or not (corpus / each.family.name / "recipe.json.gz").is_file()
        ):
            continue
        recipe = json.loads(gzip.decompress((corpus / each.family.name / "recipe.json.gz").read_bytes()))
        if len(recipe["sets"]) != 1 or recipe["sets"][0]["dir"] or recipe["sets"][0].get("split"):
            continue
        root = tmp_path / each.family.name
        make_folder(each.family.name, root / "m")
        card = card_of(root)
        sizes = {file.name: file.size for file in card.files}
        listed = {name: size for name, _, size in made["files"]}
        assert {name: sizes.get(name) for name in listed} == listed, each.family.name
        assert card.parameters.total == each.card.parameters.total, each.family.name
        compared += 1
    assert compared > 20
