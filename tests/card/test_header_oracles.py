"""Cards of real folders whose weights the formats' own libraries wrote, against what they read of them."""

from __future__ import annotations

import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType, LlamaFileType
from huggingface_hub import get_local_safetensors_metadata
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from safetensors import TensorSpec, safe_open, serialize_file

from dxwatchd.card.schema import Card
from dxwatchd.card.weights.quantization import GGUF_FILE_TYPES
from tests.test_cardmaking import card_of

pytestmark = pytest.mark.oracle

_PHASES = [Phase.explicit, Phase.generate, Phase.shrink]
_WIDTHS = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "bool": 1,
}  # fmt: skip
_TORCH = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
          "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2"}  # fmt: skip


class Drawn(NamedTuple):
    """One tensor to be written."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """As many as its shape has."""
        return math.prod(self.shape)


_SHAPES = st.lists(st.integers(0, 9), max_size=3).map(tuple)
_TENSORS = st.dictionaries(
    st.sampled_from([f"model.layers.{n}.{part}.weight" for n in range(12) for part in ("mlp.up", "norm")]),
    st.builds(Drawn, st.sampled_from(sorted(_WIDTHS)), _SHAPES),
    min_size=1,
)


@contextmanager
def folder() -> Iterator[Path]:
    """A models root with an empty model folder `m`, for one example."""
    with tempfile.TemporaryDirectory() as root:
        made = Path(root, "m")
        made.mkdir()
        yield made


def write(path: Path, tensors: Mapping[str, Drawn]) -> None:
    """A safetensors file of the library's own writer, which takes dtypes that NumPy does not have."""
    data = {name: np.ones(one.elements * _WIDTHS[one.dtype], np.uint8) for name, one in tensors.items()}
    specs = {}
    for name, one in tensors.items():
        place, length = data[name].ctypes.data, data[name].nbytes
        specs[name] = TensorSpec(dtype=one.dtype, shape=list(one.shape), data_ptr=place, data_len=length)
    serialize_file(specs, path, {"format": "pt"})


