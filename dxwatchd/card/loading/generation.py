"""How a model writes unless told otherwise: `generation_config.json`, else what stands for it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from dxwatchd.card.config.config_keys import levels, pointer
from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import Notes, clean, encodable, integer, mapping, number
from dxwatchd.core.room import Room

FILE = "generation_config.json"
_ROOM = 128 * 1024  # bytes in the card; the longest real ones have about 500 numbers
_VALUE = 20  # bytes of a number, a line's indentation and what else stands beside a value
_MOST_DEPTH = 8
_TEXT = 4096  # characters

# fmt: off
_LEGACY = (
    "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id",
    "forced_eos_token_id", "do_sample", "temperature", "top_k", "top_p", "num_beams", "num_beam_groups",
    "max_length", "min_length", "max_new_tokens", "early_stopping", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "diversity_penalty", "suppress_tokens",
    "begin_suppress_tokens", "forced_decoder_ids", "bad_words_ids", "use_cache",
)
# fmt: on
"""Keys of a config.json that `GenerationConfig.from_model_config` takes over where there is no file."""
_MLC = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "repetition_penalty")
_GGUF = {
    "tokenizer.ggml.bos_token_id": "bos_token_id",
    "tokenizer.ggml.eos_token_id": "eos_token_id",
    "tokenizer.ggml.padding_token_id": "pad_token_id",
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_repeat": "repetition_penalty",
}


def generation_config(inputs: CardInputs, file: str, notes: Notes) -> dict[str, JsonValue] | None:
    """The file as it is; without one the keys of config.json, genai_config.json, MLC's config or `file`.

    A value that is too long or too deep is left out as a whole, and a warning says so: half a list of tokens
    is a wrong one. file: the GGUF file whose header was read, "" without one.
    """
    documents = inputs.documents
    stated = mapping(documents.get(FILE))
    if stated:
        notes.source("generation_config", FILE)
        found = _Bounded(notes).taken(stated)
        return found or None
    places = (_of_genai(documents), _of_mlc(documents), _of_gguf(inputs, file), _of_config(documents))
    for place in places:
        pairs = list(place)
        if pairs:
            found = _Bounded(notes).taken({key: value for key, value, _ in pairs})
            for key, _, source in pairs:
                if key in found:
                    notes.source(f"generation_config.{key}", source)
            return found or None
    return None


class _Bounded:
    """Copies JSON values while they fit."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._room = Room(_ROOM)

    def taken(self, stated: Mapping[str, object]) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for key, value in stated.items():
            name = clean(str(key))
            try:
                found[name] = self._named(name, value, _MOST_DEPTH)
            except ValueError:
                self._notes.warn(f"generation_config: {name} is too long or no JSON and was left out")
        return found

    def _named(self, name: str, value: object, depth: int) -> JsonValue:
        """Raises ValueError where name and value do not fit."""
        if not self._room.takes(name):
            raise ValueError
        return self._copy(value, depth)

    def _copy(self, value: object, depth: int) -> JsonValue:
        """Raises ValueError where it does not fit."""
        if depth < 0 or not self._room.takes(beside=_VALUE):
            raise ValueError
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            if len(value) > _TEXT or not self._room.takes(value):
                raise ValueError
            return encodable(value)
        if isinstance(value, Mapping):
            named = ((clean(str(key)), item) for key, item in value.items())
            return {name: self._named(name, item, depth - 1) for name, item in named}
        if isinstance(value, list | tuple):
            return [self._copy(item, depth - 1) for item in value]
        found = integer(value, -(2**63)) if isinstance(value, int) else number(value)
        if found is None:
            raise ValueError
        return found


Triple = tuple[str, object, str]


def _of_config(documents: Mapping[str, object]) -> Iterator[Triple]:
    """The whole config's keys before those of its text part, as transformers asks them."""
    places = list(levels(documents.get("config.json")))[::-1]
    for key in _LEGACY:
        for path, part in places:
            if part.get(key) is not None:
                yield key, part[key], pointer(*path, key)
                break


def _of_genai(documents: Mapping[str, object]) -> Iterator[Triple]:
    """`search` of onnxruntime-genai's config, and the tokens of its model."""
    config = mapping(documents.get("genai_config.json"))
    model = mapping(config.get("model"))
    for key in ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"):
        if model.get(key) is not None:
            yield key, model[key], f"genai_config.json#/model/{key}"
    for key, value in mapping(config.get("search")).items():
        if value is not None:
            yield key, value, f"genai_config.json#/search/{key}"


def _of_mlc(documents: Mapping[str, object]) -> Iterator[Triple]:
    config = mapping(documents.get("mlc-chat-config.json"))
    for key in (*_MLC, "bos_token_id", "eos_token_id", "pad_token_id"):
        if config.get(key) is not None:
            yield key, config[key], f"mlc-chat-config.json#/{key}"


def _of_gguf(inputs: CardInputs, file: str) -> Iterator[Triple]:
    for key, name in _GGUF.items():
        if key in inputs.gguf_metadata:
            value = inputs.gguf_metadata[key]
            # a 32-bit 0.6 is 0.60000002…: seven digits are what was meant
            yield name, float(f"{value:.7g}") if isinstance(value, float) else value, f"{file}#{key}"
