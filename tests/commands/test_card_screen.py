"""The card on one screen: what is said of which model, and that it fits."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dxwatchd.card.parts import (
    Adapter,
    Ancestor,
    Architecture,
    Attention,
    Capabilities,
    ChatTemplate,
    Component,
    Conflict,
    Context,
    CustomCode,
    FilePart,
    Integrity,
    KvCache,
    KvLayers,
    MemoryEstimate,
    Moe,
    Parameters,
    Provenance,
    Quantization,
    SentenceTransformers,
    ServingMemory,
    Statement,
    Tokenizer,
    TrainingMemory,
    WeightSetPart,
)
from dxwatchd.card.schema import Card
from dxwatchd.commands import output
from dxwatchd.commands.card_screen import TEXT_LIMIT, WARNINGS_SHOWN, groups

LINES, COLUMNS = 45, 100
GIB = 2**30


def made(**more: Any) -> Card:
    """A card with as little as a card can have, and `more`."""
    least = {
        "technical_name": "qwen3-8b",
        "model_name": "Qwen3-8B",
        "kind": "model",
        "layout": "transformers",
        "path": "Qwen/Qwen3-8B",
        "entry_path": "Qwen/Qwen3-8B",
        "availability": "available",
        "revision": 3,
        "change": "approved_again",
        "fingerprint": "sha256:" + "0" * 64,
    }
    return Card(**{**least, **more})


def told(*, published: bool = True, **more: Any) -> dict[str, str]:
    """The rows of such a card, by label; a label's last one where it has several."""
    return {row.label: row.text for group in groups(made(**more), published=published) for row in group}


DENSE: dict[str, Any] = {
    "model_usage_type": "chat",
    "pipeline_tag": "text-generation",
    "license": "apache-2.0",
    "language": tuple(f"l{number}" for number in range(20)),
    "base_model": ("Qwen/Qwen3-8B-Base",),
    "base_model_relation": "finetune",
    "architecture": Architecture(
        model_type="qwen3",
        architectures=("Qwen3ForCausalLM",),
        hidden_size=4096,
        intermediate_size=12288,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        vocab_size=151936,
        tie_word_embeddings=False,
        attention=Attention(type="gqa", layer_types=("full_attention",) * 36),
    ),
    "parameters": Parameters(total=8190735360, active=8190735360, bytes=16381470720, exact=True),
    "dtype": "bfloat16",
    "context": Context(declared=40960, native=40960, effective=40960, rule="declared"),
    "kv_cache": KvCache(
        bytes_per_token=147456,
        constant_bytes=0,
        dtype="bfloat16",
        layers=(KvLayers(layer_type="full_attention", layers=36, bytes_per_token=147456),),
    ),
    "memory_estimate": MemoryEstimate(
        weights_bytes=15 * GIB,
        serving=(
            ServingMemory(context=40960, batch_size=1, kv_cache_bytes=6 * GIB, total_bytes=21 * GIB),
            ServingMemory(context=4096, batch_size=8, kv_cache_bytes=5 * GIB, total_bytes=20 * GIB),
        ),
        training=(
            TrainingMemory(
                method="full",
                trainable=1,
                weights_bytes=1,
                gradients_bytes=1,
                optimizer_bytes=1,
                total_bytes=122 * GIB,
            ),
            TrainingMemory(
                method="lora",
                r=16,
                trainable=1,
                weights_bytes=1,
                gradients_bytes=1,
                optimizer_bytes=1,
                total_bytes=16 * GIB,
            ),
        ),
        excludes=("activations (1 to 3 GiB)", "in training: activations, which grow"),
    ),
    "tokenizer": Tokenizer(
        tokenizer_class="Qwen2Tokenizer",
        chat_templates=(
            ChatTemplate(name="default", source="x", sha256="0", flags=("tools", "thinking")),
            ChatTemplate(name="rag", source="x", sha256="0"),
        ),
    ),
    "generation_config": {"temperature": 0.6, "top_k": 20, "do_sample": True, "top_p": "much"},
    "capabilities": Capabilities(
        input_types=("text",), output_types=("text",), tool_usage=True, reasoning=True, confidence="stated"
    ),
    "weight_sets": (
        WeightSetPart(format="pytorch", primary=False, files=("b",), bytes=1),
        WeightSetPart(format="safetensors", primary=True, files=("a",), bytes=1),
    ),
    "files": (FilePart(name="a", size=15 * GIB), FilePart(name="b", size=GIB)),
}


