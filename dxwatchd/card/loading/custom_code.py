"""Whether a model needs code of its own to be loaded, and what code it brings. None of it is ever run here.

Two things point to code: a config that names a class, and the loader's not having one. Where a loader has
its own class for the model, code that the folder brings is optional.
Sources: transformers' `resolve_trust_remote_code` and auto classes (src/transformers/dynamic_module_utils.py,
models/auto), diffusers' `_get_custom_components_and_folders` (pipelines/pipeline_loading_utils.py),
sentence-transformers' `_load_module_class_from_ref`, mlx_lm's `load_model` (mlx_lm/utils.py)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Set

from dxwatchd.card.config.class_defaults import config_class, has_model_class, version
from dxwatchd.card.loading.auto_map import Reference, auto_map, class_names, modules
from dxwatchd.card.parts import CustomCode
from dxwatchd.card.values import LIST_LIMIT, Notes, at, encodable, mapping, text, texts
from dxwatchd.core.model import Layout, ModelFolder
from dxwatchd.core.room import Room

_PYTHON_FILES, _BESIDE = 128 * 1024, 10  # bytes of their names in a card, and beside each of them
_REQUIRED = "custom_code.required"
_TRUST = "trust_remote_code"
_RUNTIMES = frozenset(
    {
        *(Layout.GGUF, Layout.DDUF, Layout.MISTRAL, Layout.LLAMA, Layout.TIMM, Layout.OPEN_CLIP),
        *(Layout.ORT_GENAI, Layout.PIPER, Layout.CTRANSLATE2, Layout.TENSORRT_LLM, Layout.WHISPER),
        *(Layout.MLC, Layout.TFLITE),
    }
)
"""Their loaders have all the code and look for none in a model's folder."""
_OTHER_CLASSES = frozenset({Layout.MLX, Layout.ONNX, Layout.OPENVINO})
"""Read by runtimes with classes of their own, but with transformers' tokenizers and configs."""
_PREPARING = (
    *("tokenizer", "tokenizerfast", "processor", "imageprocessor", "imageprocessorfast"),
    *("featureextractor", "videoprocessor"),
)


def custom_code(model: ModelFolder, documents: Mapping[str, object], notes: Notes) -> CustomCode:
    """What the configs and the names of the files say; warnings say what runs when."""
    files = {file.name for file in model.files}
    folders = model.components if model.layout is Layout.SENTENCE_TRANSFORMERS else ()
    references = auto_map(documents, folders, notes)
    required = _required(model.layout, documents, references, files, notes)
    if references and required is False:
        notes.warn(f"The folder brings its own code, which is run only where {_TRUST} is given.")
    _warn_of_places(references, files, notes)
    _warn_of_extras(documents, files, notes)
    python_files = _python_files(files, notes)
    if python_files:
        notes.source("custom_code.python_files", "the names of the files")
    return CustomCode(
        required=required,
        auto_map={auto_class: entry.classes for auto_class, entry in references.items()},
        python_files=python_files,
    )


def _python_files(files: Set[str], notes: Notes) -> tuple[str, ...]:
    """Those that there is room for."""
    every = sorted(encodable(name) for name in files if name.endswith(".py"))
    room = Room(_PYTHON_FILES)
    listed = tuple(itertools.takewhile(lambda name: room.takes(name, beside=_BESIDE), every))
    if len(listed) < len(every):
        notes.warn(f"custom_code.python_files: the first {len(listed):,} of {len(every):,} are listed")
    return listed


def _required(
    layout: Layout,
    documents: Mapping[str, object],
    references: Mapping[str, Reference],
    files: Set[str],
    notes: Notes,
) -> bool | None:
    if layout in _RUNTIMES:
        notes.source(_REQUIRED, f"derived: the {layout.value} layout is loaded without")
        return False
    if layout is Layout.NEMO:
        notes.warn(
            "A NeMo archive's own configuration names the classes that it is loaded with; it is not read."
        )
        return None
    if layout is Layout.PEFT:
        return _of_adapter(documents.get("adapter_config.json"), notes)
    if layout is Layout.DIFFUSERS:
        return _of_pipeline(mapping(documents.get("model_index.json")), files, notes)
    if layout is Layout.MLX and (own := text(at(documents.get("config.json"), "model_file"))):
        notes.source(_REQUIRED, "config.json#/model_file")
        notes.warn(f"config.json names {own} as the model's code, which mlx-lm runs without asking.")
        return True
    config = _config_of(documents)
    required = _of_transformers(config, references, files, notes)
    if layout in _OTHER_CLASSES and required:
        notes.sources.pop(_REQUIRED, None)
        notes.warn(
            "transformers needs the model's own code for it; another runtime may have a class of its own."
        )
        return None
    if layout is Layout.SENTENCE_TRANSFORMERS:
        return _together(required, _of_modules(documents.get("modules.json"), files, notes))
    return required


def _config_of(documents: Mapping[str, object]) -> object:
    """The config of the model itself; sentence-transformers may keep it with the first module."""
    if "config.json" in documents:
        return documents["config.json"]
    first = documents.get("modules.json")
    path = text(at(first[0], "path")) if isinstance(first, list) and first else None
    return documents.get(f"{path}/config.json")


