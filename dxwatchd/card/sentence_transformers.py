"""Sentence-transformers' modules → pooling, dimension and length."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.parts import SentenceTransformers
from dxwatchd.card.values import Notes, at, integer, text

_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""Switches of the pooling config → sentence-transformers' own names of the modes."""


def sentence_transformers(documents: Mapping[str, object], notes: Notes) -> SentenceTransformers | None:
    """The modules in order: pooling joins one vector for each of its modes, a dense layer maps the whole."""
    listed = documents.get("modules.json")
    if not isinstance(listed, list):
        return None
    modules = [(text(at(item, "type")) or "", text(at(item, "path")) or "") for item in listed[:32]]
    mode, dimension, normalize = None, None, False
    for kind, path in modules:
        last, config = kind.rpartition(".")[2], f"{path}/config.json"
        if last == "Pooling":
            mode, dimension = _pooling(documents.get(config))
            if mode:
                notes.source("sentence_transformers.pooling_mode", config)
            if dimension:
                source = f"{config}#/word_embedding_dimension"
                notes.source("sentence_transformers.embedding_dimension", source)
        elif last == "Dense":
            dimension = integer(at(documents.get(config), "out_features"), 1)
            if dimension:
                notes.source("sentence_transformers.embedding_dimension", f"{config}#/out_features")
        normalize = normalize or last == "Normalize"
    length = integer(at(documents.get("sentence_bert_config.json"), "max_seq_length"), 1)
    if length:
        notes.source("sentence_transformers.max_seq_length", "sentence_bert_config.json#/max_seq_length")
    notes.source("sentence_transformers.modules", "modules.json")
    return SentenceTransformers(
        pooling_mode=mode,
        embedding_dimension=dimension,
        max_seq_length=length,
        normalize=normalize,
        modules=tuple(kind for kind, _ in modules if kind),
    )


def _pooling(config: object) -> tuple[str | None, int | None]:
    width = integer(at(config, "word_embedding_dimension"), 1)
    modes = [name for key, name in _MODES.items() if at(config, key) is True]
    named = text(at(config, "pooling_mode"))
    if named and not modes:
        modes = [named]
    if not modes:
        return None, None
    return "+".join(modes), width and width * len(modes)
