"""A consumer needs a technical name and the state directory, nothing else, to serve or train a model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.conftest import REPOSITORY
from tests.e2e.conftest import Place
from tests.e2e.test_names import tiny_model

SCRIPT: Final = REPOSITORY / "tests" / "e2e" / "consumer_script.py"
Ask = Callable[..., dict[str, Any]]
LLAMA_MODULES = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, real_model: Path) -> Place:
    """A state directory with a card of each kind of model, made by the installed command."""
    place = Place(tmp_path_factory.mktemp("consumer"))
    place.options |= {"quiet_period": 0, "remote_quiet_period": 0, "digests": "off"}
    _dense(place.models / "Acme" / "Sorter-1B", real_model)
    _experts_with_code(place.models / "Acme" / "Mixer-8x1B")
    _gguf(place.models / "Acme" / "Sorter-1B-GGUF")
    _adapter(place.models / "Acme" / "Sorter-1B-letters", "Acme/Sorter-1B", rank=24)
    _adapter(place.models / "Acme" / "Stranger-lora", "Nobody/Knows-7B", rank=8)
    _quantised(place.models / "Acme" / "Sorter-1B-GPTQ", in_config=True)
    _quantised(place.models / "Acme" / "Sorter-1B-old-GPTQ", in_config=False)
    shutil.copytree(real_model, place.models / "all-MiniLM-L6-v2")
    place.run("scan", code=None)
    place.manifest.write_text(
        place.manifest.read_text().replace('status = "proposed"', 'status = "approved"')
    )
    place.run("scan", code=None)
    place.run("scan", code=None)  # what an adapter's base is called is known once that is published
    assert len(place.index()) == 8, place.run("status", code=None)
    return place


@pytest.fixture
def ask(published: Place) -> Ask:
    """Run the script as a component would: in a process of its own, with only the package to import."""
    return partial(_asked, published)


def _asked(place: Place, name: str, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), name, str(place.state), *more],
        capture_output=True,
        text=True,
        cwd=place.folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _config(folder: Path, **keys: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


def _dense(folder: Path, tokenizer_of: Path) -> None:
    """A Llama in miniature, with a real tokenizer and defaults for sampling."""
    tiny_model(folder)
    _config(
        folder, dtype="bfloat16", max_position_embeddings=4096, num_key_value_heads=1, intermediate_size=16
    )
    shapes = {"q_proj": (8, 8), "k_proj": (4, 8), "v_proj": (4, 8), "o_proj": (8, 8)}
    mlp = {"gate_proj": (16, 8), "up_proj": (16, 8), "down_proj": (8, 16)}
    tensors = {"model.embed_tokens.weight": np.zeros((16, 8), dtype=np.float32)}
    tensors |= {
        f"model.layers.0.self_attn.{name}.weight": np.zeros(shape, np.float32)
        for name, shape in shapes.items()
    }
    tensors |= {
        f"model.layers.0.mlp.{name}.weight": np.zeros(shape, np.float32) for name, shape in mlp.items()
    }
    (folder / "model.safetensors").write_bytes(_bfloat16(tensors))
    (folder / "generation_config.json").write_text(
        json.dumps({"temperature": 0.6, "top_p": 0.95, "top_k": 20})
    )
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(tokenizer_of / name, folder / name)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"model_max_length": 4096}))


def _bfloat16(tensors: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """A safetensors file of zeros with BF16 in its header, a type that numpy has not."""
    header, end = {}, 0
    for name, tensor in sorted(tensors.items()):
        header[name] = {
            "dtype": "BF16",
            "shape": list(tensor.shape),
            "data_offsets": [end, end + 2 * tensor.size],
        }
        end += 2 * tensor.size
    data = json.dumps(header).encode()
    return len(data).to_bytes(8, "little") + data + bytes(end)


def _experts_with_code(folder: Path) -> None:
    """A mixture of experts of a type that only its own code knows."""
    tiny_model(folder)
    _config(
        folder,
        model_type="acme_mixer",
        architectures=["AcmeMixerForCausalLM"],
        num_local_experts=8,
        num_experts_per_tok=2,
        dtype="float32",
        auto_map={
            "AutoConfig": "configuration_acme.AcmeMixerConfig",
            "AutoModelForCausalLM": "modeling_acme.AcmeMixerForCausalLM",
        },
    )
    tensors = {
        f"model.layers.0.mlp.experts.{number}.up_proj.weight": np.zeros((8, 8), dtype=np.float32)
        for number in range(8)
    }
    tensors["model.layers.0.self_attn.q_proj.weight"] = np.zeros((8, 8), dtype=np.float32)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "configuration_acme.py").write_text("raise SystemExit('nobody runs this')\n")
    (folder / "modeling_acme.py").write_text("raise SystemExit('nobody runs this')\n")


def _gguf(folder: Path) -> None:
    folder.mkdir(parents=True)
    writer = gguf.GGUFWriter(folder / "sorter-1b-Q8_0.gguf", "llama")
    writer.add_name("Sorter 1B")
    writer.add_block_count(1)
    writer.add_context_length(2048)
    writer.add_embedding_length(32)
    writer.add_head_count(4)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    tensor = gguf.quants.quantize(np.ones((32, 32), dtype=np.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.weight", tensor, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _adapter(folder: Path, base: str, rank: int) -> None:
    folder.mkdir(parents=True)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": 48,
        "target_modules": ["v_proj", "q_proj"],
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    weights = {
        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight": np.ones((rank, 8), np.float32)
    }
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def _quantised(folder: Path, *, in_config: bool) -> None:
    """GPTQ, as it says so today in config.json, or only in the file that AutoGPTQ wrote once."""
    tiny_model(folder)
    _config(folder, dtype="float16")
    layer = "model.layers.0.self_attn.q_proj"
    tensors: dict[str, np.ndarray[Any, Any]] = {
        "model.embed_tokens.weight": np.full((16, 8), 1 + in_config, np.float16),
        f"{layer}.qweight": np.ones((16, 128), np.int32),
        f"{layer}.qzeros": np.ones((1, 16), np.int32),
        f"{layer}.scales": np.ones((1, 128), np.float16),
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    stated = {"bits": 4, "group_size": 128, "quant_method": "gptq", "desc_act": False}
    if in_config:
        _config(folder, quantization_config=stated)
    else:
        (folder / "quantize_config.json").write_text(json.dumps(stated))


def test_a_dense_model(published: Place, ask: Ask) -> None:
    """Length, precision and sampling defaults come from the card; nothing is trusted."""
    folder = f"{published.models}/Acme/Sorter-1B"
    made = ask("sorter-1b")
    assert made["availability"] == "available"
    assert made["folder"] == folder
    assert made["vllm"] == [
        *("vllm", "serve", folder, "--served-model-name", "sorter-1b"),
        *("--max-model-len", "4096", "--dtype", "bfloat16"),
    ]
    assert made["trl"] == [
        *("trl", "sft", "--model_name_or_path", folder, "--dtype", "bfloat16", "--max_length", "4096"),
        *("--use_peft", "--lora_r", "16", "--lora_target_modules", *LLAMA_MODULES),
    ]
    assert made["modelfile"] == (
        f"FROM {folder}\nPARAMETER num_ctx 4096\nPARAMETER temperature 0.6\nPARAMETER top_p 0.95\n"
        "PARAMETER top_k 20\n"
    )
    assert made["transformers"] == f"AutoModelForCausalLM.from_pretrained('{folder}', dtype='bfloat16')"


def test_a_mixture_of_experts_with_code_of_its_own(published: Place, ask: Ask) -> None:
    """It is trusted by an option, everywhere, and loaded by the class that its code registers; experts are no
    targets of LoRA.
    """
    folder = f"{published.models}/Acme/Mixer-8x1B"
    made = ask("mixer-8x1b")
    assert made["vllm"] == [
        *("vllm", "serve", folder, "--served-model-name", "mixer-8x1b"),
        *("--max-model-len", "128", "--dtype", "float32", "--trust-remote-code"),
    ]
    assert made["trl"] == [
        *("trl", "sft", "--model_name_or_path", folder, "--dtype", "float32", "--max_length", "128"),
        *("--use_peft", "--lora_r", "16", "--lora_target_modules", "q_proj", "--trust_remote_code"),
    ]
    assert made["modelfile"] == f"FROM {folder}\nPARAMETER num_ctx 128\n"
    assert made["transformers"] == (
        f"AutoModelForCausalLM.from_pretrained('{folder}', dtype='float32', trust_remote_code=True)"
    )


def test_a_gguf(published: Place, ask: Ask) -> None:
    """Its file is named, not only its folder; no trainer takes it."""
    folder = f"{published.models}/Acme/Sorter-1B-GGUF"
    file = f"{folder}/sorter-1b-Q8_0.gguf"
    made = ask("sorter-1b-gguf")
    assert made["vllm"] == [
        *("vllm", "serve", file, "--served-model-name", "sorter-1b-gguf", "--max-model-len", "2048")
    ]
    assert made["trl"] is None
    assert made["modelfile"] == f"FROM {file}\nPARAMETER num_ctx 2048\n"
    assert made["transformers"] == (
        f"AutoModelForCausalLM.from_pretrained('{folder}', gguf_file='sorter-1b-Q8_0.gguf')"
    )


def test_an_adapter_whose_base_is_registered(published: Place, ask: Ask) -> None:
    """The base is served, or loaded, with the adapter on it, by its place, not by what somebody called it."""
    base, folder = f"{published.models}/Acme/Sorter-1B", f"{published.models}/Acme/Sorter-1B-letters"
    made = ask("sorter-1b-letters")
    assert made["vllm"] == [
        *("vllm", "serve", base, "--served-model-name", "sorter-1b"),
        *("--max-model-len", "4096", "--dtype", "bfloat16", "--enable-lora"),
        *("--lora-modules", f"sorter-1b-letters={folder}", "--max-lora-rank", "32"),
    ]
    assert made["trl"] == [
        *("trl", "sft", "--model_name_or_path", base, "--dtype", "bfloat16", "--max_length", "4096"),
        *("--use_peft", "--lora_r", "24", "--lora_alpha", "48", "--lora_target_modules", "q_proj", "v_proj"),
    ]
    assert made["modelfile"].startswith(f"FROM {base}\n")
    assert made["modelfile"].endswith(f"ADAPTER {folder}\n")
    assert made["transformers"] == (
        f"AutoModelForCausalLM.from_pretrained('{base}', dtype='bfloat16').load_adapter('{folder}')"
    )
    elsewhere = ask("sorter-1b-letters", "/mnt/models")
    assert elsewhere["vllm"][2] == "/mnt/models/Acme/Sorter-1B"
    assert "sorter-1b-letters=/mnt/models/Acme/Sorter-1B-letters" in elsewhere["vllm"]


def test_an_adapter_whose_base_is_not_there(ask: Ask) -> None:
    """Nothing is built: what it needs would have to be guessed, or fetched."""
    made = ask("stranger-lora")
    assert [made[kind] for kind in ("vllm", "trl", "modelfile", "transformers")] == [None] * 4


def test_an_embedding_model(published: Place, ask: Ask) -> None:
    """It is served by the pooling runner up to the length that it was made for, and not trained by SFT."""
    folder = f"{published.models}/all-MiniLM-L6-v2"
    made = ask("all-minilm-l6-v2")
    assert made["vllm"] == [
        *("vllm", "serve", folder, "--served-model-name", "all-minilm-l6-v2"),
        *("--max-model-len", "256", "--dtype", "float32", "--runner", "pooling"),
    ]
    assert made["trl"] is None
    assert made["modelfile"] == f"FROM {folder}\nPARAMETER num_ctx 256\n"
    assert made["transformers"] == f"AutoModel.from_pretrained('{folder}', dtype='float32')"


@pytest.mark.parametrize(
    ("name", "option"), [("sorter-1b-gptq", []), ("sorter-1b-old-gptq", ["--quantization", "gptq"])]
)
def test_a_quantised_model(published: Place, ask: Ask, name: str, option: list[str]) -> None:
    """The option is given only where a server would not find the quantisation by itself."""
    made = ask(name)
    command = ["vllm", "serve", made["folder"], "--served-model-name", name, "--max-model-len", "128"]
    assert made["vllm"] == [*command, "--dtype", "float16", *option]
    assert made["modelfile"] is None


def test_a_root_that_is_mounted_elsewhere(ask: Ask) -> None:
    """Every path is below the place that the consumer names."""
    made = ask("sorter-1b", "/mnt/models")
    assert made["folder"] == made["vllm"][2] == "/mnt/models/Acme/Sorter-1B"
    assert made["modelfile"].startswith("FROM /mnt/models/Acme/Sorter-1B\n")


def test_a_root_that_moved_is_followed(published: Place, ask: Ask, tmp_path: Path) -> None:
    """After the daemon's next start with the new place, the same name leads there."""
    moved = tmp_path / "elsewhere"
    shutil.copytree(published.state, tmp_path / "state")
    shutil.copytree(published.models, moved, symlinks=True)
    place = Place.__new__(Place)
    place.__dict__ |= published.__dict__
    place.models, place.state = moved, tmp_path / "state"
    place.run("scan", code=None)
    assert _asked(place, "sorter-1b")["folder"] == f"{moved}/Acme/Sorter-1B"
    assert ask("sorter-1b")["folder"] == f"{published.models}/Acme/Sorter-1B"


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("name", "model_type", "text", "tokens"),
    [
        ("all-minilm-l6-v2", "bert", "hello world", [101, 7592, 2088, 102]),
        ("sorter-1b", "llama", "hello world", [101, 7592, 2088, 102]),
    ],
)
def test_transformers_loads_config_and_tokenizer_from_the_cards_path(
    ask: Ask, name: str, model_type: str, text: str, tokens: list[int]
) -> None:
    """The path is a folder that the real library takes, and what it finds there is what the card says."""
    from transformers import AutoConfig, AutoTokenizer

    made = ask(name)
    config = AutoConfig.from_pretrained(made["folder"], local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(made["folder"], local_files_only=True)
    assert config.model_type == model_type
    assert tokenizer(text)["input_ids"] == tokens
    if name == "sorter-1b":
        assert str(config.max_position_embeddings) == made["vllm"][made["vllm"].index("--max-model-len") + 1]


@pytest.mark.oracle
def test_transformers_loads_the_config_of_a_real_familys_card(
    make_folder: Callable[..., dict[str, int]], tmp_path: Path
) -> None:
    """One of the corpus, registered like any other: class, length and precision are what the card gave."""
    from transformers import AutoConfig

    place = Place(tmp_path)
    place.options |= {"quiet_period": 0, "remote_quiet_period": 0, "digests": "off"}
    make_folder("qwen3-0.6b", place.models / "Qwen" / "Qwen3-0.6B")
    place.run("scan", code=None)
    place.run("approve", "qwen3-0.6b", code=None)
    place.run("scan", code=None)
    made = _asked(place, "qwen3-0.6b")
    config = AutoConfig.from_pretrained(made["folder"], local_files_only=True)
    assert made["vllm"][3:] == [
        *("--served-model-name", "qwen3-0.6b", "--max-model-len", str(config.max_position_embeddings)),
        *("--dtype", str(config.dtype).removeprefix("torch.")),
    ]
    assert made["trl"][-7:] == LLAMA_MODULES
    assert made["transformers"].startswith("AutoModelForCausalLM.from_pretrained(")
