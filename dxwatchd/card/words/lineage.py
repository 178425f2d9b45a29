"""What a model was made from, as its folder states it: adapter, README, GGUF header, config, in this order.

Only names are found here; which registered models they are is decided elsewhere, and changes with time.
A wrong ancestor is worse than none: what may as well be the model's own name is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from dxwatchd.card.loading.adapter import CONFIG as ADAPTER_CONFIG
from dxwatchd.card.parts import Ancestor
from dxwatchd.card.sources import CardInputs, Identity
from dxwatchd.card.values import LIST_LIMIT, Notes, at, clean, integer, only, text, texts
from dxwatchd.card.words.stated_names import hub_id, stated_name
from dxwatchd.core.filenames import README
from dxwatchd.core.model import Kind, Layout, ModelFolder
from dxwatchd.core.naming import canonical
from dxwatchd.core.publishers import published_as
from dxwatchd.core.records import MANIFEST
from dxwatchd.core.snapshot import basename

RELATIONS = ("adapter", "finetune", "merge", "quantized")
"""What `base_model_relation` may say. Source: https://huggingface.co/docs/hub/model-cards"""

_CONVERTED = frozenset(
    {Layout.GGUF, Layout.MLX, Layout.ONNX, Layout.ORT_GENAI, Layout.OPENVINO, Layout.CTRANSLATE2}
    | {Layout.TENSORRT_LLM, Layout.MLC, Layout.TFLITE}
)
"""Layouts that nobody trains in: what lies there was converted from another model."""

_CHECKPOINT = re.compile(r"checkpoint-[0-9]+")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_MERGE_TAGS = frozenset({"merge", "mergekit"})
_MERGE_CONFIGS = frozenset({"mergekit_config.yml", "mergekit_config.yaml"})


def lineage(
    inputs: CardInputs, identity: Identity, file: str, notes: Notes, *, quantised: bool
) -> tuple[Ancestor, ...]:
    """The models that this one was made from, none of them resolved.

    file: the GGUF file whose header was read. A person's word in the manifest stands alone; else everything
    that the folder states counts, and what only `config.json` states where nothing else does.
    """
    overrides = identity.overrides
    named = texts(overrides.get("base_model"))
    if named:
        stated = text(overrides.get("base_model_relation")) or text(
            inputs.front_matter.get("base_model_relation")
        )
        relation = _relation(inputs, stated, len(named), quantised=quantised)
        names = [(stated_name(name) or name) if "://" in name else name for name in named]
        return tuple(Ancestor(name=name, relation=relation, source=MANIFEST) for name in names)
    found = _once(
        [
            *_of_adapter(inputs, notes),
            *_of_readme(inputs, notes, quantised=quantised),
            *_of_gguf(inputs, file, quantised=quantised),
        ]
    )
    found = found or tuple(_of_config(inputs, identity))
    if found:
        notes.source("lineage", ", ".join(dict.fromkeys(one.source for one in found)))
    return found


def _of_adapter(inputs: CardInputs, notes: Notes) -> Iterator[Ancestor]:
    if inputs.model.kind is not Kind.ADAPTER:
        return
    key = "base_model_name_or_path"
    stated = at(inputs.documents.get(ADAPTER_CONFIG), key)
    name = stated_name(stated)
    if name is not None:
        yield Ancestor(name=name, relation="adapter", source=f"{ADAPTER_CONFIG}#/{key}")
    elif isinstance(stated, str) and stated:
        notes.warn(f"{ADAPTER_CONFIG} names its base model {clean(stated, 100)!r}: a path that tells no name")


def _of_readme(inputs: CardInputs, notes: Notes, *, quantised: bool) -> Iterator[Ancestor]:
    front = inputs.front_matter
    values = texts(front.get("base_model"), limit=500)
    names = [name for name in map(stated_name, values) if name is not None]
    relation = _relation(inputs, only(front.get("base_model_relation")), len(names), quantised=quantised)
    for name in names:
        yield Ancestor(name=name, relation=relation, source=f"{README}#base_model")
    if len(names) < len(values):
        untold = next(value for value in values if stated_name(value) is None)
        notes.warn(
            f"{README} names the base model {untold[:100]!r}: no hub id, and a path that tells no name"
        )


