"""Single values of config.json files that were once read wrongly, each with what its class makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from dxwatchd.card.config.architecture import architecture
from dxwatchd.card.parts import Moe
from dxwatchd.card.values import Notes

_SIZES = {"hidden_size": 192, "num_attention_heads": 4, "num_hidden_layers": 3}


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        pytest.param({"head_dim": 1280, "text_config": {"model_type": "qwen2", **_SIZES}}, "head_dim", 48,
                     id="MusicFlamingo's own head_dim is that of its audio part"),
        pytest.param({"head_dim": 64, "text_config": {"model_type": "persimmon"}, **_SIZES}, "head_dim", 64,
                     id="a text part that names its kind only"),
        pytest.param({"model_type": "zamba2", "kv_channels": 48, "attention_head_dim": 96, **_SIZES},
                     "head_dim", 96, id="Zamba2 attends with heads of twice the width"),
        pytest.param({"model_type": "zamba2", "kv_channels": 48, **_SIZES}, "head_dim", None,
                     id="Zamba2 without that width"),
        pytest.param({"model_type": "prophetnet", "num_encoder_layers": 12, "num_decoder_layers": 2},
                     "num_hidden_layers", 12, id="ProphetNet is counted by its encoder, as BART is"),
        pytest.param({"model_type": "t5", "num_layers": 12, "num_decoder_layers": 2},
                     "num_hidden_layers", 12, id="T5 is counted by its encoder"),
        pytest.param({"model_type": "mamba2", "num_heads": 128, "head_dim": 64}, "num_attention_heads", None,
                     id="Mamba-2 has no attention"),
        pytest.param({"model_type": "mamba2", "num_heads": 128, "head_dim": 64}, "head_dim", None,
                     id="the heads of Mamba-2 are those of its state"),
        pytest.param({"model_type": "distilbert", "dim": 768}, "hidden_size", 768, id="DistilBERT"),
        pytest.param({"model_type": "xglm", "attention_heads": 16}, "num_attention_heads", 16, id="XGLM"),
        pytest.param({"num_encoder_attention_heads": 16, "num_decoder_attention_heads": 8},
                     "num_attention_heads", 16, id="ProphetNet's heads"),
        pytest.param({"model_type": "longcat_flash", "n_routed_experts": 512, "moe_topk": 12,
                      "expert_ffn_hidden_size": 2048}, "moe",
                     Moe(num_experts=512, num_experts_per_tok=12, moe_intermediate_size=2048),
                     id="LongCat-Flash's experts"),
        pytest.param({"model_type": "funnel", "block_sizes": [4, 4, 4], "num_decoder_layers": 2},
                     "num_hidden_layers", 12, id="Funnel's layers are those of its blocks"),
        pytest.param({"model_type": "falcon", "num_kv_heads": 71, **_SIZES}, "num_key_value_heads", 1,
                     id="Falcon shares one head unless told otherwise, whatever num_kv_heads is"),
        *(
            pytest.param({"model_type": kind, **_SIZES}, "head_dim", width, id=f"{kind} has its own width")
            for kind, width in (("deepseek_v3", None), ("minicpm3", None), ("mistral4", None),
                                ("jetmoe", 128), ("minimax_m2", 128), ("ministral3", 128), ("step3p5", 128))
        ),
    ],
)  # fmt: skip
def test_value_of_an_odd_config(config: dict[str, Any], field: str, value: object) -> None:
    """The value that the modelling code uses, or null where the file does not say it."""
    assert getattr(architecture(config, Notes()), field) == value


def test_layer_types_by_their_older_name() -> None:
    """Zamba2 and Nemotron-H list them as `layers_block_type`."""
    notes = Notes()
    config = {"model_type": "zamba2", "layers_block_type": ["mamba", "hybrid"]}
    assert architecture(config, notes).attention.layer_types == ("mamba", "hybrid")
    source = notes.sources["architecture.attention.layer_types"]
    assert source == "config.json#/layers_block_type"
