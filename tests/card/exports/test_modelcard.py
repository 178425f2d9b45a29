"""The card as a README: front matter that the Hub's library reads, Markdown that renders as text only."""

from __future__ import annotations

from typing import Any

import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dxwatchd.card.exports.modelcard import modelcard
from dxwatchd.card.parts import CustomCode, Quantization
from dxwatchd.card.schema import Card
from dxwatchd.card.values import clean
from tests.card.exports.making import HOSTILE, bare_card, cards, digested, full_card

_PLAIN = {
    "heading_open", "heading_close", "inline", "bullet_list_open", "bullet_list_close", "list_item_open",
    "list_item_close", "paragraph_open", "paragraph_close", "fence", "text", "code_inline",
}  # fmt: skip
"""What Markdown may come of a card: headings, lists, text and code."""
_OWN_TEXT = {"", ", ", ", registered as ", "registered as "}


def _front(text: str) -> dict[str, Any]:
    data: dict[str, Any] = ModelCard(text).data.to_dict()  # type: ignore[no-untyped-call]  # it has no types
    return data


def _tokens(text: str) -> list[Token]:
    """Every token of the body, also those inside lines."""
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(ModelCard(text).text)
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def test_the_front_matter_is_what_the_hub_reads() -> None:
    """Every key of its that the card knows, as huggingface_hub loads it."""
    assert _front(modelcard(full_card())) == {
        "language": ["en", "zh-Hans", "deu", "yue"],
        "license": "apache-2.0",
        "license_link": "https://example.org/Qwen3-8B/LICENSE",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": ["Qwen/Qwen3-8B-Base"],
        "base_model_relation": "finetune",
        "datasets": ["some/corpus", "https://example.org/data"],
        "tags": ["chat", "reasoning"],
    }


def test_a_person_reads_the_rest() -> None:
    """The facts in a list, then what the model is made from and for, by whom, and its limits."""
    assert (
        modelcard(digested(full_card())).partition("---\n\n")[2]
        == """\
# `Qwen3-8B-Instruct`

- Technical name: `qwen3-8b-instruct`
- Kind: `model, transformers`
- Architecture: `Qwen3ForCausalLM`
- Parameters: `8,190,735,360 (8.19 B parameters)`
- Data type: `bfloat16`
- Context: `40,960 tokens`
- Size: `15.3 GiB, 4 files`
- Licence: `apache-2.0`
- Languages: `en, zh-Hans, deu, yue`
- Tasks: `text-generation, conversational`
- Fingerprint: `sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73`

## Made from

- `Qwen/Qwen3-8B-Base`, `finetune`, registered as `qwen3-8b-base`

## Trained on

- `some/corpus`
- `https://example.org/data`

## Trained for

- `causal language modelling`

## Limitations

```text
It may be wrong.
```

## Authors

- `Qwen Team`
- `Doe, Jane`

## References

- `https://arxiv.org/abs/2505.09388`
- `Qwen3 Technical Report`
"""
    )


def test_a_card_that_knows_nothing_is_still_one() -> None:
    """Front matter that loads, a heading and no empty sections."""
    text = modelcard(bare_card())
    assert _front(text) == {}
    assert "##" not in text
    assert text.count("---\n") == 2


@pytest.mark.parametrize("word", ["no", "null", "1.0", "2024-01-01", "yes", "~", "[a", "a: b", "# c"])
def test_words_stay_words(word: str) -> None:
    """Norwegian is no "false" and a version no number, as the Hub's library loads them."""
    card = bare_card(license=word, language=(word, "en"), tags=(word,))
    front = _front(modelcard(card))
    assert (front["license"], front["language"], front["tags"]) == (word, [word, "en"], [word])


def test_a_name_of_nothing_visible_gives_way() -> None:
    """The heading shows the technical name then."""
    assert "# `bare`\n" in modelcard(bare_card(model_name="\u200b"))


@pytest.mark.parametrize(
    ("packing", "line"),
    [
        (Quantization(quant_method="gptq", bits=4), "`gptq, 4 bits`"),
        (Quantization(quant_method="gguf", quant_type="Q4_K_M"), "`gguf, Q4_K_M`"),
        (Quantization(quant_method="fp8", quant_type="e4m3", bits=8), "`fp8, e4m3, 8 bits`"),
    ],
)
def test_packed_weights_are_told(packing: Quantization, line: str) -> None:
    """Method, kind and width in one line; nothing of it where none is known."""
    assert f"- Quantisation: {line}\n" in modelcard(full_card(quantization=packing))
    assert "Quantisation" not in modelcard(full_card(quantization=Quantization()))


def test_one_file_is_one_file() -> None:
    """Counted as a person says it."""
    assert "- Size: `2 B, 1 file`\n" in modelcard(bare_card())


def test_custom_code_is_told() -> None:
    """A reader sees that loading it means to trust its code."""
    assert "- Needs its own code: `yes`" in modelcard(full_card(custom_code=CustomCode(required=True)))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_render_as_themselves(text: str) -> None:
    """As name, base, author and limitation: shown letter by letter as code, on one line."""
    card = bare_card(
        model_name=text,
        license=text,
        base_model=(text,),
        authors=(text,),
        references=(text,),
        limitations=text,
    )
    shown = clean(text)
    tokens = _tokens(modelcard(card))
    assert {token.type for token in tokens} <= _PLAIN
    spans = [token.content for token in tokens if token.type == "code_inline"]
    assert spans.count(shown) == (5 if shown else 0)
    fences = [token.content.split() for token in tokens if token.type == "fence"]
    assert fences == ([shown.split()] if shown else [])


def test_long_limitations_are_wrapped_not_cut() -> None:
    """Every word is there, in lines that fit a screen."""
    words = [f"word{number}" for number in range(300)]
    [fence] = [
        token for token in _tokens(modelcard(full_card(limitations=" ".join(words)))) if token.type == "fence"
    ]
    assert fence.content.split() == words
    assert max(map(len, fence.content.splitlines())) <= 100


def test_every_family_loads(corpus_cards: tuple[Card, ...]) -> None:
    """What huggingface_hub loads is what the card says, over the whole corpus."""
    for card in corpus_cards:
        front = _front(modelcard(card))
        for key in ("license", "pipeline_tag", "library_name"):
            assert front.get(key) == getattr(card, key), card.technical_name
        for key in ("language", "base_model", "datasets"):
            assert front.get(key, []) == [*getattr(card, key)], card.technical_name


@settings(max_examples=50)
@given(cards())
def test_any_card_loads_and_renders_as_text(card: Card) -> None:
    """Whatever the folder says of itself: the keys are these, and the body is headings, lists and code."""
    text = modelcard(card)
    front = _front(text)
    assert front.get("license", "") == clean(card.license or "", 4000)
    assert front.get("tags", []) == [*dict.fromkeys(filter(None, map(clean, card.tags)))]
    tokens = _tokens(text)
    assert {token.type for token in tokens} <= _PLAIN
    own = {token.content for token in tokens if token.type == "text"}
    assert all(word in _OWN_TEXT or word.endswith(": ") or word[0].isupper() for word in own)
