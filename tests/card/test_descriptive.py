"""What a folder says in words: limits, authors, objectives, references, version, and GGUF's own words."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.serialize import dump, parse
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.words.limitations import LIMIT
from dxwatchd.core.model import Kind, Layout, ModelFolder
from dxwatchd.readers.errors import ReaderError
from dxwatchd.readers.front_matter import read_front_matter
from tests.card.conftest import IDENTITY
from tests.cost import GROWTH, LINEAR, growth


def card_of(readme: str | bytes, documents: Mapping[str, object] | None = None) -> Card:
    """The card of a folder with this README, read as it is read from a folder."""
    front = read_front_matter(io.BytesIO(readme.encode() if isinstance(readme, str) else readme))
    return build_card(
        CardInputs(
            ModelFolder("a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ()),
            documents=documents or {},
            front_matter=front.fields,
            readme_sections=front.sections,
        ),
        IDENTITY,
    )


def gguf_card(
    metadata: dict[str, Any], lists: dict[str, tuple[str, ...]] | None = None, **front: str
) -> Card:
    """The card of a GGUF folder with this header."""
    return build_card(
        CardInputs(
            ModelFolder("a", Layout.GGUF, Kind.MODEL, (), (), (), ()),
            tensors={"m.gguf": ()},
            gguf_metadata=metadata,
            gguf_lists=lists or {},
            front_matter=front,
        ),
        IDENTITY,
    )


@pytest.mark.parametrize(
    ("readme", "text"),
    [
        ("# Limitations\nIt *cannot* [count](http://x).", "It cannot count."),
        ("## ⚠️ Known limitations:\n- a\n- b", "- a\n- b"),
        ("# Bias, Risks, and Limitations\nOne.\n## Recommendations\nTwo.\n# Use\nThree.", "One.\nTwo."),
        ("# Limitations\nOne.\n## How to use\nThree.\n## Bias\nTwo.", "One.\nTwo."),
        ("## Intended uses & limitations\nUse it.\n### Limitations and bias\nIt errs.", "It errs."),
        ("## Intended uses & limitations\nUse it.", None),
        ("## Performance and Limitations\nFast.", None),
        ("# Ethical considerations\nWe believe in trust.", None),
        ("# Limitations\n[More Information Needed]", None),
        ("# Limitations\nMore information needed", None),
        ("# Limitations\n<!-- what are they? -->\n", None),
        ("# Limitations\n\n# Limitations\nSecond.", "Second."),
        ("# Limitations\n```\ncode\n```\n| a | b |\n|---|---|\nWords.", "Words."),
        ("# Limitations\n> Quoted.", "Quoted."),
        (
            (
                "## Bias, Risks, and Limitations\n[More Information Needed]\n### Recommendations\n<!--x-->\n"
                "Users (both direct and downstream) should be made aware of the risks, biases and "
                "limitations of the model. More information needed for further recommendations."
            ),
            None,
        ),
        ("## 模型局限性\n它会犯错。", "它会犯错。"),
        ("```\n# Limitations\ncode\n```", None),
        ("", None),
    ],
)
def test_limitations(readme: str, text: str | None) -> None:
    """The words below a heading that is on limits and nothing else; a template says nothing."""
    card = card_of(readme)
    assert card.limitations == text
    assert ("limitations" in card.sources) is (text is not None)


def test_limitations_are_cut_behind_a_word() -> None:
    """Long ones end with an ellipsis and half no word."""
    found = card_of("# Limitations\n" + "words and " * 1000).limitations
    assert found is not None
    assert len(found) <= LIMIT
    assert found.endswith(("words…", "and…"))


@pytest.mark.parametrize(
    ("readme", "names", "source"),
    [
        ("---\nauthors:\n- A B\n- C D\n---\n", ("A B", "C D"), "README.md#authors"),
        ("---\nauthor: A B\n---\n- **Developed by:** C", ("A B",), "README.md#author"),
        ("---\nmodel_creator: Bud\nquantized_by: TheBloke\n---\n", ("Bud",), "README.md#model_creator"),
        ("---\ndevelopers:\n- https://huggingface.co/Flag\n---\n", ("Flag",), "README.md#developers"),
        ("---\ndevelopers:\n- https://else.where/Flag\n---\n", (), None),
        ("# M\n- **Developed by:** Stability AI", ("Stability AI",), "README.md#Developed by"),
        ("# M\n- **Developed by**: Together Computer.", ("Together Computer",), "README.md#Developed by"),
        ("**Developed by:** BigScience ([website](https://b.co))", ("BigScience",), "README.md#Developed by"),
        ("* Developed by: [NB AI-Lab](https://ai.nb.no/)", ("NB AI-Lab",), "README.md#Developed by"),
        ("- **Developed by:** [https://www.tii.ae](https://www.tii.ae);", (), None),
        ("- **Developed by:** [More Information Needed]", (), None),
        ("- **Developed by:** OpenAI, see [paper](x) and [repo](y) for the list", (), None),
        ("It was developed by: nobody.", (), None),
        ("- **Developed by:** [Your Name]\n- **Developed by:** <name>\n**Developed by:** {{ x }}", (), None),
        ("# M\n**Model Developers** Meta", ("Meta",), "README.md#Authors"),
        ("# M\n- **Model developer**: Meta", ("Meta",), "README.md#Authors"),
        ("# M\n## Description\n**Authors:** Google", ("Google",), "README.md#Authors"),
        ("# M\n# A\n# B\n# Citation\n**Authors:** Somebody Else", (), None),
        ("# M\nAuthors: of this and that", (), None),
        ("```bibtex\n@article{a, author={Somebody Else}}\n```", (), None),
        ("- **Shared by:** Somebody", (), None),
    ],
)
def test_authors(readme: str, names: tuple[str, ...], source: str | None) -> None:
    """Names that are stated as the model's makers; no citation's, no uploader's, no sentence."""
    card = card_of(readme)
    assert card.authors == names
    assert card.sources.get("authors") == source


