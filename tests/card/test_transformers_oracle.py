"""Cards of drawn configs of known families, against what transformers' own classes say of the same configs.

transformers needs no torch for this. A wrong value fails; a null fails where the value stands in the file.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from huggingface_hub.errors import StrictDataclassError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dxwatchd.card.build import build_card
from dxwatchd.card.schema import Card
from dxwatchd.card.sources import CardInputs
from dxwatchd.core.model import Kind, Layout, ModelFolder
from tests.card.conftest import IDENTITY

pytestmark = pytest.mark.oracle

_FOLDER = ModelFolder("a", Layout.TRANSFORMERS, Kind.MODEL, (), (), (), ())

# fmt: off
DECODERS = (
    "llama", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next", "qwen3_5_text", "mistral", "ministral",
    "mixtral", "gemma", "gemma2", "gemma3_text", "gemma3n_text", "gemma4_text", "phi", "phi3", "phimoe",
    "gpt2", "gpt_bigcode", "gpt_neox", "gptj", "bloom", "opt", "falcon", "mpt", "cohere", "cohere2",
    "deepseek_v2", "deepseek_v3", "dots1", "ernie4_5", "ernie4_5_moe", "exaone4", "glm", "glm4", "glm4_moe",
    "gpt_oss", "granite", "granitemoe", "granitemoehybrid", "bamba", "falcon_h1", "helium",
    "hunyuan_v1_dense", "jamba", "jetmoe", "lfm2", "llama4_text", "longcat_flash", "mamba", "mamba2",
    "falcon_mamba", "minimax", "minicpm3", "nemotron", "nemotron_h", "olmo", "olmo2", "olmo3", "olmoe",
    "persimmon", "seed_oss",
    "smollm3", "stablelm", "starcoder2", "xglm", "zamba2", "dbrx", "codegen", "apertus", "arcee", "bitnet",
)
OTHERS = (
    "bert", "roberta", "xlm-roberta", "distilbert", "electra", "modernbert", "deberta-v2", "t5", "mt5",
    "bart", "mbart", "marian", "pegasus", "m2m_100", "whisper", "speech_to_text", "vit", "clip_text_model",
    "prophetnet",
)
COMPOSITES = (
    "llava", "llava_next", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "gemma3n", "gemma4", "paligemma",
    "mistral3", "llama4", "mllama", "internvl", "aya_vision", "idefics3", "smolvlm", "glm4v", "qwen3_5",
    "clip", "siglip", "musicflamingo",
)
# fmt: on

FIELDS = (
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "vocab_size", "tie_word_embeddings", "max_position_embeddings", "dtype",
    "sliding_window", "layer_types", "num_experts", "num_experts_per_tok", "moe_intermediate_size",
)  # fmt: skip
_NAMES = {
    "num_experts": ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
    "num_experts_per_tok": ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k"),
    "head_dim": ("head_dim", "d_kv"),
}
"""The names that classes of transformers have for one thing, where `attribute_map` does not join them."""

_OF_EXPERTS = ("num_experts", "num_experts_per_tok", "moe_intermediate_size")

_HEADS = st.sampled_from([4, 12])
_LAYERS = st.integers(1, 9)
_INNER = st.integers(60, 90).map(lambda number: number * 8)
_CONTEXT = st.integers(1000, 9000)
_REQUIRED: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim"), st.integers(1, 5).map(lambda n: n * 192)),
    **dict.fromkeys(
        ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads",
         "decoder_attention_heads", "num_encoder_attention_heads", "num_decoder_attention_heads"), _HEADS),
    **dict.fromkeys(
        ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers",
         "num_decoder_layers", "num_encoder_layers"), _LAYERS),
}  # fmt: skip
"""Sizes that every file states. Those of encoder and decoder are drawn apart from each other."""

_OPTIONAL: Mapping[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads"), st.sampled_from([1, 2, 4])),
    **dict.fromkeys(("head_dim", "d_kv"), st.sampled_from([16, 24, 40])),
    **dict.fromkeys(
        ("intermediate_size", "d_ff", "ffn_dim", "n_inner", "ffn_hidden_size", "encoder_ffn_dim",
         "decoder_ffn_dim", "moe_intermediate_size", "shared_expert_intermediate_size"), _INNER),
    "vocab_size": st.integers(300_000, 400_000),
    **dict.fromkeys(
        ("max_position_embeddings", "n_positions", "max_seq_len", "max_source_positions",
         "max_target_positions"), _CONTEXT),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
                    st.sampled_from([32, 64])),
    **dict.fromkeys(("num_experts_per_tok", "moe_topk", "moe_k"), st.integers(1, 6)),
    **dict.fromkeys(("tie_word_embeddings", "use_sliding_window", "multi_query", "new_decoder_architecture"),
                    st.booleans()),
    "sliding_window": st.sampled_from([128, 256]),
    "max_window_layers": st.integers(0, 9),
    "full_attention_interval": st.integers(1, 4),
    "dtype": st.sampled_from(["float32", "float16", "bfloat16"]),
}  # fmt: skip
"""Keys that a file may state or leave to its class."""

_TIES_ALWAYS = ("t5", "mt5")
"""Types whose class ties whatever the file says; the weights of some of them say that the file is right."""
_LEFT_OUT: Mapping[str, tuple[str, ...]] = {
    "deepseek_v2": ("head_dim",),  # of latent attention, where the class sets it to one of its parts
    "deepseek_v3": ("head_dim",),
    "longcat_flash": ("head_dim",),
    "minicpm3": ("head_dim",),
    "mamba2": ("hidden_size", "num_heads", "head_dim"),  # bound to each other
    "zamba2": ("num_hidden_layers",),  # follows from its list of layers
    "dbrx": ("tie_word_embeddings", "num_key_value_heads"),  # its attn_config is what counts
    "gpt_bigcode": ("num_key_value_heads",),  # the class overwrites it
    "nemotron_h": ("num_hidden_layers",),  # follows from its list of layers
    "lfm2": ("intermediate_size",),  # the class changes what the file states
}
"""Keys that are not drawn, since the type's class does not take any value of them."""


