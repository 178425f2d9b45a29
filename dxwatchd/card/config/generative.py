"""Whether a network writes text token by token, as its config tells."""

from __future__ import annotations

from dxwatchd.card.config.config_keys import find, text_part
from dxwatchd.card.parts import Architecture
from dxwatchd.card.values import at, text

# fmt: off
_ENCODERS = frozenset({
    "albert", "align", "altclip", "audio-spectrogram-transformer", "beit", "bert", "big_bird",
    "bridgetower", "camembert", "canine", "chinese_clip", "clap", "clip", "clip_text_model",
    "clip_vision_model", "clipseg", "convbert", "convnext", "convnextv2", "data2vec-text",
    "deberta", "deberta-v2", "deit", "dinov2", "distilbert", "dpr", "electra", "ernie", "esm",
    "eurobert", "flaubert", "funnel", "groupvit", "hubert", "ibert", "layoutlm", "layoutlmv2",
    "layoutlmv3", "longformer", "luke", "markuplm", "megatron-bert", "mobilebert", "modernbert",
    "llama_bidirec", "mpnet", "new", "nomic_bert", "nvembed", "nystromformer", "owlv2", "owlvit",
    "rembert", "resnet", "roberta",
    "roberta-prelayernorm", "roformer", "sam", "segformer", "siglip", "siglip2", "splinter",
    "squeezebert", "swin", "swinv2", "tapas", "vit", "vit_mae", "wav2vec2", "wav2vec2-bert",
    "wavlm", "xclip", "xlm-roberta", "xlm-roberta-xl", "xmod", "yolos", "yoso",
})
# fmt: on
"""Model types that read everything at once: of transformers, and the publishers' own of embedding models."""

_ENDINGS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForImageTextToText")
_ALSO = (
    *("Qwen", "Mistral", "Mixtral", "Llama", "Gemma", "ChatGLM", "Phi", "Falcon", "Bloom", "GPT", "Cohere"),
    *("MiniCPMV", "MiniCPMO"),
)
"""Beginnings of the names of bare decoders ("MistralModel"), as embedding models are called, and two more."""


def is_encoder(config: object, shape: Architecture) -> bool:
    """Whether it reads everything at once and remembers nothing."""
    sees_ahead = find(config, "use_bidirectional_attention")
    if sees_ahead and sees_ahead[0] in (True, "all"):  # EmbeddingGemma
        return True
    if shape.architectures and all(name.endswith("EncoderModel") for name in shape.architectures):
        return True  # of T5 only that half
    decodes = find(config, "is_decoder")
    return shape.model_type in _ENCODERS and not (decodes and decodes[0] is True)


def is_encoder_decoder(config: object) -> bool:
    """Whether a decoder writes what an encoder has read, as the whole or its text part says.

    Donut's decoder says that it is none itself.
    """
    found = find(config, "is_encoder_decoder")
    return at(config, "is_encoder_decoder") is True or (found is not None and found[0] is True)


def is_generative(config: object, shape: Architecture) -> bool:
    """Whether a decoder writes token after token; only where the config says so."""
    kinds = (*shape.architectures, *_nested(config))
    return any(name.endswith(_ENDINGS) or name.startswith(_ALSO) for name in kinds)


def _nested(config: object) -> tuple[str, ...]:
    """The architectures of the text part, where the whole names none that writes."""
    path, part = text_part(config)
    listed = at(part, "architectures") if path else None
    return tuple(name for item in listed[:8] if (name := text(item))) if isinstance(listed, list) else ()