_LM = {"config.json": {"architectures": ["LlamaForCausalLM"]}}


@pytest.mark.parametrize(
    ("readme", "documents", "objectives"),
    [
        ("", _LM, ("causal language modelling",)),
        ("", {"config.json": {"architectures": ["BertForMaskedLM"]}}, ("masked language modelling",)),
        (
            "",
            {"config.json": {"architectures": ["BertForPreTraining"]}},
            ("masked language modelling", "next sentence prediction"),
        ),
        ("", {"config.json": {"architectures": ["BertModel"]}}, ()),
        ("", {"config.json": {"architectures": ["T5ForConditionalGeneration"]}}, ()),
        ("", {"config.json": {"architectures": ["LlamaForCausalLM"], "is_causal": False}}, ()),
        ("---\npipeline_tag: feature-extraction\n---\n", _LM, ()),
        (
            "",
            {
                "config.json": {
                    "architectures": ["BertForSequenceClassification"],
                    "id2label": {"0": "a", "1": "b"},
                }
            },
            ("sequence classification",),
        ),
        (
            "",
            {"config.json": {"architectures": ["LlamaForSequenceClassification"], "id2label": {"0": "a"}}},
            (),
        ),
        ("---\ntags: [trl, dpo, x]\n---\n", _LM, ("direct preference optimization",)),
        ("---\ntags: [dpo, x]\n---\n", _LM, ("causal language modelling",)),
        ("---\ntags: ['loss:CosineSimilarityLoss']\n---\n", {}, ("CosineSimilarityLoss",)),
        (
            "# M\nPretrained using a masked language\nmodeling (MLM) objective.",
            {},
            ("masked language modelling",),
        ),
        ("# M\nUnlike GPT's causal language modeling objective, ours differs.", {}, ()),
        (
            "## Model Architecture and Objective\nA model trained on a causal language modeling task.",
            {},
            ("causal language modelling",),
        ),
        ("# M\nNot trained on a causal language modeling task.", {}, ()),
    ],
)
def test_training_objectives(readme: str, documents: dict[str, object], objectives: tuple[str, ...]) -> None:
    """Stated in so many words or by a tag, else the loss of the class; a score of one label is none."""
    card = card_of(readme, documents)
    assert card.training_objectives == objectives
    assert ("training_objectives" in card.sources) is bool(objectives)


