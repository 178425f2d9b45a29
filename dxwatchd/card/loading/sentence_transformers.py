"""Sentence-transformers' modules → pooling, dimension, length, prompts and similarity.

Source: the `save` and `load` of sentence-transformers' modules, versions 2 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.parts import SentenceTransformers
from dxwatchd.card.sources import SENTENCE_CONFIGS
from dxwatchd.card.values import LIST_LIMIT, Notes, at, boolean, clean, encodable, integer, mapping, text
from dxwatchd.core.room import Room

CONFIG = "config_sentence_transformers.json"
_PROMPT = 4000  # characters
_PROMPTS = 128 * 1024  # bytes of all in the card
_MODULES = 32
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
    modules = [(text(at(item, "type")) or "", text(at(item, "path")) or "") for item in listed[:_MODULES]]
    mode, dimension, included, normalize = None, None, None, False
    for kind, path in modules:
        last, config = kind.rpartition(".")[2], f"{path}/config.json"
        if last == "Pooling":
            mode, dimension = _pooling(documents.get(config))
            included = boolean(at(documents.get(config), "include_prompt"))
            _source(notes, "pooling_mode", mode, config)
            _source(notes, "embedding_dimension", dimension, f"{config}#/{_width(documents.get(config))[1]}")
            _source(notes, "include_prompt", included, f"{config}#/include_prompt")
        elif last == "Dense":
            dimension = integer(at(documents.get(config), "out_features"), 1)
            _source(notes, "embedding_dimension", dimension, f"{config}#/out_features")
        normalize = normalize or last == "Normalize"
    notes.source("sentence_transformers.modules", "modules.json")
    notes.source("sentence_transformers.normalize", "modules.json")
    function = text(at(documents.get(CONFIG), "similarity_fn_name"))
    _source(notes, "similarity_fn_name", function, f"{CONFIG}#/similarity_fn_name")
    prompts = _prompts(documents.get(CONFIG), notes)
    _source(notes, "prompts", prompts or None, f"{CONFIG}#/prompts")
    default = text(at(documents.get(CONFIG), "default_prompt_name"))
    _source(notes, "default_prompt_name", default, f"{CONFIG}#/default_prompt_name")
    return SentenceTransformers(
        pooling_mode=mode,
        embedding_dimension=dimension,
        max_seq_length=_length(documents, modules, notes),
        normalize=normalize,
        include_prompt=included,
        similarity_fn_name=function,
        prompts=prompts,
        default_prompt_name=default,
        modules=tuple(kind for kind, _ in modules if kind),
    )


def _source(notes: Notes, field: str, value: object, source: str) -> None:
    if value is not None:
        notes.source(f"sentence_transformers.{field}", source)


def _length(documents: Mapping[str, object], modules: list[tuple[str, str]], notes: Notes) -> int | None:
    """max_seq_length of the Transformer module, which lies where modules.json says, mostly at the top."""
    places = [path for kind, path in modules if kind.endswith("Transformer")] or [""]
    for place in places:
        for name in SENTENCE_CONFIGS:
            file = f"{place}/{name}" if place else name
            length = integer(at(documents.get(file), "max_seq_length"), 1)
            if length:
                notes.source("sentence_transformers.max_seq_length", f"{file}#/max_seq_length")
                return length
    return None


def _prompts(config: object, notes: Notes) -> dict[str, str]:
    """Name → prompt, exact, since a prompt with other spaces is another one; empty ones are kept."""
    found, room = {}, Room(_PROMPTS)
    for name, prompt in list(mapping(at(config, "prompts")).items())[:LIST_LIMIT]:
        if isinstance(prompt, str) and len(prompt) <= _PROMPT and room.takes(prompt):
            found[clean(str(name))] = encodable(prompt)
        elif prompt is not None:
            notes.warn(
                f"{CONFIG}: the prompt {clean(str(name), 80)} is no text of up to {_PROMPT} characters, or "
                "one too many, and was left out"
            )
    return found


def _width(config: object) -> tuple[int | None, str]:
    """The network's width under the key of version 5.4 and later, or the older one."""
    for key in ("embedding_dimension", "word_embedding_dimension"):
        width = integer(at(config, key), 1)
        if width:
            return width, key
    return None, "word_embedding_dimension"


def _pooling(config: object) -> tuple[str | None, int | None]:
    width = _width(config)[0]
    modes = [name for key, name in _MODES.items() if at(config, key) is True]
    named = at(config, "pooling_mode")
    listed = named if isinstance(named, list) else str(named).split("+") if isinstance(named, str) else []
    if not modes:
        modes = [mode for item in listed[: len(_MODES)] if (mode := text(item))]
    if not modes:
        return None, None
    return "+".join(modes), integer((width or 0) * len(modes), 1)