class Ambiguous:
    """What has no one right value: it differs from layer to layer."""


def drawn(cls: Any, model_type: str) -> st.SearchStrategy[dict[str, Any]]:
    """Keys of a config of one class, by the class's own names."""
    own = {key for key in cls().to_dict() if key not in getattr(cls, "attribute_map", {})}
    own -= set(_LEFT_OUT.get(model_type, ()))
    if model_type in _TIES_ALWAYS:
        own -= {"tie_word_embeddings"}
    required = {key: strategy for key, strategy in _REQUIRED.items() if key in own}
    more: dict[str, st.SearchStrategy[Any]] = {}
    if model_type.startswith("gemma4"):  # hand-written files state it; transformers writes per_layer_config
        required["global_head_dim"] = st.sampled_from([16, 24, 64])
    if model_type == "dbrx":
        more["attn_config"] = st.fixed_dictionaries({"kv_n_heads": st.sampled_from([1, 2, 4])})
        more["ffn_config"] = st.fixed_dictionaries(
            {"moe_num_experts": st.sampled_from([32, 64]), "moe_top_k": st.integers(1, 6)}
        )
    return st.fixed_dictionaries(
        required,
        optional={key: strategy for key, strategy in _OPTIONAL.items() if key in own} | more,
    )


@st.composite
def documents(draw: st.DrawFn, classes: Mapping[str, Any], model_type: str) -> dict[str, Any]:
    """What somebody who writes such a config.json by hand puts into it."""
    cls = classes[model_type]
    part = (getattr(cls, "sub_configs", None) or {}).get("text_config")
    if part is None:
        return {"model_type": model_type, **draw(drawn(cls, model_type))}
    made = cls().text_config
    inner = {"model_type": made.model_type, **draw(drawn(type(made), made.model_type))}
    whole = {"model_type": model_type, "text_config": inner}
    for key in ("tie_word_embeddings", "dtype"):  # of the whole; the parts of one file agree
        if key in inner:
            whole[key] = inner[key]
    return whole