def test_a_dense_model() -> None:
    """Everything a person asks, in the words of the field."""
    assert told(**DENSE) == {
        "technical name": "qwen3-8b",
        "model name": "Qwen3-8B",
        "path": "Qwen/Qwen3-8B",
        "availability": "available",
        "revision": "3 (approved again)",
        "kind": "model, transformers",
        "task": "text-generation, used as chat, text → text, tools, reasoning",
        "licence": "apache-2.0",
        "languages": ", ".join(f"l{number}" for number in range(12)) + " and 8 more",
        "base model": "Qwen/Qwen3-8B-Base → unresolved (finetune)",
        "architecture": "Qwen3ForCausalLM (qwen3)",
        "parameters": "8,190,735,360 (8.19 B)",
        "dtype": "bfloat16",
        "layers": "36, hidden size 4,096, feed-forward 12,288, vocabulary 151,936",
        "attention": "gqa, 32 heads of 128, 8 for keys and values",
        "context": "40,960 tokens",
        "KV cache": "144 KiB a token, bfloat16",
        "to serve": "21.0 GiB for 1 × 40,960 tokens, 20.0 GiB for 8 × 4,096 tokens",
        "to train": "122 GiB full, 16.0 GiB LoRA (r 16)",
        "left out": "activations; in training: activations",
        "tokenizer": "Qwen2Tokenizer",
        "chat templates": "default (tools, thinking), rag",
        "generation": "temperature 0.6, top_k 20",
        "digests": "not computed",
        "size": "16.0 GiB, 2 files, safetensors + pytorch",
        "fingerprint": "sha256:" + "0" * 64,
    }


def test_what_is_not_known_is_not_said() -> None:
    """No dashes, no nulls, no empty rows."""
    assert set(told(published=False)) == {
        "technical name",
        "model name",
        "path",
        "kind",
        "size",
        "fingerprint",
    }


LAYERS = ("full_attention", "linear_attention", "linear_attention", "linear_attention") * 12