@pytest.mark.parametrize(
    ("readme", "addresses"),
    [
        ("see [p](https://arxiv.org/abs/2307.01952v2)", ("https://arxiv.org/abs/2307.01952",)),
        ("https://arxiv.org/pdf/2210.11416.pdf and arXiv:2210.11416", ("https://arxiv.org/abs/2210.11416",)),
        ("https://huggingface.co/papers/2409.12191", ("https://arxiv.org/abs/2409.12191",)),
        ("http://arxiv.org/abs/cs/0112017", ("https://arxiv.org/abs/cs/0112017",)),
        (
            "```bibtex\n@misc{a, doi = {10.48550/ARXIV.2210.11416}, url={https://arxiv.org/abs/2210.11416}}\n```",
            ("https://arxiv.org/abs/2210.11416",),
        ),
        ("https://doi.org/10.18653/v1/d15-1075).", ("https://doi.org/10.18653/v1/d15-1075",)),
        ("journal={CoRR}, volume={abs/1810.04805}", ()),
        (
            "```\n@misc{a, eprint={2310.06825}, archivePrefix={arXiv}}\n```",
            ("https://arxiv.org/abs/2310.06825",),
        ),
        ('eprint = "2310.06825v2"', ("https://arxiv.org/abs/2310.06825",)),
        ("eprint={https://x.org/12.3}", ()),
        ("https://aclanthology.org/2021.acl-long.330.pdf", ("https://aclanthology.org/2021.acl-long.330",)),
        ("emissions as in [Lacoste et al.](https://arxiv.org/abs/1910.09700)", ()),
        ("---\ntags: ['arxiv:1910.09700', x]\n---\n", ("https://arxiv.org/abs/1910.09700",)),
        ("---\ndoi: 10.57967/hf/0003\n---\n", ("https://doi.org/10.57967/hf/0003",)),
        ("version 2307.01952 of 10.1000/1", ()),
    ],
)
def test_references(readme: str, addresses: tuple[str, ...]) -> None:
    """Papers by one address each, in the order of their naming; the template's own citation is none."""
    card = card_of(readme)
    assert card.references == addresses
    assert ("references" in card.sources) is bool(addresses)


def test_version_and_languages() -> None:
    """A version stays the string it is written as; more languages than other lists may have are kept."""
    card = card_of("---\nversion: 1.10\nlanguage: [" + ", ".join(f"l{at}" for at in range(110)) + "]\n---\n")
    assert card.version == "1.10"
    assert card.sources["version"] == "README.md#version"
    assert len(card.language) == 110
    assert card_of("---\nmodel_version: v2\n---\n").sources["version"] == "README.md#model_version"


def test_gguf_says_what_a_readme_would() -> None:
    """Licence, languages, tags, data sets, author, version and address, with the header's keys as sources."""
    card = gguf_card(
        {
            "general.architecture": "llama",
            "general.license": "other",
            "general.license.name": "llama3.1",
            "general.license.link": "LICENSE",
            "general.author": "Somebody",
            "general.organization": "Some Lab",
            "general.version": "v2",
            "general.url": "https://example.org/m",
            "general.dataset.count": 2,
            "general.dataset.0.repo_url": "https://huggingface.co/datasets/a/b",
            "general.dataset.1.name": "No Address",
            "tokenizer.ggml.add_bos_token": True,
            "tokenizer.ggml.eos_token_id": 2,
            "general.sampling.temp": 0.6000000238418579,
        },
        {"general.tags": ("x", "text-generation"), "general.languages": ("en", "de")},
    )
    assert (card.license, card.license_name, card.license_link) == ("other", "llama3.1", "LICENSE")
    assert (card.authors, card.version, card.references) == (("Somebody",), "v2", ("https://example.org/m",))
    assert (card.tags, card.language, card.datasets) == (("x", "text-generation"), ("en", "de"), ("a/b",))
    assert (card.pipeline_tag, card.model_usage_type) == ("text-generation", "chat")
    assert card.sources["pipeline_tag"] == card.sources["tags"] == "m.gguf#general.tags"
    assert card.sources["authors"] == "m.gguf#general.author"
    assert card.tokenizer.add_bos_token is True
    assert card.generation_config == {"eos_token_id": 2, "temperature": 0.6}
    assert card.sources["generation_config.temperature"] == "m.gguf#general.sampling.temp"


def test_a_readme_prevails_over_a_header() -> None:
    """Each field by itself."""
    card = gguf_card({"general.license": "mit", "general.version": "1"}, license="apache-2.0")
    assert (card.license, card.version) == ("apache-2.0", "1")
    assert card.sources["license"] == "README.md#license"
    assert card.sources["version"] == "m.gguf#general.version"


