"""What the corpus's folders say of themselves, read as they are, against what others read there."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import Identity
from dxwatchd.card.words.limitations import LIMIT
from dxwatchd.card.words.task_names import TASKS
from dxwatchd.cardmaking import read_inputs
from dxwatchd.core.model import Kind, Layout, ModelFile, ModelFolder

_OWN = frozenset({"ORIGIN.json", "expected.json", "recipe.json.gz"})
_MARKS = (
    ("adapter_config.json", Layout.PEFT, Kind.ADAPTER),
    ("model_index.json", Layout.DIFFUSERS, Kind.PIPELINE),
    ("modules.json", Layout.SENTENCE_TRANSFORMERS, Kind.MODEL),
    ("mlc-chat-config.json", Layout.MLC, Kind.MODEL),
    ("genai_config.json", Layout.ORT_GENAI, Kind.MODEL),
    ("open_clip_config.json", Layout.OPEN_CLIP, Kind.MODEL),
)


def _card(path: Path) -> Card:
    """The card of a family's folder without its weights; its files are really read."""
    names = sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())
    names = [name for name in names if name not in _OWN]
    layout, kind = next(
        ((layout, kind) for mark, layout, kind in _MARKS if mark in names), (Layout.TRANSFORMERS, Kind.MODEL)
    )
    if any(name.endswith(".onnx.json") for name in names):
        layout = Layout.PIPER
    parts = tuple(sorted({name.rpartition("/")[0] for name in names if "/" in name}))
    files = tuple(ModelFile(name, (path / name).stat().st_size) for name in names)
    model = ModelFolder(path.name, layout, kind, (), (), parts, files)
    identity = Identity("a-model", "A-Model", path.name, path.name, "sha256:" + "0" * 64)
    return build_card(read_inputs(path.parent, model), identity)


@pytest.fixture(scope="module")
def cards(corpus: Path) -> dict[str, Card]:
    """The cards of all families by name."""
    return {path.name: _card(path) for path in sorted(corpus.iterdir()) if path.is_dir()}


def _listed(stated: Any) -> Any:
    """A field's values as a list, each once. To YAML 1.1 Norwegian is false, which both oracles believe."""
    values = [stated] if isinstance(stated, str) else stated
    return list(dict.fromkeys("no" if value is False else value for value in values))


