"""Is a model whole? Either it is, with a fingerprint, or there is the complete list of reasons why not.

Whole means: every file that the layout, an index or a numbering promises is there, each with exactly the
size that its own header says, and nothing bears a copier's temporary name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dxwatchd.core.facts import Facts, Hollow, Opaque, Pointer, TorchArchive
from dxwatchd.core.file_checks import file_reasons, folder_reasons, missing, temporary
from dxwatchd.core.filenames import is_temporary, stands_for
from dxwatchd.core.fingerprint import fingerprint
from dxwatchd.core.late_files import missing_optional, unfinished_blobs
from dxwatchd.core.model import ModelFolder, WeightSet
from dxwatchd.core.named_files import unkept_names
from dxwatchd.core.ownership import DOWNLOADER, download_notes, seen_files, seen_folders
from dxwatchd.core.promises import unkept, unkept_by_gguf
from dxwatchd.core.reasons import Reason, ReasonKind
from dxwatchd.core.snapshot import SeenFile, Snapshot
from dxwatchd.core.text import count, is_text
from dxwatchd.core.unread import without_followers
from dxwatchd.core.weightsets import stem_of


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a model folder's wholeness.

    reasons: all that stands in the way (none: whole); warnings: what is odd and does not;
    patient: whether something (a hole, weights that may still come) asks for the long quiet period;
    unproven: whether it also applies, unless moved in as one, since no size in a file proves the weights, or
    an optional file may still come;
    fingerprint: identity of config, tokenizer and primary weights, "" unless whole.
    """

    reasons: tuple[Reason, ...]
    warnings: tuple[Reason, ...] = ()
    patient: bool = False
    unproven: bool = False
    fingerprint: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing stands in the way."""
        return not self.reasons


def judge(model: ModelFolder, snapshot: Snapshot) -> Verdict:
    """Judge one model of a snapshot."""
    folders = seen_folders(model, snapshot)
    files = seen_files(folders)
    sets, leftovers = _sets(model, files)
    reasons = list(_name(model))
    for inner, folder in folders.items():
        reasons.extend(folder_reasons(inner, folder))
    for name, file in files.items():
        if not (isinstance(file.facts, Pointer) and stands_for(name) in files):
            reasons.extend(file_reasons(name, file))
    reasons.extend(unkept(model, folders, sets))
    reasons.extend(unkept_names(files))
    told = {reason.file for reason in reasons}
    for weights in sets:
        by = f"by {weights.index}" if weights.index else "by the numbering of the others"
        absent = (name for name in weights.files if name not in files and name not in told)
        reasons.extend(missing(name, by) for name in absent)
        reasons.extend(unkept_by_gguf(weights, files))
    reasons.extend(_downloads(model, snapshot))
    optional, downloads = [*missing_optional(files)], [*unfinished_blobs(model, snapshot)]
    holes = [_hole(name, file) for name, file in files.items() if file.hole]
    warnings = (*(_leftover(weights) for weights in leftovers), *optional, *downloads, *holes)
    patient = bool(holes or downloads) or any(_may_come(weights, sets) for weights in leftovers)
    unproven = bool(optional) or any(_is_unproven(weights, files) for weights in sets if weights.primary)
    if reasons:
        first = without_followers(dict.fromkeys(reasons), folders)
        return Verdict(first, warnings, patient, unproven)
    return Verdict((), warnings, patient, unproven, fingerprint(model, files))


def _downloads(model: ModelFolder, snapshot: Snapshot) -> Iterator[Reason]:
    """What huggingface_hub has not finished downloading into the folder."""
    for name in download_notes(snapshot, model.path):
        if is_temporary(name):
            yield temporary(f"{DOWNLOADER}/huggingface/download/{name}")


def _is_unproven(weights: WeightSet, files: Mapping[str, SeenFile]) -> bool:
    """Whether some file of the set is in a format that tells nothing of its size."""
    return any(name in files and _tells_nothing(files[name].facts) for name in weights.files)


def _tells_nothing(facts: Facts | None) -> bool:
    bare_pickle = isinstance(facts, TorchArchive) and facts.container != "zip"
    return facts is None or isinstance(facts, Opaque) or bare_pickle


def _name(model: ModelFolder) -> Iterator[Reason]:
    """What is wrong with where the folder lies."""
    if not is_text(model.path):
        yield Reason(
            ReasonKind.NAME_NOT_TEXT,
            found="the folder's name holds control characters or is not UTF-8",
            remedy="rename it: no manifest can hold this name",
        )
    if any(is_temporary(part) for part in model.path.split("/")):
        yield temporary("")


def _sets(model: ModelFolder, files: Mapping[str, SeenFile]) -> tuple[list[WeightSet], list[WeightSet]]:
    """The sets that must be whole, and those of which only the index lies there.

    An index none of whose files is there is a leftover when another set of the same folder is there in full:
    a merged checkpoint keeps its old index, a download may leave out the `.bin` files.
    """
    complete = {weights.folder for weights in model.weight_sets if files.keys() >= set(weights.files)}
    kept: list[WeightSet] = []
    leftovers: list[WeightSet] = []
    for weights in model.weight_sets:
        absent = weights.index is not None and files.keys().isdisjoint(weights.files)
        (leftovers if absent and weights.folder in complete else kept).append(weights)
    return kept, leftovers


def _may_come(leftover: WeightSet, sets: list[WeightSet]) -> bool:
    """Whether the files of a leftover index may be on their way: not where one file took their place."""
    return not any(
        (weights.folder, weights.format, stem_of(weights))
        == (leftover.folder, leftover.format, stem_of(leftover))
        for weights in sets
    )


def _leftover(weights: WeightSet) -> Reason:
    return Reason(
        ReasonKind.LEFTOVER_INDEX,
        file=weights.index or "",
        found=f"names {count(len(weights.files), 'file')}, none of which is there",
        remedy="remove it if these weights are not meant to be here",
    )


def _hole(name: str, file: SeenFile) -> Reason:
    hollow = isinstance(file.facts, Hollow)
    return Reason(
        ReasonKind.HOLES,
        file=name,
        found="has nothing but its first bytes" if hollow else "has ranges that nothing was ever written to",
        remedy="wait: a preallocated file looks like this until it is filled",
    )