@pytest.mark.parametrize(
    ("more", "label", "text"),
    [
        (
            {
                "architecture": Architecture(
                    moe=Moe(num_experts=128, num_experts_per_tok=8, num_shared_experts=1)
                )
            },
            "experts",
            "128, 8 per token, 1 shared",
        ),
        (
            {
                "parameters": Parameters(
                    total=685 * 10**9, active=37 * 10**9, multi_token_prediction=14 * 10**9, exact=True
                )
            },
            "parameters",
            "685,000,000,000 (685 B), 37.0 B active, 14.0 B for multi-token prediction",
        ),
        (
            {"architecture": Architecture(attention=Attention(type="gqa", layer_types=LAYERS))},
            "attention",
            "gqa, 12 of 48 layers full attention, 36 linear attention",
        ),
        (
            {
                "kv_cache": KvCache(
                    bytes_per_token=49152,
                    constant_bytes=6 * 2**20,
                    layers=(
                        KvLayers(layer_type="sliding_attention", layers=13),
                        KvLayers(layer_type="full_attention", layers=12),
                    ),
                ),
                "architecture": Architecture(attention=Attention(sliding_window=4096)),
            },
            "attention",
            "12 of 25 layers full attention, 13 sliding attention, window 4,096",
        ),
        (
            {"kv_cache": KvCache(bytes_per_token=70272, constant_bytes=2**20, dtype="bfloat16")},
            "KV cache",
            "68.62 KiB a token, 1.00 MiB whatever the length, bfloat16",
        ),
        (
            {"kv_cache": KvCache(bytes_per_token=0, constant_bytes=2**20)},
            "KV cache",
            "does not grow, 1.00 MiB whatever the length",
        ),
        (
            {"context": Context(declared=131072, native=4096, effective=4096, rule="longrope: original")},
            "context",
            "4,096 tokens (declared 131,072, longrope: original)",
        ),
        (
            {"quantization": Quantization(quant_method="gptq", bits=4, group_size=128)},
            "quantisation",
            "gptq, 4 bits, groups of 128",
        ),
        (
            {"quantization": Quantization(quant_method="gptq", bits=3, group_size=-1)},
            "quantisation",
            "gptq, 3 bits, one group a column",
        ),
        (
            {"quantization": Quantization(quant_method="fp8", weight_block_size=(128, 128))},
            "quantisation",
            "fp8, blocks of 128 × 128",
        ),
        (
            {"layout": "gguf", "quantization": Quantization(quant_method="gguf", quant_type="Q4_K_M")},
            "quantisation",
            "gguf, Q4_K_M",
        ),
        (
            {
                "adapter": Adapter(
                    peft_type="LORA",
                    r=16,
                    lora_alpha=32.0,
                    target_modules=tuple("abcdefghij"),
                    use_dora=True,
                )
            },
            "adapter",
            "LORA, r 16, alpha 32, DoRA, on a, b, c, d, e, f, g, h and 2 more",
        ),
        (
            {"adapter": Adapter(base_model_name_or_path="org/x", base_model_resolved="x")},
            "base model",
            "org/x → x",
        ),
        ({"adapter": Adapter(base_model_name_or_path="org/x")}, "base model", "org/x → unresolved"),
        (
            {"lineage": (Ancestor(name="org/x", relation="quantized", technical_name="x", source="s"),)},
            "base model",
            "org/x → x (quantized)",
        ),
        (
            {
                "sentence_transformers": SentenceTransformers(
                    pooling_mode="mean", embedding_dimension=384, max_seq_length=256, normalize=True
                )
            },
            "embedding",
            "mean pooling, 384 dimensions, at most 256 tokens, normalised",
        ),
        (
            {
                "components": (
                    Component(name="unet", library="diffusers", class_name="UNet2DConditionModel"),
                    Component(name="vae", library="diffusers", class_name="AutoencoderKL"),
                )
            },
            "components",
            "unet UNet2DConditionModel, vae AutoencoderKL",
        ),
        (
            {"custom_code": CustomCode(required=True, python_files=("modeling_x.py",))},
            "custom code",
            "must be trusted to load it (trust_remote_code), modeling_x.py",
        ),
        (
            {"custom_code": CustomCode(required=False, python_files=("a.py",))},
            "custom code",
            "not needed: a.py",
        ),
        ({"custom_code": CustomCode(python_files=("a.py",))}, "custom code", "a.py"),
        (
            {"integrity": Integrity(pickle_present=True, disallowed_globals=("os.system",))},
            "pickles",
            "loading runs code that imports os.system",
        ),
        (
            {"integrity": Integrity(status="mismatch", mismatched_files=("model.safetensors",))},
            "digests",
            "mismatch: model.safetensors not what was downloaded",
        ),
        (
            {
                "integrity": Integrity(
                    status="verified", provenance=(Provenance(source="hub notes", files=3),)
                )
            },
            "digests",
            "verified by hub notes",
        ),
        ({"integrity": Integrity(status="computed")}, "digests", "computed; no download to compare with"),
        ({"license": "other", "license_name": "gemma", "license_link": "l"}, "licence", "other, gemma, l"),
        ({"license": "mit", "license_name": "gemma"}, "licence", "mit"),
        ({"overrides": {"tags": ["a"], "license": "mit"}}, "manifest says", "license, tags"),
        ({"notes": "for the\nnight shift"}, "notes", "for the\\x0anight shift"),
        (
            {"memory_estimate": MemoryEstimate(weights_bytes=GIB, excludes=("activations (much)",))},
            "to serve",
            "1.00 GiB",
        ),
    ],
)
def test_what_is_said_of_a_part(more: dict[str, Any], label: str, text: str) -> None:
    """One row, in few words."""
    assert told(**more)[label] == text


def test_what_to_do_is_said_with_what_is_wrong() -> None:
    """Drifted, missing and moved models name the command that helps; others have no such words."""
    drifted = told(availability="drifted", change="drifted")["availability"]
    assert "`dxwatchd explain Qwen/Qwen3-8B`" in drifted
    assert "`dxwatchd approve qwen3-8b`" in drifted
    assert "`dxwatchd remove qwen3-8b`" in told(availability="missing")["availability"]
    assert "moved from Qwen/Qwen3-8B" in told(path="new/place")["path"]
    assert not {"availability", "revision"} & set(told(published=False, path="new/place"))


def test_warnings_come_with_the_gravest_first_and_the_rest_is_counted() -> None:
    """So that a mismatch is not hidden behind ten remarks on a config."""
    remarks = tuple(f"remark {number}" for number in range(6))
    grave = ("a.bin: a pickle imports os.system", "a.bin is not what was downloaded")
    conflict = Conflict(
        field="dtype",
        statements=(
            Statement(source="config.json#/dtype", value="float16"),
            Statement(source="headers", value="BF16"),
        ),
    )
    card = made(
        warnings=(*remarks, *grave), conflicts=(conflict,) * 5, integrity=Integrity(warnings=("remark 0",))
    )
    last = groups(card, published=True)[-1]
    shown = [row.text for row in last if row.label == "warning"]
    assert shown == [grave[1], grave[0], *remarks[: WARNINGS_SHOWN - 2]]
    assert [row.text for row in last if row.label == "conflict"] == [
        "dtype: config.json#/dtype says float16; headers says BF16"
    ] * 3
    assert last[-1] == ("and", "2 more conflicts, 3 more warnings: `dxwatchd show qwen3-8b --json`")
    assert groups(card, published=False)[-1][-1].text.endswith("`dxwatchd card PATH --json`")