def _together(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if None in (one, other) else False


def _of_transformers(
    config: object, references: Mapping[str, Reference], files: Set[str], notes: Notes
) -> bool | None:
    if not mapping(config):
        return None
    model_type = text(at(config, "model_type"))
    if config_class(model_type) is not None:
        return _of_known_type(config, references, files, notes)
    of_model = [name for name in references if name.startswith(("AutoConfig", "AutoModel"))]
    if of_model:
        entry = references[of_model[0]]
        notes.source(_REQUIRED, f"{entry.source}#/auto_map")
        return True
    what = (
        f"does not know the model_type {model_type}"
        if model_type
        else "needs a model_type, which is not stated"
    )
    notes.warn(
        f"transformers {version()} {what}, and no auto_map names code for it: what loads it is not known."
    )
    return None


def _of_known_type(
    config: object, references: Mapping[str, Reference], files: Set[str], notes: Notes
) -> bool | None:
    """Where transformers has a class for the type, it takes that one unless it is told to trust another.

    Some models put a class of their own under a known type: without it they load as something else.
    """
    named = {name: entry for name, entry in references.items() if name != "AutoConfig"}
    if "tokenizer.json" in files:  # which transformers loads whatever the class is called
        named.pop("AutoTokenizer", None)
    classes = (*texts(at(config, "architectures")), *class_names(named)) if references else ()
    unknown = [name for name in classes if not _is_known(name)]
    if unknown:
        notes.warn(
            f"transformers has a class for the model_type {text(at(config, 'model_type'))}, but none that is "
            f"called {unknown[0]}, as the folder has it: whether loading needs its own code is not known."
        )
        return None
    notes.source(_REQUIRED, f"default: transformers {version()} knows config.json#/model_type")
    return False


def _is_known(class_name: str) -> bool:
    """Whether transformers has a class of this name, of a model or of what prepares its input."""
    name = class_name.lower()
    families = [name[: -len(end)] for end in _PREPARING if name.endswith(end)]
    return has_model_class(name) or any(has_model_class(f"{family}model") for family in families)


def _of_pipeline(index: Mapping[str, object], files: Set[str], notes: Notes) -> bool | None:
    if not index:
        return None
    class_name = index.get("_class_name")
    if isinstance(class_name, list):
        notes.source(_REQUIRED, "model_index.json#/_class_name")
        return True
    for name, value in list(index.items())[: LIST_LIMIT * 2]:
        library = text(value[0]) if isinstance(value, list) and value else None
        if library and not {f"{name}/{library}.py", f"{library}.py"}.isdisjoint(files):
            notes.source(_REQUIRED, f"model_index.json#/{name}")
            return True
    if "pipeline.py" in files:
        notes.warn(
            "pipeline.py is a pipeline of the folder's own: whether the one that model_index.json names is "
            "diffusers' is not known."
        )
        return None
    notes.source(_REQUIRED, "derived: model_index.json names no code of the folder")
    return False


def _of_modules(listed: object, files: Set[str], notes: Notes) -> bool | None:
    """sentence-transformers takes a class of the folder for any module that is not its own."""
    if not isinstance(listed, list):
        return None
    required: bool | None = False
    for number, item in enumerate(listed[:LIST_LIMIT]):
        kind = text(at(item, "type")) or ""
        if kind.startswith("sentence_transformers."):
            continue
        repository, _, path = kind.rpartition("--")
        if repository or f"{path.rpartition('.')[0].replace('.', '/')}.py" in files:
            notes.source(_REQUIRED, f"modules.json#/{number}/type")
            notes.warn(
                f"modules.json names {kind}: older sentence-transformers run such code from a local folder "
                f"without {_TRUST}."
            )
            return True
        notes.warn(
            f"modules.json names {kind or 'no type'}, which is not in the folder: it must be installed."
        )
        required = None
    return required


def _of_adapter(config: object, notes: Notes) -> bool | None:
    library = text(at(config, "auto_mapping", "parent_library")) or ""
    if library.startswith("transformers_modules"):
        notes.warn("The adapter was made with a base model that was loaded with its own code.")
        return None
    notes.source(_REQUIRED, "derived: an adapter is loaded without; its base may need code")
    return False


def _warn_of_places(references: Mapping[str, Reference], files: Set[str], notes: Notes) -> None:
    """Code that is not in the folder: it would be fetched, or is missing."""
    for repository, module in modules(references):
        if repository:
            notes.warn(f"auto_map names code of {repository}: trusting it fetches that and runs it.")
        elif f"{module.replace('.', '/')}.py" not in files:
            notes.warn(f"auto_map names {module}.py, which is not in the folder.")


def _warn_of_extras(documents: Mapping[str, object], files: Set[str], notes: Notes) -> None:
    """Code that nothing needs for loading, but that is run in other ways."""
    if "custom_generate/generate.py" in files:
        notes.warn(f"custom_generate/generate.py takes the place of generate where {_TRUST} is given.")
    for task in list(mapping(at(documents.get("config.json"), "custom_pipelines")))[:4]:
        notes.warn(
            f"config.json brings its own pipeline for {text(task) or 'a task'}, run where {_TRUST} is given."
        )
