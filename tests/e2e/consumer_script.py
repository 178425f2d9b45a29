"""What a training or serving component does with a card, as a script: it knows a technical name and a state
directory, opens nothing but these, and prints the commands that it would run, as JSON.

    python consumer_script.py TECHNICAL_NAME STATE_DIRECTORY [MODELS_ROOT]

Options as of vLLM 0.11 and later (`--runner` took the place of `--task`), TRL 0.24 and later (`--dtype` took
the place of `--torch_dtype`, `--max_length` of `--max_seq_length`), transformers 5 and Ollama's Modelfile.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from dxwatchd import Card, load_card, model_folder

VLLM_DTYPES = ("float16", "bfloat16", "float32")
VLLM_LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
DEFAULT_LORA_RANK = 16

# End of an architecture's name → the auto class that loads it.
AUTO_CLASSES = (
    ("ForCausalLM", "AutoModelForCausalLM"),
    ("LMHeadModel", "AutoModelForCausalLM"),
    ("ForMaskedLM", "AutoModelForMaskedLM"),
    ("ForSequenceClassification", "AutoModelForSequenceClassification"),
    ("ForTokenClassification", "AutoModelForTokenClassification"),
    ("ForQuestionAnswering", "AutoModelForQuestionAnswering"),
    ("ForImageClassification", "AutoModelForImageClassification"),
    ("ForCTC", "AutoModelForCTC"),
    ("WhisperForConditionalGeneration", "AutoModelForSpeechSeq2Seq"),
)


class Consumer:
    """The commands for one model. base: the registered model that an adapter belongs to."""

    def __init__(self, name: str, state: Path, root: Path | None = None) -> None:
        self.state, self.root = state, root
        self.card = load_card(name, state_dir=state)
        self.folder = str(model_folder(self.card, state_dir=state, models_root=root))
        self.base: Consumer | None = None
        adapter = self.card.adapter
        if adapter is not None and adapter.base_model_resolved not in (None, "unresolved"):
            self.base = Consumer(str(adapter.base_model_resolved), state, root)

    @property
    def is_gguf(self) -> bool:
        return self.card.layout == "gguf"

    @property
    def embeds(self) -> bool:
        return self.card.sentence_transformers is not None or self.card.pipeline_tag == "feature-extraction"

    @property
    def weights(self) -> str:
        """The first file of the weights: a runtime finds the rest of a split set itself."""
        primary = next(one for one in self.card.weight_sets if one.primary)
        return f"{self.folder}/{primary.files[0]}"

    @property
    def dtype(self) -> str | None:
        return self.card.dtype if self.card.dtype in VLLM_DTYPES else None

    def vllm(self) -> list[str] | None:
        """`vllm serve`, None for what it does not serve."""
        card = self.card
        if card.kind == "adapter":
            return self._vllm_adapter()
        if card.kind != "model":
            return None
        command = ["vllm", "serve", self.weights if self.is_gguf else self.folder]
        command += ["--served-model-name", card.technical_name]
        if card.context.effective:
            command += ["--max-model-len", str(card.context.effective)]
        if self.dtype:
            command += ["--dtype", self.dtype]
        if card.quantization is not None and not _says_so_itself(card):
            command += ["--quantization", str(card.quantization.quant_method)]
        if card.custom_code.required:
            command.append("--trust-remote-code")
        if self.embeds:
            command += ["--runner", "pooling"]
        return command

    def _vllm_adapter(self) -> list[str] | None:
        served = self.base.vllm() if self.base is not None else None
        if served is None:
            return None
        command = [*served, "--enable-lora", "--lora-modules", f"{self.card.technical_name}={self.folder}"]
        rank = (self.card.adapter.r if self.card.adapter else None) or DEFAULT_LORA_RANK
        if rank > DEFAULT_LORA_RANK:
            command += ["--max-lora-rank", str(next(one for one in VLLM_LORA_RANKS if one >= rank))]
        return command

    def trl(self) -> list[str] | None:
        """`trl sft` with LoRA, on an adapter's base with the adapter's own shape; None for what it cannot."""
        model = self.base if self.card.kind == "adapter" else self
        if model is None or model.is_gguf or model.embeds or model.card.kind != "model":
            return None
        lora = next((one for one in model.card.memory_estimate.training if one.method == "lora"), None)
        part = self.card.adapter
        rank, modules = (
            (part.r, part.target_modules) if part else (lora.r, lora.target_modules) if lora else (None, ())
        )
        if rank is None or not modules:
            return None
        command = ["trl", "sft", "--model_name_or_path", model.folder]
        if model.dtype:
            command += ["--dtype", model.dtype]
        if model.card.context.effective:
            command += ["--max_length", str(model.card.context.effective)]
        command += ["--use_peft", "--lora_r", str(rank)]
        if part and part.lora_alpha:
            command += ["--lora_alpha", f"{part.lora_alpha:g}"]
        command += ["--lora_target_modules", *modules]
        if model.card.custom_code.required:
            command.append("--trust_remote_code")
        return command

    def modelfile(self) -> str | None:
        """An Ollama Modelfile, None for what Ollama cannot import. Ollama reads a GGUF's own template."""
        if self.card.kind == "adapter":
            made = self.base.modelfile() if self.base is not None else None
            return f"{made}ADAPTER {self.folder}\n" if made else None
        if self.card.kind != "model" or (self.card.quantization is not None and not self.is_gguf):
            return None
        lines = [f"FROM {self.weights if self.is_gguf else self.folder}"]
        if self.card.context.effective:
            lines.append(f"PARAMETER num_ctx {self.card.context.effective}")
        stated = self.card.generation_config or {}
        lines += [
            f"PARAMETER {key} {stated[key]}"
            for key in ("temperature", "top_p", "top_k")
            if isinstance(stated.get(key), int | float)
        ]
        return "\n".join(lines) + "\n"

    def transformers(self) -> str | None:
        """The call that loads it, None for pipelines and adapters without a base."""
        if self.card.kind == "adapter":
            loaded = self.base.transformers() if self.base is not None else None
            return f"{loaded}.load_adapter({self.folder!r})" if loaded else None
        if self.card.kind != "model":
            return None
        arguments = [repr(self.folder)]
        if self.is_gguf:
            arguments.append(f"gguf_file={Path(self.weights).name!r}")
        if self.card.dtype:
            arguments.append(f"dtype={self.card.dtype!r}")
        if self.card.custom_code.required:
            arguments.append("trust_remote_code=True")
        return f"{self.auto_class()}.from_pretrained({', '.join(arguments)})"

    def auto_class(self) -> str:
        """What a model's own code registers itself for, else by the architecture's name."""
        own = [name for name in self.card.custom_code.auto_map if name.startswith("AutoModel")]
        if own:
            return next((name for name in own if name != "AutoModel"), own[0])
        if self.is_gguf:
            return "AutoModelForCausalLM"
        if self.embeds:
            return "AutoModel"
        if self.card.model_usage_type == "vision-language":
            return "AutoModelForImageTextToText"
        for architecture in self.card.architecture.architectures[:1]:
            for end, name in AUTO_CLASSES:
                if architecture.endswith(end):
                    return name
        return "AutoModel"


def _says_so_itself(card: Card) -> bool:
    """Whether loaders find the quantisation by themselves: in config.json, in the weights' own header, or in
    modelopt's file; AutoGPTQ's and AutoAWQ's old files of their own are read only where an option names them.
    """
    source = card.sources.get("quantization", "")
    return not source.startswith(("quantize_config.json", "quant_config.json"))


def main() -> None:
    """Print everything that can be built for the model."""
    name, state, *root = sys.argv[1:]
    consumer = Consumer(name, Path(state), Path(root[0]) if root else None)
    made: dict[str, Any] = {
        "folder": consumer.folder,
        "availability": consumer.card.availability,
        "vllm": consumer.vllm(),
        "trl": consumer.trl(),
        "modelfile": consumer.modelfile(),
        "transformers": consumer.transformers(),
    }
    print(json.dumps(made))


if __name__ == "__main__":
    main()
