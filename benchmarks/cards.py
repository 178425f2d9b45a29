"""Time and memory of making a card, beside what other readers need for the same headers, in one run.

    python benchmarks/cards.py [FOLDER]

FOLDER is a transformers model in safetensors; without one, a mixture of experts of the size of the largest
open models is made for the run (161 shards, 91,000 tensors; only headers are written, the weights are holes).
Beside it a GGUF file with a vocabulary of 152,000 words. Every reader runs in a process of its own, three
times in turn; the table gives the best time, the highest memory above that of the imports, and ratios.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 3
SHARDS, LAYERS, EXPERTS = 161, 61, 256
WORDS = 152_000


Work = Callable[[], str]
"""What is measured; it says what came of it."""


def card_alone(path: Path) -> Work:
    """The card of a folder that was looked at before, as for a folder that is approved."""
    from dxwatchd.card.serialize import dump
    from dxwatchd.card.sources import Identity
    from dxwatchd.cardmaking import make_card
    from dxwatchd.commands.one_folder import look

    looked = look(path.parent, path.name, ())
    model, verdict = next(pair for pair in looked.models if pair[0].path == path.name)
    identity = Identity("a-model", "A-Model", path.name, path.name, verdict.fingerprint)

    def work() -> str:
        card = make_card(path.parent, model, identity)
        return f"{card.parameters.total:,} parameters, {len(dump(card)):,} bytes of card"

    return work


def from_nothing(path: Path) -> Work:
    """Looking at the folder, proving it whole and making its card."""
    import dxwatchd.cardmaking
    import dxwatchd.commands.one_folder  # noqa: F401 - imports are not measured

    return lambda: card_alone(path)()


def huggingface_hub(path: Path) -> Work:
    """What huggingface_hub tells of the headers of a local folder."""
    from huggingface_hub import get_local_safetensors_metadata

    def work() -> str:
        told = get_local_safetensors_metadata(path)
        return f"{sum(told.parameter_count.values()):,} stored elements"

    return work


def gguf_reader(path: Path) -> Work:
    """What the gguf package's reader tells of a file."""
    from gguf import GGUFReader

    def work() -> str:
        reader = GGUFReader(next(path.glob("*.gguf")))
        return f"{len(reader.tensors)} tensors, {len(reader.fields)} fields"

    return work


READERS: dict[str, tuple[str, Callable[[Path], Work]]] = {
    "card": ("dxwatchd: the card", card_alone),
    "all": ("dxwatchd: look, prove, card", from_nothing),
    "hub": ("huggingface_hub: headers only", huggingface_hub),
    "gguf": ("gguf.GGUFReader", gguf_reader),
}


def measure(reader: str, path: Path) -> dict[str, object]:
    """Seconds and peak bytes of one reader, in this process, above what its preparation took."""
    read = READERS[reader][1](path)
    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak counts anew
    before, began = _memory("VmRSS"), time.perf_counter()
    said = read()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "bytes": max(_memory("VmHWM") - before, 0), "said": said}


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def compare(title: str, path: Path, readers: tuple[str, ...]) -> None:
    """Run the readers in turn and print their best figures."""
    runs: dict[str, list[dict[str, float | str]]] = {reader: [] for reader in readers}
    for _ in range(ROUNDS):
        for reader in readers:
            done = subprocess.run(
                [sys.executable, __file__, "--one", reader, str(path)], capture_output=True, check=True
            )
            runs[reader].append(json.loads(done.stdout))
    seconds = {reader: min(float(run["seconds"]) for run in ran) for reader, ran in runs.items()}
    peaks = {reader: max(float(run["bytes"]) for run in ran) for reader, ran in runs.items()}
    print(f"\n{title}")
    for reader in readers:
        times = seconds[reader] / seconds["card"]
        memory = peaks[reader] / max(peaks["card"], 1)
        print(
            f"  {READERS[reader][0]:32} {seconds[reader]:8.3f} s ({times:6.2f} x)"
            f" {peaks[reader] / 2**20:8.1f} MiB ({memory:6.2f} x)  {runs[reader][0]['said']}"
        )


def make_mixture(folder: Path) -> None:
    """A mixture of experts of 61 layers with 256 experts each, its weights holes."""
    names = [("model.embed_tokens.weight", (129_280, 7168)), ("model.norm.weight", (7168,))]
    for layer in range(LAYERS):
        head = f"model.layers.{layer}"
        names += [(f"{head}.self_attn.{part}_proj.weight", (4096, 7168)) for part in ("q", "k", "v", "o")]
        for expert in range(EXPERTS):
            names += [(f"{head}.mlp.experts.{expert}.{part}_proj.weight", (2048, 7168)) for part in _PARTS]
            names += [
                (f"{head}.mlp.experts.{expert}.{part}_proj.weight_scale_inv", (16, 56)) for part in _PARTS
            ]
    config = {
        "model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "hidden_size": 7168,
        "num_hidden_layers": LAYERS, "num_attention_heads": 128, "n_routed_experts": EXPERTS,
        "num_experts_per_tok": 8, "vocab_size": 129_280, "kv_lora_rank": 512, "qk_rope_head_dim": 64,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    weight_map = {}
    for shard in range(SHARDS):
        file = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        held = names[shard * len(names) // SHARDS : (shard + 1) * len(names) // SHARDS]
        _write_shard(folder / file, held)
        weight_map.update(dict.fromkeys((name for name, _ in held), file))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


_PARTS = ("gate", "up", "down")


def _write_shard(path: Path, held: list[tuple[str, tuple[int, ...]]]) -> None:
    header, end = {}, 0
    for name, shape in held:
        width = 4 if name.endswith("_inv") else 1
        size = width * shape[0] * (shape[1] if len(shape) > 1 else 1)
        dtype = "F32" if width == 4 else "F8_E4M3"
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    data = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(data).to_bytes(8, "little") + data)
        file.truncate(8 + len(data) + end)


def make_gguf(folder: Path) -> None:
    """A small network with the vocabulary of a large one: words, scores, types and merges."""
    import numpy
    from gguf import GGUFWriter

    writer = GGUFWriter(folder / "a-model-f16.gguf", "llama")
    writer.add_block_count(2)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"word{number}" for number in range(WORDS)])
    writer.add_token_types([1] * WORDS)
    writer.add_token_scores([0.0] * WORDS)
    writer.add_token_merges([f"wo rd{number}" for number in range(WORDS)])
    writer.add_tensor("token_embd.weight", numpy.zeros((64, 64), dtype=numpy.float16))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        step()
    writer.close()


def main() -> None:
    """Compare, or be one of those that are compared."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    with tempfile.TemporaryDirectory() as space:
        mixture, vocabulary = Path(space) / "mixture", Path(space) / "vocabulary"
        vocabulary.mkdir()
        make_gguf(vocabulary)
        if len(sys.argv) > 1:
            mixture = Path(sys.argv[1]).resolve()
        else:
            mixture.mkdir()
            make_mixture(mixture)
        shards = len(list(mixture.glob("*.safetensors")))
        compare(f"{mixture.name}: {shards} safetensors files", mixture, ("card", "all", "hub"))
        compare(f"a GGUF file with {WORDS:,} words", vocabulary, ("card", "all", "gguf"))


if __name__ == "__main__":
    main()