def _screen(card: Card, *, terminal: bool, monkeypatch: pytest.MonkeyPatch) -> str:
    file = io.StringIO()
    made_console = Console(
        file=file,
        force_terminal=terminal,
        width=COLUMNS if terminal else 200,
        highlight=False,
        soft_wrap=True,
    )
    monkeypatch.setattr(output, "console", lambda: made_console)
    output.labelled(groups(card, published=True))
    return file.getvalue()


def test_on_a_terminal_long_rows_go_on_below_their_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere each row is one line, so that grep finds it whole."""
    card = made(notes="word " * 40, language=("日本語" * 20,))
    lines = [_plain(line) for line in _screen(card, terminal=True, monkeypatch=monkeypatch).splitlines()]
    assert all(cell_len(line) <= COLUMNS for line in lines)
    start = next(at for at, line in enumerate(lines) if line.startswith("notes"))
    assert lines[start + 1].startswith(" " * (output.LABEL_WIDTH + 1) + "word")
    piped = _screen(card, terminal=False, monkeypatch=monkeypatch).splitlines()
    assert sum(line.startswith("notes") for line in piped) == 1
    assert not any(line.startswith(" ") for line in piped)


def _plain(line: str) -> str:
    return Text.from_ansi(line).plain


def test_markup_and_control_characters_are_shown_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's text can neither colour the screen nor forge a line of it."""
    card = made(model_name="[red]x[/red]", notes="a\x1b[2Jb\r\nfingerprint sha256:1", license="\u202egpl")
    shown = _screen(card, terminal=False, monkeypatch=monkeypatch)
    assert "[red]x[/red]" in shown
    assert "a\\x1b[2Jb\\x0d\\x0afingerprint" in shown
    assert "\\u202egpl" in shown
    assert sum(line.startswith("fingerprint") for line in shown.splitlines()) == 1


@given(st.text(max_size=400), st.lists(st.text(max_size=60), max_size=70))
def test_any_text_gives_bounded_printable_rows(text: str, several: list[str]) -> None:
    """Whatever stands in a card."""
    safe = text.encode("utf-8", "replace").decode()
    listed = tuple(one.encode("utf-8", "replace").decode() for one in several)
    card = made(
        notes=safe, model_name=safe, language=listed, warnings=listed, base_model=listed, license=safe
    )
    for group in groups(card, published=True):
        assert group
        for row in group:
            assert row.text
            assert row.text.isprintable()
            assert len(row.text) <= TEXT_LIMIT * 10  # an escape takes up to ten characters


FAMILIES = (
    "all-minilm-l6-v2",
    "bert-base-uncased",
    "bge-m3-tr",
    "bloom-176b-lfs",
    "deepseek-ocr2",
    "devstral-small-2507",
    "flux-optimized",
    "gemma4-31b-nvfp4",
    "genz-70b-gptq",
    "gguf-bert-bge-vocab",
    "kimi-k2",
    "lora-ko-14b-qlora",
    "minimax-m2.5",
    "nllb-med",
    "qwen3.5-27b",
    "sd-1.5-mixed",
    "whisper-small-nb",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_real_models_fit_on_one_screen(
    make_folder: Callable[..., dict[str, int]], tmp_path: Path, family: str
) -> None:
    """45 lines by 100 columns in a real terminal, each model of the corpus that has much to say."""
    make_folder(family, tmp_path / family)
    shown = _in_terminal("card", str(tmp_path / family)).splitlines()
    lines = [_plain(line) for line in shown if "not whole: " not in line]
    assert len(lines) <= LINES - 1  # the prompt needs one
    assert all(cell_len(line) <= COLUMNS for line in lines)
    assert lines[0].startswith("technical name")
    assert any(line.startswith("size") for line in lines)


def _in_terminal(*arguments: str) -> str:
    """What a command prints on a terminal of 45 lines and 100 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environ = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("dxwatchd")), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environ, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # how Linux says that nobody has the other end open any more
            break
        if not data:
            break
        said += data
    os.close(ours)
    process.wait()
    return said.decode().replace("\r\n", "\n")