def lay(made: Path, tensors: Mapping[str, Drawn], shards: int) -> None:
    """A transformers folder with these tensors, dealt out to so many shards with their index."""
    (made / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    if shards == 1:
        write(made / "model.safetensors", tensors)
        return
    where = {
        name: f"model-{number % shards + 1:05d}-of-{shards:05d}.safetensors"
        for number, name in enumerate(sorted(tensors))
    }
    for file in set(where.values()):
        write(made / file, {name: one for name, one in tensors.items() if where[name] == file})
    index = {"metadata": {}, "weight_map": where}
    (made / "model.safetensors.index.json").write_text(json.dumps(index))


def sizes(made: Path) -> tuple[int, int]:
    """Tensors, and the bytes of their data, as the safetensors library opens them."""
    tensors, used = 0, 0
    for path in sorted(made.glob("*.safetensors")):
        with safe_open(path, "np") as opened:
            tensors += len(list(opened.keys()))
        length = int.from_bytes(path.read_bytes()[:8], "little")
        used += path.stat().st_size - 8 - length
    return tensors, used


@settings(max_examples=40, phases=_PHASES)
@given(_TENSORS, st.integers(1, 3))
def test_safetensors_counts_are_those_of_the_hub(tensors: dict[str, Drawn], shards: int) -> None:
    """Elements, bytes and dtypes over all shards; what is no float is stored, and no parameter."""
    shards = min(shards, len(tensors))
    with folder() as made:
        lay(made, tensors, shards)
        theirs = get_local_safetensors_metadata(made)
        tensor_count, data = sizes(made)
        card = card_of(made.parent)
    counted = {dtype: number for dtype, number in theirs.parameter_count.items() if number}
    assert card.parameters.stored_elements == sum(counted.values())
    assert card.parameters.bytes == data
    floats = {dtype: number for dtype, number in counted.items() if dtype in _TORCH}
    assert card.parameters.by_dtype == dict(sorted(floats.items()))
    assert card.parameters.total == sum(floats.values())
    assert card.parameters.exact
    assert [weights.tensors for weights in card.weight_sets] == [tensor_count]
    bytes_of: Counter[str] = Counter()
    for one in tensors.values():
        if one.elements and one.dtype in _TORCH.values():
            bytes_of[one.dtype] += one.elements * _WIDTHS[one.dtype]
    most = max(bytes_of.values(), default=0)
    assert card.dtype in {dtype for dtype, size in bytes_of.items() if size == most} or not bytes_of


_QUANTISED = ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q6_K", "IQ4_XS", "MXFP4")


class GgufModel(NamedTuple):
    """A GGUF model to be written: what its header says of it, and the type of its matrices."""

    architecture: str
    layers: int
    heads: int
    shared: int
    width: int
    context: int
    vocabulary: int
    kind: str
    tied: bool
    splits: int


_GGUF_MODELS = st.builds(
    GgufModel,
    st.sampled_from(["llama", "qwen2", "qwen3", "gemma2", "phi3"]),
    st.integers(1, 4),
    st.sampled_from([2, 4]),
    st.sampled_from([1, 2]),
    st.sampled_from([256, 512]),
    st.integers(128, 9999),
    st.integers(3, 20),
    st.sampled_from(_QUANTISED),
    st.booleans(),
    st.integers(0, 3),
)


def write_gguf(made: Path, model: GgufModel) -> dict[str, int]:
    """The model's files in its folder; the number of elements of each of its tensors."""
    writer = gguf.GGUFWriter(None, model.architecture, split_max_tensors=model.splits)
    writer.add_block_count(model.layers)
    writer.add_head_count(model.heads)
    writer.add_head_count_kv(model.shared)
    writer.add_embedding_length(model.width)
    writer.add_feed_forward_length(2 * model.width)
    writer.add_context_length(model.context)
    if model.architecture == "gemma2":
        writer.add_sliding_window(64)
    writer.add_token_list([f"t{number}" for number in range(model.vocabulary)])
    writer.add_file_type(_file_type(model.kind))
    elements = {}
    for name, rows in _matrices(model).items():
        kind = GGMLQuantizationType[model.kind]
        block, size = GGML_QUANT_SIZES[kind]
        data = np.ones((rows, model.width // block * size), np.uint8)
        writer.add_tensor(name, data, raw_dtype=kind)
        elements[name] = rows * model.width
    for name in ("output_norm.weight", *(f"blk.{layer}.attn_norm.weight" for layer in range(model.layers))):
        writer.add_tensor(name, np.ones(model.width, np.float32))
        elements[name] = model.width
    writer.add_tensor("rope_freqs.weight", np.ones(model.width // model.heads // 2, np.float32))
    writer.write_header_to_file(path=made / "made.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return elements


def _file_type(kind: str) -> int:
    named = {"F32": "ALL_F32", "Q4_K": "MOSTLY_Q4_K_M", "MXFP4": "MOSTLY_MXFP4_MOE"}
    return int(LlamaFileType[named.get(kind, f"MOSTLY_{kind}")])


def _matrices(model: GgufModel) -> dict[str, int]:
    narrow = model.width // model.heads * model.shared
    rows = {"token_embd.weight": model.vocabulary}
    if not model.tied:
        rows["output.weight"] = model.vocabulary
    for layer in range(model.layers):
        for part, wide in (("attn_q", model.width), ("attn_k", narrow), ("ffn_up", 2 * model.width)):
            rows[f"blk.{layer}.{part}.weight"] = wide
    return rows


@settings(max_examples=40, phases=_PHASES)
@given(_GGUF_MODELS)
def test_gguf_cards_are_what_the_format_s_reader_says(model: GgufModel) -> None:
    """Sizes, counts and types of every file of a model, in one piece or split."""
    with folder() as made:
        elements = write_gguf(made, model)
        paths = sorted(made.glob("*.gguf"))
        if len(paths) == 1 and paths[0].name != "made.gguf":  # a split into one is named as one of one
            assert paths[0].name == "made-00001-of-00001.gguf"
        readers = [gguf.GGUFReader(path) for path in paths]
        fields = {key: field.contents() for key, field in readers[0].fields.items() if key[0].islower()}
        read = [tensor for reader in readers for tensor in reader.tensors]
        stored, used = sum(int(t.n_elements) for t in read), sum(int(t.n_bytes) for t in read)
        by_type: Counter[str] = Counter()
        for tensor in read:
            if tensor.name != "rope_freqs.weight":
                by_type[tensor.tensor_type.name] += int(tensor.n_elements)
        del readers, read, tensor
        card = card_of(made.parent)
    _compare_shape(card, model, fields)
    assert card.parameters.total == sum(elements.values()) == sum(by_type.values())
    assert card.parameters.by_dtype == dict(sorted(by_type.items()))
    assert (card.parameters.stored_elements, card.parameters.bytes) == (stored, used)
    plain = model.kind in ("F32", "F16", "BF16")
    named = LlamaFileType(fields["general.file_type"]).name.removeprefix("MOSTLY_").removeprefix("ALL_")
    assert (card.quantization and card.quantization.quant_type) == (None if plain else named)
    assert card.dtype == ({"F32": "float32", "F16": "float16", "BF16": "bfloat16"}.get(model.kind))
    window = model.architecture == "gemma2"
    token = model.layers * 2 * model.shared * (model.width // model.heads) * 2
    assert card.kv_cache.bytes_per_token == (None if window else token)


def _compare_shape(card: Card, model: GgufModel, fields: Mapping[str, Any]) -> None:
    shape, name = card.architecture, model.architecture
    assert shape.model_type == fields["general.architecture"] == name
    assert shape.num_hidden_layers == fields[f"{name}.block_count"]
    assert shape.num_attention_heads == fields[f"{name}.attention.head_count"]
    assert shape.num_key_value_heads == fields[f"{name}.attention.head_count_kv"]
    assert shape.hidden_size == fields[f"{name}.embedding_length"]
    assert shape.intermediate_size == fields[f"{name}.feed_forward_length"]
    assert shape.vocab_size == len(fields["tokenizer.ggml.tokens"])
    assert card.context.declared == card.context.effective == fields[f"{name}.context_length"]
    assert shape.attention.sliding_window == fields.get(f"{name}.attention.sliding_window")


def test_names_of_gguf_file_types_are_the_format_s_own() -> None:
    """All that its package knows, under the names that files carry."""
    theirs = {
        kind.value: kind.name.removeprefix("MOSTLY_").removeprefix("ALL_")
        for kind in LlamaFileType
        if kind is not LlamaFileType.GUESSED
    }
    assert dict(GGUF_FILE_TYPES) == theirs
