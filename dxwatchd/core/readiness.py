"""Is a model whole? Either it is, with a fingerprint, or there is the complete list of reasons why not.

Whole means: every file that the layout, an index or a numbering promises is there, each with exactly the
size that its own header says, and nothing bears a copier's temporary name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from dxwatchd.core.file_checks import any_file, temporary, weight_file
from dxwatchd.core.filenames import is_temporary, weight_format
from dxwatchd.core.model import Layout, ModelFolder, WeightSet
from dxwatchd.core.ownership import component_folder
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFile, SeenFolder, Snapshot, basename, join, parent
from dxwatchd.core.text import count, is_text
from dxwatchd.core.weightsets import stem_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a model folder's wholeness.

    reasons: all that stands in the way (none: whole); warnings: what is odd and does not;
    patient: whether something (a hole, a leftover index) makes the long quiet period the right one;
    fingerprint: identity of config, tokenizer and primary weights, "" unless whole.
    """

    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...] = ()
    patient: bool = False
    fingerprint: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons


def judge(model: ModelFolder, snapshot: Snapshot) -> Verdict:
    """Judge one model of a snapshot."""
    reasons: list[Reason] = []
    warnings: list[Reason] = []
    if not is_text(model.path):
        reasons.append(
            Reason(
                ReasonKind.NAME_NOT_TEXT,
                found="the folder's name holds control characters or is not UTF-8",
                remedy="rename it: no manifest can hold this name",
            )
        )
    if any(is_temporary(part) for part in model.path.split("/")):
        reasons.append(temporary(""))
    files = dict(_owned(model, snapshot))
    patient = False
    for name, file in files.items():
        reasons.extend(any_file(name, file))
    reasons.extend(_components(model, snapshot))
    sets, leftovers = _promised(model, files)
    for weights, reason in leftovers:
        warnings.append(reason)
        patient = patient or weights.format is not sets[0].format or stem_of(weights) != stem_of(sets[0])
    if not sets:
        reasons.append(_no_weights(model))
    for weights in sets:
        for name in weights.files:
            found = files.get(name)
            reasons.extend(_missing(name, weights) if found is None else weight_file(name, found))
            if found is not None and found.hole:
                patient = True
                warnings.append(
                    Reason(
                        ReasonKind.HOLES,
                        file=name,
                        found="has ranges that nothing was ever written to",
                        remedy="wait: a preallocated file looks like this until it is filled",
                    )
                )
    if reasons:
        return Verdict(tuple(_once(reasons)), tuple(warnings), patient)
    return Verdict((), tuple(warnings), patient, fingerprint(model, files))


def fingerprint(model: ModelFolder, files: dict[str, SeenFile]) -> str:
    """Identity of the content that is loaded: `sha256:` and 64 hexadecimal digits.

    It covers name, size and digest of every file that was read (config, tokenizer, code, indexes) and of the
    primary weights; not README and the like, not times, and not other forms of the same weights, which may
    come and go.
    """
    primary = {name for weights in model.weight_sets if weights.primary for name in weights.files}
    other = {name for weights in model.weight_sets if not weights.primary for name in weights.files}
    other |= {weights.index for weights in model.weight_sets if not weights.primary and weights.index}
    total = hashlib.sha256(b"dxwatchd fingerprint 1\n")
    for name in sorted(files):
        facts, stat = files[name].facts, files[name].stat
        if facts is None or stat is None or name in other:
            continue
        if name not in primary and weight_format(basename(name)) is not None:
            continue
        total.update(f"{name}\0{stat.size}\0{facts.digest}\n".encode(errors="surrogateescape"))
    return f"sha256:{total.hexdigest()}"


def _owned(model: ModelFolder, snapshot: Snapshot) -> Iterator[tuple[str, SeenFile]]:
    """The model's files as they were seen, by name relative to it; those behind a folder link included."""
    folders = {parent(file.name) for file in model.files} | {""}
    for inner in sorted(folders):
        folder = snapshot.folders.get(join(model.path, inner) if inner else model.path)
        if folder is not None:
            for name, file in folder.files.items():
                yield join(inner, name), file
    top = snapshot.folders[model.path]
    for component in model.components:
        linked = component_folder(snapshot, top, component)
        if linked is not None and linked.path != join(model.path, component):
            for name, file in linked.files.items():
                yield join(component, name), file


def _promised(
    model: ModelFolder, files: dict[str, SeenFile]
) -> tuple[list[WeightSet], list[tuple[WeightSet, Reason]]]:
    """The sets that must be whole, and those of which only the index lies there.

    An index none of whose files is there is a leftover when another set of the same folder is there in full:
    a merged checkpoint keeps its old index, a download may leave out the `.bin` files.
    """
    sets = list(model.weight_sets)
    complete = {parent(weights.files[0]) for weights in sets if files.keys() >= set(weights.files)}
    kept: list[WeightSet] = []
    leftovers: list[tuple[WeightSet, Reason]] = []
    for weights in sets:
        absent = weights.index is not None and not any(name in files for name in weights.files)
        if absent and weights.index is not None and parent(weights.index) in complete:
            reason = Reason(
                ReasonKind.LEFTOVER_INDEX,
                file=weights.index,
                found=f"names {count(len(weights.files), 'file')}, none of which is there",
                remedy="remove it if these weights are not meant to be here",
            )
            leftovers.append((weights, reason))
        else:
            kept.append(weights)
    return kept, leftovers


def _missing(name: str, weights: WeightSet) -> Iterator[Reason]:
    promise = f"by {weights.index}" if weights.index else "by the numbering of the others"
    yield Reason(
        ReasonKind.MISSING_FILE,
        file=name,
        expected=promise,
        found="not there",
        remedy="wait for the copy to end, or copy the file",
    )


def _components(model: ModelFolder, snapshot: Snapshot) -> Iterator[Reason]:
    top = snapshot.folders[model.path]
    for component in model.components:
        folder: SeenFolder | None = component_folder(snapshot, top, component)
        # sentence-transformers leaves a module without settings (Normalize) without a folder or with an
        # empty one, and git keeps no empty folders
        if folder is None and not component.endswith("_Normalize"):
            named_by = "model_index.json" if model.layout is Layout.DIFFUSERS else "modules.json"
            yield Reason(
                ReasonKind.MISSING_FILE,
                file=f"{component}/",
                expected=f"by {named_by}",
                found="not there",
                remedy="wait for the copy to end, or copy the folder",
            )


def _no_weights(model: ModelFolder) -> Reason:
    return Reason(
        ReasonKind.NO_WEIGHTS,
        expected="a weight file (*.safetensors, *.bin, *.gguf)",
        found="no weights yet",
        remedy="wait for the copy to end, or copy the weights into the folder",
    )


def _once(reasons: list[Reason]) -> list[Reason]:
    return list(dict.fromkeys(reasons))
