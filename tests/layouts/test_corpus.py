"""Every family of the corpus: its kind, its files, whether it is whole; spoiled, none is, and says why."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dxwatchd.core.layouts import find
from dxwatchd.core.model import Kind, Layout
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.reasons import ReasonKind as Why
from dxwatchd.scan import Scanner
from tests.layouts.conftest import Root, look
from tests.layouts.stand_ins import make_true

Make = Callable[..., dict[str, int]]

PIPELINES = (
    "ddpm-butterflies flux-optimized meinamix-onnx sd-1.5-mixed sdxl-base-1.0 stable-cascade "
    "text-to-video-1.7b"
)
ADAPTERS = (
    "lora-glm4 lora-hy-mt lora-joycaption lora-ko-14b-qlora lora-whisper peft-ia3 peft-lokr peft-prefix"
)
SENTENCES = "all-minilm-l6-v2 bge-m3-tr labse-2dense minilm-local-st5 setfit-minilm"

LAYOUTS: dict[str, tuple[Layout, Kind]] = {
    **dict.fromkeys(PIPELINES.split(), (Layout.DIFFUSERS, Kind.PIPELINE)),
    **dict.fromkeys(ADAPTERS.split(), (Layout.PEFT, Kind.ADAPTER)),
    **dict.fromkeys(SENTENCES.split(), (Layout.SENTENCE_TRANSFORMERS, Kind.MODEL)),
    "faster-whisper-small-ct2": (Layout.CTRANSLATE2, Kind.MODEL),
    "ggml-whisper-legacy": (Layout.WHISPER, Kind.MODEL),
    "gguf-bert-bge-vocab": (Layout.GGUF, Kind.MODEL),
    "mlc-readerlm-v2": (Layout.MLC, Kind.MODEL),
    "open-clip-config": (Layout.OPEN_CLIP, Kind.MODEL),
    "ort-genai-gemma4": (Layout.ORT_GENAI, Kind.MODEL),
    "ort-genai-gpt2": (Layout.ORT_GENAI, Kind.MODEL),
    "piper-joe-medium": (Layout.PIPER, Kind.MODEL),
    "piper-test-voice": (Layout.PIPER, Kind.MODEL),
    "qwen3-14b-mlx-4bit": (Layout.MLX, Kind.MODEL),
}
"""All others are transformers models."""

NOTHING = {"deepseek-native-671b", "openvoice-converter-config"}
"""A `config.json` that no loader of models knows, without any weights: nothing is to be said of it."""

LACKING: dict[str, set[tuple[Why, str]]] = {
    "bloom-176b-lfs": {(Why.MALFORMED, "model.safetensors.index.json")}
    | {(Why.POINTER, f"model_{number:05d}-of-00072.safetensors") for number in range(1, 73)},
    "deepseek-ocr2": {(Why.MISSING_FILE, "model-00001-of-000001.safetensors")},
    "faster-whisper-small-ct2": {(Why.POINTER, "model.bin"), (Why.MISSING_FILE, "")},
    "flux-optimized": {
        (Why.NO_WEIGHTS, "transformer/"),
        (Why.MISSING_FILE, "text_encoder_2/model-00001-of-00002.safetensors"),
        (Why.MISSING_FILE, "text_encoder_2/model-00002-of-00002.safetensors"),
    },
    "ggml-whisper-legacy": {(Why.NO_WEIGHTS, "ggml-tiny.bin")},
    "gguf-bert-bge-vocab": {(Why.NO_WEIGHTS, "ggml-vocab-bert-bge.gguf")},
    "labse-2dense": {(Why.NO_WEIGHTS, "2_Dense/")},
    "ort-genai-gemma4": {(Why.MISSING_FILE, "dummy_text.onnx")},
    "piper-test-voice": {(Why.NO_WEIGHTS, ""), (Why.MISSING_FILE, "test_voice.onnx")},
    "stable-cascade": {(Why.NO_WEIGHTS, "decoder/"), (Why.NO_WEIGHTS, "vqgan/")},
    "tiny-random-phi-real-weights": set(),  # real weights, so it needs no recipe
}
"""What is not there, by what the origin left out (ORIGIN.json); LFS pointers stand as they came."""


def _names_in(folder: Path) -> set[str]:
    return {
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    }


def _lacking(family: Path) -> set[tuple[Why, str]] | None:
    """Why the family cannot be whole; None where only the answer "not whole" is known beforehand."""
    if family.name in LACKING:
        return LACKING[family.name]
    if (family / "recipe.json.gz").exists():
        return set()
    indexes = list(family.rglob("*.index.json")) + list(family.rglob("*.bin.index.json"))
    pointers = {
        (Why.POINTER, path.relative_to(family).as_posix())
        for path in family.rglob("*")
        if path.is_file() and path.stat().st_size < 1024 and b"git-lfs" in path.read_bytes()
    }
    if pointers:
        return None
    named = {name for path in indexes for name in json.loads(path.read_bytes())["weight_map"].values()}
    return {(Why.MISSING_FILE, name) for name in named} or {(Why.NO_WEIGHTS, "")}


def _problem(family: Path, folder: Path, seen: Root) -> str | None:
    """What is not as expected of one family, rebuilt as `folder`."""
    models = [model for path, model in seen.models.items() if f"{path}/".startswith(f"{family.name}/")]
    if family.name in NOTHING:
        return f"{len(models)} models" if models else None
    if len(models) != 1:
        return f"{len(models)} models"
    (model,) = models
    expected = LAYOUTS.get(family.name, (Layout.TRANSFORMERS, Kind.MODEL))
    if (model.layout, model.kind) != expected:
        return f"it is taken for a {model.layout.value} {model.kind.value}"
    inside = folder.parent / model.path
    if {file.name for file in model.files} != _names_in(inside):
        return f"its files differ: {sorted({file.name for file in model.files} ^ _names_in(inside))[:5]}"
    found = {(reason.kind, reason.file) for reason in seen.verdicts[model.path].reasons}
    lacking = _lacking(family)
    if lacking is None:
        return None if found else "it is whole"
    return None if found == lacking else f"reasons differ: {sorted(found ^ lacking)[:5]}"


def test_every_family_is_what_it_should_be(corpus: Path, make_folder: Make, root: Path) -> None:
    """Kind, layout, files and readiness, of every family there is; prints how many are right."""
    families = sorted(corpus.iterdir())
    for family in families:
        make_folder(family.name, root / family.name)
    seen = look(root)
    problems = {family.name: _problem(family, root / family.name, seen) for family in families}
    wrong = {name: problem for name, problem in problems.items() if problem is not None}
    print(f"families right / all: {len(families) - len(wrong)} / {len(families)}")
    assert wrong == {}


class _Family:
    """One rebuilt family, looked at again after each spoiling."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.scanner = Scanner(root, (), None)

    def verdict(self) -> Verdict:
        """On the one model there."""
        snapshot = self.scanner.look(None, lambda: False)
        (model,) = find(snapshot).models
        return judge(model, snapshot)