def test_a_piper_voice_speaks_a_language() -> None:
    """Its config names it; the layout says what it is for."""
    card = build_card(
        CardInputs(
            ModelFolder("a", Layout.PIPER, Kind.MODEL, (), (), (), ()),
            documents={"v.onnx.json": {"espeak": {"voice": "de"}, "audio": {"sample_rate": 22050}}},
        ),
        IDENTITY,
    )
    assert (card.language, card.sources["language"]) == (("de",), "v.onnx.json#/espeak/voice")
    assert card.capabilities.output_types == ("audio",)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("", "arxiv:"),
        ("", "doi: "),
        ("doi:10.1000/", "a"),
        ("", "# Limitations\n"),
        ("", "*"),
        ("- **Developed by:** ", "(a"),
        ("", "using a "),
    ],
)
def test_hostile_lines_take_no_time(start: str, words: str) -> None:
    """A README of a megabyte is judged in time that grows with its length alone."""

    def look(length: int) -> None:
        line = start + words * (length // len(words))
        card_of(f"# Limitations\n{line}\n## Objective\n{line}")

    assert growth(look, 500_000 // GROWTH) < LINEAR


_PIECES = st.sampled_from(
    [
        "---\n",
        "# Limitations\n",
        "## Bias\n",
        "- **Developed by:** ",
        "arxiv:2307.01952 ",
        "doi: 10.1/",
        "```\n",
        "<!--",
        "-->",
        "tags: [",
        "loss:",
        "]\n",
        "| a |\n",
        "\x00",
        "\ud800",
        "\u202e",
        "通义 ",
        "\n",
    ]
)


@given(st.lists(_PIECES | st.text(max_size=20), max_size=40))
def test_any_readme_gives_a_card(pieces: list[str]) -> None:
    """Whatever it says, what is taken from it is bounded, printable, has a source, and survives its file."""
    readme = "".join(pieces).encode("utf-8", "surrogatepass")
    try:
        card = card_of(readme)
    except ReaderError:
        return  # front matter that is no YAML: the caller makes it a warning
    assert parse(dump(card)) == card
    assert len(card.limitations or "") <= LIMIT
    assert len(card.references) <= 64
    for text in (*card.authors, *card.references, *card.tasks, *(card.limitations or "").splitlines()):
        assert text == text.strip()
        assert text.isprintable()
    for field in ("limitations", "authors", "references", "version", "tasks", "training_objectives"):
        assert (field in card.sources) is bool(getattr(card, field))


def test_one_text_may_stand_in_a_list_and_several_in_a_text() -> None:
    """A list of one is what stands in it; two say nothing of one; languages are parted at commas."""
    card = card_of(
        "---\npipeline_tag: [fill-mask]\nlibrary_name: [peft]\nbase_model: a/b\n"
        "base_model_relation: [merge]\nlicense_name: [one, two]\nlanguage: en, zh,\n---\n"
    )
    assert (card.pipeline_tag, card.library_name, card.license_name) == ("fill-mask", "peft", None)
    assert (card.base_model_relation, card.lineage[0].relation) == ("merge", "merge")
    assert card.language == ("en", "zh")


def test_a_null_says_nothing() -> None:
    """Neither licence nor task nor base is called null."""
    keys = ("license", "pipeline_tag", "base_model", "library_name", "tags", "language", "version")
    card = card_of("---\n" + "".join(f"{key}: null\n" for key in keys) + "---\n")
    assert (card.license, card.pipeline_tag, card.base_model, card.lineage) == (None, None, (), ())
    assert (card.tags, card.language, card.version, card.tasks, card.warnings) == ((), (), None, (), ())
    assert (card.library_name, card.sources["library_name"]) == ("transformers", "layout")


def test_long_lists_are_whole() -> None:
    """A model that was made from hundreds of data sets names them all."""
    named = [f"d{at}" for at in range(520)]
    card = card_of(f"---\ndatasets: {named}\ntags: {named}\n---\n")
    assert card.datasets == card.tags == tuple(named)


def test_timm_keeps_the_licence_with_the_weights_settings() -> None:
    """It counts where the README has none."""
    documents = {"config.json": {"architecture": "vit", "pretrained_cfg": {"license": "apache-2.0"}}}
    card = card_of("# M", documents)
    assert (card.license, card.sources["license"]) == ("apache-2.0", "config.json#/pretrained_cfg/license")
    assert card_of("---\nlicense: mit\n---\n", documents).license == "mit"
    assert card_of("", {"config.json": {"pretrained_cfg": {"license": ""}}}).license is None
