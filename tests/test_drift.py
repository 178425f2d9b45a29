"""What counts as content, over real folders: a change is drift exactly where it touches that."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dxwatchd.core.content import content_of
from dxwatchd.core.fingerprint import content_files
from dxwatchd.core.layouts import find
from dxwatchd.core.ownership import seen_files, seen_folders
from dxwatchd.core.provenance import Digests, checked_files
from dxwatchd.core.readiness import Verdict, judge
from dxwatchd.core.snapshot import Snapshot, join
from dxwatchd.scan import Scanner
from tests.layouts.conftest import look
from tests.layouts.making import CONFIG, TOKENIZER, Tree, lay, plain, sharded, tensors, torch

EXAMPLES = 250
BIG = tensors(7, 40_000)
"""1.3 MB: sampled by the fingerprint, so that only its digest sees all of it."""


class Identity(NamedTuple):
    """What is remembered of approved content: at once, and once all bytes are read."""

    fingerprint: str
    digest: str


def identity(root: Path, path: str = "m") -> Identity | None:
    """Of the model at `path`, by its files as they are; None where it is not whole."""
    seen = look(root)
    model, verdict = seen.models[path], seen.verdicts[path]
    if not verdict.whole:
        return None
    known = {
        (join(folder.path, name), file.stat): Digests(
            hashlib.sha256((root / folder.path / name).read_bytes()).hexdigest()
        )
        for folder in seen.snapshot.folders.values()
        for name, file in folder.files.items()
        if file.stat is not None
    }
    content = content_of(checked_files(model, seen.snapshot, known))
    assert content is not None
    return Identity(verdict.fingerprint, content.digest)


CONTENT: Tree = {
    "tokenizer.json": TOKENIZER,
    "tokenizer_config.json": plain({"x": 1}),
    "added_tokens.json": plain({"<x>": 1}),
    "chat_template.jinja": b"{{ messages }} here",
    "additional_chat_templates/tool.jinja": b"{{ tools }} here",
    "generation_config.json": plain({"top_k": 3}),
    "modeling_own.py": b"class Own: pass\n",
    "inner/helper.py": b"x = 1\n",
    "vocab.txt": b"a\nb\n",
    "merges.txt": b"a b\n",
    "spiece.model": b"pieces of words",
    "normalizer.json": plain({"colour": "color"}),
    "scheduler_config.json": plain({"beta": 1}),
}
"""Files that loaders read, and what a person approves."""
BESIDE: Tree = {
    "README.md": b"# A model\n",
    "LICENSE": b"Do what you like.\n",
    "picture.png": b"\x89PNG nothing",
    "notes.txt": b"mine\n",
    "pytorch_model.bin": torch(3),
    "onnx/tokenizer.json": TOKENIZER,
    "optimizer.pt": torch(4),
    "runs/events.out": b"log",
}
"""Files that no loader of the model reads, and other forms of its weights."""
BASES: tuple[Tree, ...] = (
    {"config.json": CONFIG, "model.safetensors": BIG},
    {"config.json": CONFIG, **sharded(3)},
)
EXTRA: Tree = {**CONTENT, **BESIDE}
DRAWN = st.tuples(st.sampled_from(BASES), st.sets(st.sampled_from(sorted(EXTRA)), max_size=8))
NEUTRAL = ("touch", "copy", "replace by a copy", "chmod", "hard link", "other order")
MUTATIONS = st.one_of(
    st.tuples(st.sampled_from(NEUTRAL), st.integers(0, 99), st.just(0.0)),
    st.tuples(st.sampled_from(["byte", "rename", "add", "remove"]), st.integers(0, 99), st.floats(0, 1)),
)


def is_content(name: str) -> bool:
    """By the table above, not by the code."""
    return name in CONTENT or name not in BESIDE


def files_of(folder: Path) -> list[str]:
    """Names relative to the folder, sorted."""
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def stir(folder: Path, act: str, which: int) -> None:
    """Change what is no content: times, rights, links, inodes, the order in which a listing gives them."""
    names = files_of(folder)
    path, aside = folder / names[which % len(names)], folder.with_name("aside")
    if act == "touch":
        os.utime(path, (which, which))
    elif act == "chmod":
        path.chmod(0o640)
    elif act == "hard link":
        aside.hardlink_to(path)
        aside.replace(path)
    elif act == "replace by a copy":
        shutil.copyfile(path, aside)
        aside.replace(path)
    else:
        for name in names if act == "copy" else reversed(names):
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, aside / name)
        shutil.rmtree(folder)
        aside.rename(folder)


def mutate(folder: Path, act: str, which: int, where: float) -> bool | None:
    """Change the folder. Returns whether its content is another; None where nothing could be done."""
    if act in NEUTRAL:
        stir(folder, act, which)
        return False
    names = files_of(folder)
    name = names[which % len(names)]
    path = folder / name
    if act == "add":
        name = sorted(EXTRA)[which % len(EXTRA)]
        if (folder / name).exists():
            return None
        lay({name: EXTRA[name]}, folder)
    elif act == "byte":
        data = bytearray(path.read_bytes())
        data[int(where * (len(data) - 1))] ^= 1
        path.write_bytes(data)
    elif act == "remove":
        path.unlink()
    else:
        path.rename(path.with_name(f"other-{path.name}"))
    return is_content(name)


@given(DRAWN, MUTATIONS)
@settings(max_examples=EXAMPLES)
def _mutations(drawn: tuple[Tree, set[str]], mutation: tuple[str, int, float]) -> None:
    base, extra = drawn
    with TemporaryDirectory() as made:
        root = Path(made)
        folder = lay({**base, **{name: EXTRA[name] for name in sorted(extra)}}, root / "m")
        before = identity(root)
        assert before is not None
        changes = mutate(folder, *mutation)
        if changes is None:
            return
        try:
            after = identity(root)
        except KeyError:  # no model is there any more
            after = None
        assert (after != before) == changes, (mutation, sorted(extra))


@pytest.mark.promise(9, "drawn folders changed at random: drift exactly where content is touched")
def test_drift_if_and_only_if_content_is_touched(tried: Callable[[int], None]) -> None:
    """Bytes, names, additions, removals; and copies, times, orders, links, which are no change."""
    _mutations()
    tried(EXAMPLES)


@pytest.mark.promise(9, "every byte of large weights, also between the fingerprint's samples")
def test_any_byte_of_large_weights(tmp_path: Path, tried: Callable[[int], None]) -> None:
    """The digest sees each of them; the fingerprint alone not, or the digest would not be needed."""
    folder = lay(BASES[0], tmp_path / "m")
    before = identity(tmp_path)
    assert before is not None
    chance, missed = random.Random(5), 0
    for _ in range(40):
        data = bytearray(BIG)
        data[chance.randrange(1000, len(BIG))] ^= 1 << chance.randrange(8)
        (folder / "model.safetensors").write_bytes(data)
        after = identity(tmp_path)
        assert after is not None
        assert after.digest != before.digest
        missed += after.fingerprint == before.fingerprint
    assert missed
    tried(40)


class _Family:
    """One rebuilt family of the corpus, looked at again and again; what is as it was is not read again."""

    def __init__(self, root: Path) -> None:
        self.scanner = Scanner(root, (), None)
        self.snapshot = Snapshot({})

    def verdicts(self) -> dict[str, Verdict]:
        """On what lies there now."""
        self.snapshot = self.scanner.look(None, lambda: False)
        return {model.path: judge(model, self.snapshot) for model in find(self.snapshot).models}

    def small_content(self) -> list[str]:
        """Names of the files that count and whose bytes all do, but for headers of weights."""
        (model,) = [model for model in find(self.snapshot).models if model.path == "m"]
        files = content_files(model, seen_files(seen_folders(model, self.snapshot)))
        return [
            name
            for name, file in files
            if file.stat is not None and 0 < file.stat.size < 100_000 and not name.endswith(".safetensors")
        ]


@pytest.mark.promise(9, "the corpus copied: the same content; a byte of a file that counts: another")
def test_the_corpus(
    corpus: Path, make_folder: Callable[..., Any], tmp_path: Path, tried: Callable[[int], None]
) -> None:
    """Of every third family, if whole: a copy is equal; another byte in any small file that counts is not."""
    copied = changed = 0
    for family in sorted(corpus.iterdir())[::3]:
        root = tmp_path / family.name
        folder = root / "m"
        make_folder(family.name, folder)
        made = _Family(root)
        verdict = made.verdicts().get("m")
        if verdict is None or not verdict.whole:
            continue
        for name in made.small_content():
            data = (folder / name).read_bytes()
            (folder / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            now = made.verdicts().get("m")
            assert now is None or now.fingerprint != verdict.fingerprint, (family, name)
            (folder / name).write_bytes(data)
            changed += 1
        subprocess.run(["cp", "-r", "--sparse=auto", folder, root / "copy"], check=True)
        found = made.verdicts()
        assert found["copy"].fingerprint == found["m"].fingerprint == verdict.fingerprint, family
        copied += 1
        shutil.rmtree(root)
    assert copied > 20
    assert changed > 50
    tried(copied + changed)
