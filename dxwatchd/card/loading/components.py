"""What a pipeline of diffusers is put together from: model_index.json, and the configs of its components."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.parts import Architecture, Component
from dxwatchd.card.values import LIST_LIMIT, Notes, at, clean, mapping, text, texts

INDEX = "model_index.json"
_FRAMEWORKS = ("Flax", "TF", "Onnx")


def components(documents: Mapping[str, object], notes: Notes) -> tuple[Component, ...]:
    """The entries of model_index.json that name a library and a class, in order.

    Where a component's own config names another class than the index, both are listed as a conflict; what is
    loaded is the index's. `null` for both stands for a component that the pipeline does without.
    """
    found: list[Component] = []
    for name, value in list(mapping(documents.get(INDEX)).items())[: LIST_LIMIT * 2]:
        if isinstance(value, list) and len(value) == 2 and not name.startswith("_"):
            library, class_name = text(value[0]), text(value[1])
            if library and class_name:
                found.append(Component(name=clean(name), library=library, class_name=class_name))
                _compare(clean(name), class_name, documents.get(f"{name}/config.json"), notes)
    if found:
        notes.source("components", INDEX)
    return tuple(found[:LIST_LIMIT])


def pipeline_architecture(documents: Mapping[str, object], notes: Notes) -> Architecture:
    """The pipeline's class as its architecture; the sizes are those of its components and stand there.

    Of a pipeline of the folder's own code the index names module and class.
    """
    stated = at(documents.get(INDEX), "_class_name")
    name = text(stated[-1] if isinstance(stated, list) and stated else stated)
    if name is None:
        return Architecture()
    notes.source("architecture.architectures", f"{INDEX}#/_class_name")
    return Architecture(architectures=(name,))


def _compare(name: str, class_name: str, config: object, notes: Notes) -> None:
    own = text(at(config, "_class_name")) or next(iter(texts(at(config, "architectures"))), None)
    if own is None or _bare(own) == _bare(class_name):
        return
    statements = ((f"{INDEX}#/{name}", class_name), (f"{name}/config.json", own))
    notes.conflict(f"components.{name}.class_name", *statements)


def _bare(class_name: str) -> str:
    for framework in _FRAMEWORKS:
        class_name = class_name.removeprefix(framework)
    return class_name