def _of_gguf(inputs: CardInputs, file: str, *, quantised: bool) -> Iterator[Ancestor]:
    """What the header says of the model before conversion, and of what that one was made from.

    The converter copies `general.base_model` from the README of the model that it converts, so that it is
    the base of that model and the relation to this one is not told. Source: gguf-py, metadata.py.
    """
    metadata = inputs.gguf_metadata
    source = stated_name(metadata.get("general.source.repo_url"))
    if source is not None:
        relation = "quantized" if quantised else "conversion"
        yield Ancestor(name=source, relation=relation, source=f"{file}#general.source.repo_url")
    for number in range(min(integer(metadata.get("general.base_model.count")) or 0, LIST_LIMIT)):
        for key in (f"general.base_model.{number}.repo_url", f"general.base_model.{number}.name"):
            name = stated_name(metadata.get(key))
            if name is not None:
                yield Ancestor(name=name, source=f"{file}#{key}")
                break


def _of_config(inputs: CardInputs, identity: Identity) -> Iterator[Ancestor]:
    """`_name_or_path`: what the weights were loaded from before they were saved.

    Its relation is not told: for a quantised model it may name what was quantised, or what that was made
    from. In a publisher's own folder it is often the model's own id.
    """
    stated = text(at(inputs.documents.get("config.json"), "_name_or_path"))
    if stated is None or hub_id(stated) is None or inputs.model.kind is not Kind.MODEL:
        return
    checkpoint = _is_checkpoint(inputs.model)
    if checkpoint or not _may_be_itself(stated, identity):
        relation = "checkpoint" if checkpoint else None
        yield Ancestor(name=stated, relation=relation, source="config.json#/_name_or_path")


def _relation(inputs: CardInputs, stated: str | None, count: int, *, quantised: bool) -> str | None:
    """What the README says, else what the folder is; None where several bases may mean anything."""
    model = inputs.model
    if stated is not None and stated.lower() in RELATIONS:
        return stated.lower()
    if model.kind is Kind.ADAPTER:
        return "adapter"
    if _is_checkpoint(model):
        return "checkpoint"
    if count == 1 and (quantised or model.layout in _CONVERTED):
        return "quantized" if quantised else "conversion"
    if _is_merge(inputs):
        return "merge"
    return "finetune" if count == 1 else None


def _is_merge(inputs: CardInputs) -> bool:
    tags = {tag.lower() for tag in texts(inputs.front_matter.get("tags"))}
    return bool(tags & _MERGE_TAGS) or any(file.name in _MERGE_CONFIGS for file in inputs.model.files)


def _is_checkpoint(model: ModelFolder) -> bool:
    named = _CHECKPOINT.fullmatch(basename(model.path)) is not None
    return named and any(file.name == "trainer_state.json" for file in model.files)


def _may_be_itself(stated: str, identity: Identity) -> bool:
    """Whether a name may be the model's own: all words of one of its names are in it."""
    words = set(_WORDS.findall(canonical(stated.partition("/")[2])))
    own = (identity.technical_name, identity.model_name.rpartition("/")[2], published_as(identity.path)[1])
    return any(set(_WORDS.findall(canonical(name))) <= words for name in own)


def _once(found: Iterable[Ancestor]) -> tuple[Ancestor, ...]:
    """Each model once: the first statement of a name, or the first that also has its publisher."""
    kept: dict[str, Ancestor] = {}
    for one in found:
        last = canonical(one.name.rpartition("/")[2])
        earlier = kept.setdefault(last, one)
        if "/" in one.name and "/" not in earlier.name:
            kept[last] = one.model_copy(update={"relation": earlier.relation or one.relation})
    return tuple(kept.values())[:LIST_LIMIT]