def oracle(config: Any, field: str) -> object:
    """What transformers says; None where it says nothing, Ambiguous where layers differ."""
    whole, part = config, config.get_text_config()
    if field in ("tie_word_embeddings", "dtype"):
        value = getattr(whole, field, None)
        return value if value is None or isinstance(value, bool) else str(value).removeprefix("torch.")
    own = _own_rule(part, field)
    if own is not None:
        return own
    if field == "sliding_window" and _attribute(part, "use_sliding_window") is False:
        return None
    for name in _NAMES.get(field, (field,)):
        value = _attribute(part, name)
        if value is not None and field == "layer_types":
            return _layer_words(value)
        if value is not None:
            return _same(value) if field == "intermediate_size" else value or None
    if field == "num_key_value_heads":  # a class that does not speak of them has as many as heads
        return _attribute(part, "num_attention_heads")
    if field == "head_dim" and not _attribute(part, "kv_lora_rank"):
        hidden, heads = _attribute(part, "hidden_size"), _attribute(part, "num_attention_heads")
        return hidden // heads if isinstance(hidden, int) and isinstance(heads, int) else None
    return None


def _own_rule(part: Any, field: str) -> object:
    """What the modelling code makes of the keys, where the config class itself does not say it."""
    kind = part.model_type
    if kind == "falcon" and field == "num_key_value_heads":
        if part.new_decoder_architecture:
            return part.num_kv_heads
        return 1 if part.multi_query else part.num_attention_heads
    if kind == "dbrx":
        return {
            "num_key_value_heads": part.attn_config.kv_n_heads,
            "num_experts": part.ffn_config.moe_num_experts,
            "num_experts_per_tok": part.ffn_config.moe_top_k,
        }.get(field)
    if kind == "longcat_flash" and field == "num_hidden_layers":
        return part.num_layers  # the class counts the two attentions of each layer
    if kind == "zamba2" and field == "head_dim":
        return part.attention_head_dim
    if kind == "mamba2" and field in ("head_dim", "num_attention_heads"):
        return Ambiguous  # the class's are those of the state: there is no attention
    if kind == "gpt_bigcode" and field == "num_key_value_heads":
        return 1 if part.multi_query else part.num_attention_heads
    return None


def _attribute(part: Any, name: str) -> Any:
    try:
        return getattr(part, name, None)
    except RuntimeError:  # transformers says that the layers differ
        return Ambiguous


def _same(value: object) -> object:
    """One number for a list of alike ones."""
    if not isinstance(value, list):
        return value
    return value[0] if value and all(item == value[0] for item in value) else Ambiguous


def ours(card: Card, field: str) -> object:
    """What the card says."""
    shape = card.architecture
    if field == "max_position_embeddings":
        return card.context.declared
    if field == "dtype":
        return card.dtype
    if field == "sliding_window":
        return shape.attention.sliding_window
    if field == "layer_types":
        return _layer_words(shape.attention.layer_types)
    if field in _OF_EXPERTS:
        return shape.moe and getattr(shape.moe, field)
    value: object = getattr(shape, field)
    return value


def _layer_words(words: Iterable[str]) -> list[str] | None:
    """Transformers calls a layer of Jamba "mamba" in one list and "linear_attention" in another."""
    return ["linear_attention" if word == "mamba" else word for word in words] or None


def is_stated(config: Any, document: Mapping[str, Any], field: str, wanted: object) -> bool:
    """Whether the value stands in the file under the class's own name for it."""
    whole = field in ("tie_word_embeddings", "dtype") or not isinstance(document.get("text_config"), dict)
    place, cls = (document, config) if whole else (document["text_config"], config.get_text_config())
    own = cls.attribute_map.get(field, field)
    return own in place and place[own] == wanted