def _spoilings(path: Path, elsewhere: Path) -> Iterator[tuple[str, Path]]:
    """Spoils a file in three ways, one after the other; each time with the name that must be told.

    elsewhere: where it is put while it is removed.
    """
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size - 1)
        last = file.read(1)
        file.truncate(size - 1)
    yield "cut by a byte", path
    with path.open("r+b") as file:
        file.truncate(size)
        if last != b"\0":
            file.seek(size - 1)
            file.write(last)
    aside = path.with_name(f".{path.name}.xB3k9Q")
    path.rename(aside)
    yield "under a copier's name", aside
    aside.rename(elsewhere)
    yield "removed", path
    elsewhere.rename(path)


@pytest.mark.promise(3, "weights of the corpus cut by a byte, renamed or removed")
def test_spoiled_weights_are_never_whole(corpus: Path, make_folder: Make, tmp_path: Path) -> None:
    """Of every whole family: a weight file cut by a byte, renamed by a copier or removed is told by name.

    Of large sets the first, the last and two others. One file of several that say nothing of each other may
    be taken away without anybody missing it: then the rest must still be whole.
    """
    chance = random.Random(20261124)
    tried = unproven = 0
    for family in sorted(corpus.iterdir()):
        if not (family / "recipe.json.gz").exists() or _lacking(family):
            continue
        root = tmp_path / family.name
        folder = root / family.name
        make_folder(family.name, folder)
        names = sorted(_names_in(folder) - _names_in(family))
        hollow = [name for name in names if not name.endswith((".safetensors", ".json"))]
        proven = make_true(folder, hollow) + [name for name in names if name.endswith(".safetensors")]
        if family.name == "mlc-readerlm-v2":  # its table knows every size
            proven = hollow
        unproven += len(set(hollow) - set(proven))
        made = _Family(root)
        assert [str(reason) for reason in made.verdict().reasons] == [], family.name
        for name in {*proven[:1], *proven[-1:], *chance.sample(proven, min(2, len(proven)))}:
            for how, told in _spoilings(folder / name, tmp_path / "aside"):
                tried += 1
                verdict = made.verdict()
                if how == "removed" and verdict.whole:
                    assert _is_alone(name, proven), f"{family.name}: {name} {how}"
                    continue
                named = {reason.file.rpartition("/")[2] for reason in verdict.reasons}
                assert not verdict.whole, f"{family.name}: {name} {how}"
                assert told.name in named or how == "removed", f"{family.name}: {name} {how}: {named}"
        assert made.verdict().whole, family.name
    print(f"spoiled in {tried} ways; {unproven} files of formats that prove nothing left out")
    assert tried > 500


def _is_alone(name: str, proven: list[str]) -> bool:
    """Whether no index and no numbering promises the file, and another form of the weights is there."""
    return "-of-" not in name and len(proven) > 1