def _readmes(corpus: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Family and what another reader found in its README's front matter."""
    for path in sorted(corpus.glob("*/expected.json")):
        stated = json.loads(path.read_bytes()).get("model_cards", {}).get("README.md")
        if stated:
            yield path.parent.name, stated


_STATED = (
    "license",
    "license_name",
    "license_link",
    "language",
    "datasets",
    "tags",
    "pipeline_tag",
    "base_model",
)


def test_front_matter_is_what_the_oracle_read(corpus: Path, cards: dict[str, Card]) -> None:
    """Right, wrong and null by field over every README with front matter: nothing wrong, nothing missing."""
    table: dict[str, Counter[str]] = {field: Counter() for field in (*_STATED, "library_name")}
    wrong: list[str] = []
    for family, stated in _readmes(corpus):
        for field, counts in table.items():
            wanted, got = stated.get(field), getattr(cards[family], field)
            if wanted is None:
                continue
            if isinstance(got, tuple):
                wanted, got = _listed(wanted), list(got)
            verdict = "right" if got == wanted else "wrong" if got else "null"
            counts[verdict] += 1
            if verdict != "right":
                wrong.append(f"{family}: {field}: {got} for {wanted}")
    sys.stdout.write(f"\n{'field':16}{'right':>8}{'wrong':>8}{'null':>8}\n")
    for field, counts in table.items():
        sys.stdout.write(f"{field:16}{counts['right']:>8}{counts['wrong']:>8}{counts['null']:>8}\n")
    assert wrong == []
    assert sum(counts["right"] for counts in table.values()) > 140


@pytest.mark.oracle
def test_front_matter_is_what_huggingface_hub_reads(corpus: Path, cards: dict[str, Card]) -> None:
    """`ModelCard.load` of every README that it accepts."""
    from huggingface_hub import ModelCard

    compared = 0
    for path in sorted(corpus.glob("*/README.md")):
        try:
            data = ModelCard.load(path, ignore_metadata_errors=True).data
        except ValueError:
            continue  # a README that is no UTF-8, or whose front matter is none
        card = cards[path.parent.name]
        for field in ("license", "language", "datasets", "tags", "pipeline_tag", "library_name"):
            wanted, got = getattr(data, field, None), getattr(card, field)
            if wanted is None or (card.sources.get(field) or "") != f"README.md#{field}":
                continue
            compared += 1
            if isinstance(got, tuple):
                wanted, got = _listed(wanted), list(got)
            assert got == wanted, f"{path.parent.name}: {field}"
    assert compared > 100


# By reading the READMEs and configs, and the model cards on the Hub that the folders are copies of.
_TASKS = {
    "all-minilm-l6-v2": "sentence-similarity",
    "baichuan2-7b": "text-generation",
    "bart-large": "feature-extraction",
    "bert-base-uncased": "fill-mask",
    "chatglm-6b": None,
    "clip-vit-l14": "zero-shot-image-classification",
    "ddpm-butterflies": "unconditional-image-generation",
    "deepseek-ocr2": "image-text-to-text",
    "e5-mistral-7b": "feature-extraction",
    "faster-whisper-small-ct2": "automatic-speech-recognition",
    "flan-t5-large": "text2text-generation",
    "flux-optimized": "text-to-image",
    "fuyu-8b": "image-text-to-text",
    "gte-qwen2-7b": None,
    "internlm2-reward": None,
    "layoutlmv3-finetuned": "token-classification",
    "llava-1.5-7b-hf": "image-text-to-text",
    "longformer-lfs-config": None,
    "marian-romance-en-tf": "translation",
    "mlc-readerlm-v2": "text-generation",
    "molmo-7b-nf4": "image-text-to-text",
    "ms-marco-reranker": "text-ranking",
    "nllb-med": "translation",
    "ort-genai-gemma4": "image-text-to-text",
    "phi3-vision": "image-text-to-text",
    "piper-joe-medium": "text-to-speech",
    "qwen2.5-vl-7b": "image-text-to-text",
    "rmbg-1.4": "image-segmentation",
    "sam-vit-huge": "mask-generation",
    "sd-1.5-mixed": "text-to-image",
    "setfit-minilm": "text-classification",
    "skywork-reward-llama": "text-classification",
    "speecht5-vc": "audio-to-audio",
    "text-to-video-1.7b": "text-to-video",
    "vit-base-in21k": "image-feature-extraction",
    "voxtral-mini-3b": None,
    "whisper-small-nb": "automatic-speech-recognition",
}


def test_tasks(cards: dict[str, Card]) -> None:
    """By evidence of every kind, and null for folders that only a person could tell."""
    found = {family: cards[family].pipeline_tag for family in _TASKS}
    assert found == _TASKS
    for family, card in cards.items():
        assert (card.pipeline_tag is None) or card.tasks[0] == card.pipeline_tag, family
        assert set(card.tasks[1:]) <= TASKS


_AUTHORS = {
    "llama2-7b-hf": ("Meta",),
    "medgemma-27b-it": ("Google",),
    "atom-7b-bin": ("FlagAlphaAI",),
    "bloom-176b-lfs": ("BigScience",),
    "distilroberta-base": ("Victor Sanh, Lysandre Debut, Julien Chaumond, Thomas Wolf (Hugging Face)",),
    "fuyu-8b": ("Adept-AI",),
    "genz-70b-gptq": ("Bud",),
    "redpajama-7b": ("Together Computer",),
    "rmbg-1.4": ("BRIA AI",),
    "sd-1.5-mixed": ("Robin Rombach, Patrick Esser",),
    "sdxl-base-1.0": ("Stability AI",),
    "stable-cascade": ("Stability AI",),
    "text-to-video-1.7b": ("ModelScope",),
    "whisper-small-nb": ("NB AI-Lab",),
}


def test_authors(cards: dict[str, Card]) -> None:
    """Those that a README names as makers, and of no other folder."""
    assert {family: card.authors for family, card in cards.items() if card.authors} == _AUTHORS


# Family → the beginning of its limitations.
_LIMITATIONS = {
    "bert-base-uncased": "Even if the training data used for this model",
    "bge-m3-tr": "- The model is trained primarily on scientific/technical Turkish",
    "bloom-176b-lfs": "This section identifies foreseeable harms",
    "clip-vit-l14": "CLIP and our analysis of it have a number of limitations.",
    "distilroberta-base": "Significant research has explored bias",
    "falcon-40b": "Falcon-40B is trained mostly on English, German",
    "flan-t5-large": "The information below in this section are copied",
    "fuyu-8b": "- Faces and people in general may not be generated properly.",
    "gpt2-xl": "CONTENT WARNING: Readers should be aware",
    "gptj-6b": "The core functionality of GPT-J is taking a string",
    "granite-3b-code": "Granite code instruct models are primarily finetuned",
    "gte-small-transformersjs": "This model exclusively caters to English texts",
    "llama2-7b-hf": "Llama 2 is a new technology that carries risks with use.",
    "lora-hy-mt": "- Training data is small (~4,000 pairs)",
    "medgemma-27b-it": "MedGemma is not intended to be used without",
    "opt-1.3b": "As mentioned in Meta AI's model card",
    "pythia-410m-chatbot": "- The model may not generalize well",
    "redpajama-7b": "RedPajama-INCITE-Base-7B-v0.1, like other language models",
    "sd-1.5-mixed": "- The model does not achieve perfect photorealism",
    "sdxl-base-1.0": "- The model does not achieve perfect photorealism",
    "stable-cascade": "- Faces and people in general may not be generated properly.",
    "text-to-video-1.7b": "* The model is trained based on public data sets",
    "whisper-small-nb": "This is a public beta that is not intended for production.",
}


def test_limitations(cards: dict[str, Card]) -> None:
    """The words of the section that is on them; none where only a template or something else stands there."""
    found = {family: card.limitations for family, card in cards.items() if card.limitations}
    wrong = {
        family: text for family, text in found.items() if not text.startswith(_LIMITATIONS.get(family, "\0"))
    }
    assert wrong == {}
    assert set(_LIMITATIONS) == set(found)
    assert all(len(text) <= LIMIT and "More Information Needed" not in text for text in found.values())


def test_references(cards: dict[str, Card]) -> None:
    """The papers of some well-known models, each by one address."""
    for family, paper in (
        ("bart-large", "1910.13461"),
        ("bert-base-uncased", "1810.04805"),
        ("clip-vit-l14", "2103.00020"),
        ("flan-t5-large", "2210.11416"),
        ("llama2-7b-hf", "2307.09288"),
        ("mt5-large", "2010.11934"),
        ("sdxl-base-1.0", "2307.01952"),
        ("vit-base-in21k", "2010.11929"),
        ("whisper-small-nb", "2212.04356"),
    ):
        assert f"https://arxiv.org/abs/{paper}" in cards[family].references, family
    for card in cards.values():
        assert "https://arxiv.org/abs/1910.09700" not in card.references
        assert len(set(card.references)) == len(card.references)


def test_objectives(cards: dict[str, Card]) -> None:
    """By statement or by class; none for what makes vectors, scores or pictures."""
    for family, objectives in (
        ("bert-base-uncased", ("masked language modelling",)),
        ("falcon-40b", ("causal language modelling",)),
        ("gpt2-xl", ("causal language modelling",)),
        ("internlm2-reward", ("reward modelling",)),
        ("minilm-local-st5", ("contrastive learning",)),
        ("gte-qwen2-7b", ()),
        ("ms-marco-reranker", ()),
        ("skywork-reward-llama", ()),
        ("clip-vit-l14", ()),
        ("sdxl-base-1.0", ()),
    ):
        assert cards[family].training_objectives == objectives, family


def test_tokenizers_and_sentence_transformers(corpus: Path, cards: dict[str, Card]) -> None:
    """Every token that a tokenizer_config.json with the newer key states is the card's."""
    compared = 0
    for path in sorted(corpus.glob("*/tokenizer_config.json")):
        config, card = json.loads(path.read_bytes()), cards[path.parent.name]
        assert card.tokenizer.tokenizer_class == config.get("tokenizer_class") or "config.json" in str(
            card.sources.get("tokenizer.tokenizer_class")
        )
        for key in (
            "bos_token",
            "eos_token",
            "pad_token",
            "unk_token",
            "cls_token",
            "sep_token",
            "mask_token",
        ):
            if "added_tokens_decoder" in config and key in config:
                stated = config[key]
                compared += 1
                wanted = stated["content"] if isinstance(stated, dict) else stated
                assert getattr(card.tokenizer, key) == wanted, f"{path.parent.name}: {key}"
    assert compared > 60
    assert len(cards["molmo-7b-nf4"].tokenizer.additional_special_tokens) == 423
    assert len(cards["flan-t5-large"].tokenizer.additional_special_tokens) == 100
    for family, mode, dimension, length, function in (
        ("all-minilm-l6-v2", "mean", 384, 256, None),
        ("bge-m3-tr", "cls", 1024, 8192, "cosine"),
        ("labse-2dense", "cls", 768, 256, None),
        ("minilm-local-st5", "mean", 384, 256, None),
        ("setfit-minilm", "cls", 384, 512, "cosine"),
    ):
        part = cards[family].sentence_transformers
        assert part is not None
        assert (part.pooling_mode, part.embedding_dimension, part.max_seq_length) == (mode, dimension, length)
        assert (part.similarity_fn_name, part.normalize) == (function, True)
    assert cards["labse-2dense"].sources["sentence_transformers.embedding_dimension"] == (
        "2_Dense/config.json#/out_features"
    )


def test_templates_have_the_digests_of_their_files(corpus: Path, cards: dict[str, Card]) -> None:
    """Every chat_template.jinja by its bytes, every other by its text."""
    for path in sorted(corpus.glob("*/chat_template.jinja")):
        (template,) = cards[path.parent.name].tokenizer.chat_templates
        assert template.sha256 == sha256(path.read_bytes()).hexdigest()
        assert template.source == "chat_template.jinja"
    flags = {family: card.tokenizer.chat_templates[0].flags for family, card in cards.items()
             if card.tokenizer.chat_templates}  # fmt: skip
    assert {"tools", "thinking"} <= set(flags["smollm3-3b"]) & set(flags["glm-4.5"]) & set(
        flags["qwen3-14b-mlx-4bit"]
    )
    assert "images" in flags["medgemma-27b-it"]
    assert "generation" in flags["smollm3-3b"]


def test_generation_configs_are_whole(corpus: Path, cards: dict[str, Card]) -> None:
    """Every generation_config.json, value for value."""
    compared = 0
    for path in sorted(corpus.glob("*/generation_config.json")):
        compared += 1
        assert cards[path.parent.name].generation_config == json.loads(path.read_bytes()), path.parent.name
    assert compared > 20


def test_pipelines(cards: dict[str, Card]) -> None:
    """Class and components of every pipeline; no component contradicts its index."""
    for family, name, components in (
        ("sdxl-base-1.0", "StableDiffusionXLPipeline", 7),
        ("flux-optimized", "FluxPipeline", 7),
        ("stable-cascade", "StableCascadeDecoderPipeline", 5),
        ("ddpm-butterflies", "DDPMPipeline", 2),
        ("meinamix-onnx", "OnnxStableDiffusionPipeline", 8),
    ):
        card = cards[family]
        assert card.architecture.architectures == (name,)
        assert len(card.components) == components
        assert not card.conflicts


_FIELDS = (
    "model_usage_type", "pipeline_tag", "tasks", "license", "language", "tags", "datasets", "base_model",
    "authors", "training_objectives", "limitations", "references", "version", "library_name",
    "generation_config",
)  # fmt: skip


def test_every_value_has_a_source(cards: dict[str, Card]) -> None:
    """Over all families; the table shows how many folders answer which field."""
    answered: Counter[str] = Counter()
    for family, card in cards.items():
        assert parse(dump(card)) == card
        for field in _FIELDS:
            if not getattr(card, field):
                assert field not in card.sources, f"{family}: {field}"
                continue
            answered[field] += 1
            assert any(key == field or key.startswith(f"{field}.") for key in card.sources), (
                f"{family}: {field}"
            )
        for name, value in card.capabilities:
            alias = type(card.capabilities).model_fields[name].alias
            assert not alias or bool(value not in ((), None)) == (f"capabilities.{alias}" in card.sources), (
                family
            )
    sys.stdout.write("\n" + "".join(f"{field:22}{answered[field]:>5} of {len(cards)}\n" for field in _FIELDS))
    assert answered["pipeline_tag"] > 105