def verdict(card: Card, config: Any, document: Mapping[str, Any], field: str) -> str:
    """One of: right, wrong, null (the file says it), default (only the class does), silent, beyond."""
    wanted, got = oracle(config, field), ours(card, field)
    if wanted is Ambiguous:
        return "silent" if got is None else "wrong"
    if got is None:
        if wanted is None:
            return "silent"
        if field in _OF_EXPERTS and card.architecture.moe is None:
            return "default"  # without a number of experts in the file there are none to describe
        return "null" if is_stated(config, document, field, wanted) else "default"
    if wanted is None:
        return "beyond"
    return "right" if got == wanted else "wrong"


def card_of(document: Mapping[str, Any]) -> Card:
    """The card of a folder that has this config.json only."""
    return build_card(CardInputs(_FOLDER, {"config.json": document}), IDENTITY)


@pytest.fixture(scope="module")
def classes() -> Iterator[Any]:
    """The config classes of transformers by model type."""
    transformers = pytest.importorskip("transformers")
    transformers.logging.set_verbosity_error()
    yield transformers.CONFIG_MAPPING
    transformers.logging.set_verbosity_warning()


@pytest.mark.parametrize("model_type", [*DECODERS, *OTHERS, *COMPOSITES])
@settings(max_examples=12, phases=[Phase.generate])
@given(chance=st.data())
def test_no_value_of_a_drawn_config_is_wrong(classes: Any, model_type: str, chance: st.DataObject) -> None:
    """As the class writes it in full, as it saves it, and as a person writes only what is to differ."""
    document = chance.draw(documents(classes, model_type))
    config = classes[model_type](**{key: value for key, value in document.items() if key != "model_type"})
    forms = {"in full": config.to_dict(), "saved": config.to_diff_dict(), "by hand": document}
    for form, written in forms.items():
        read = json.loads(json.dumps(written))
        card = card_of(read)
        verdicts = {field: verdict(card, config, read, field) for field in FIELDS}
        bad = {
            f"{form} {field}": (said, ours(card, field), oracle(config, field))
            for field, said in verdicts.items()
            if said in ("wrong", "null")
        }
        assert bad == {}
        values = {field for field in FIELDS[:8] if ours(card, field) is not None}
        assert {f"architecture.{field}" for field in values} <= set(card.sources)


_OTHERWISE = {
    ("dory", "num_hidden_layers"): "its file counts the halves of layers, its class takes two for one",
    ("dory", "layer_types"): "as before",
    ("mask2former", "num_hidden_layers"): "a network for masks of images, counted by one of its two decoders",
    ("oneformer", "num_hidden_layers"): "as before",
    ("seamless_m4t", "num_hidden_layers"): "of four networks the class counts by none of them",
}


def test_no_default_of_any_class_is_wrong(classes: Any) -> None:
    """Right, wrong and null by field, over every model type of transformers that can be made as it is."""
    table = {field: Counter[str]() for field in FIELDS}
    lines: list[str] = []
    for model_type in classes:
        try:
            config = classes[model_type]()
            config.get_text_config()
        except (ValueError, StrictDataclassError):
            continue  # needs to be told of its parts, or has two text parts
        read = json.loads(json.dumps(config.to_dict()))
        card = card_of(read)
        for field in FIELDS:
            said = verdict(card, config, read, field)
            if (model_type, field) not in _OTHERWISE:
                table[field][said] += 1
                if said in ("wrong", "null"):
                    got, wanted = ours(card, field), oracle(config, field)
                    lines.append(f"{said:5} {model_type:28} {field:24} {got} / {str(wanted)[:60]}")
    verdicts = ("right", "wrong", "null", "default", "silent", "beyond")
    lines.append(f"{'field':26}" + "".join(f"{said:>8}" for said in verdicts))
    for field, counts in table.items():
        lines.append(f"{field:26}" + "".join(f"{counts[said]:>8}" for said in verdicts))
    sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert [line for line in lines if line.startswith("wrong")] == []
    assert sum(counts["right"] for counts in table.values()) > 4000
