"""Makes what `released/<version>/` has: a models root and the state directory that a release made of it.

To be run once for each release that changes a format, in a checkout of that release and with its environment:

    python -m tests.upgrades.make_released tests/upgrades/released/0.1.0

A real daemon and the release's own commands do it all. Afterwards the place's own path is replaced by `HOME`
in every text, so that whoever uses it can put their own there; nothing else is changed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.e2e.conftest import Place
from tests.e2e.test_names import drop, tiny_model
from tests.layouts.making import lay, plain, tensors

HOME = "/srv/place"


def story(place: Place) -> None:
    """Something of everything: at the end one model in each state, with all that leads there."""
    names = ("kept", "renamed", "moved", "drifted", "missing", "removed", "proposed", "rejected")
    place.start()
    for seed, name in enumerate(names):
        drop(place, name, seed)
        place.proposed(name)
    for name in names[:-2]:
        place.run("approve", name)
        place.registered(name)
    adapter = {"peft_type": "LORA", "base_model_name_or_path": "somebody/kept"}
    aside = place.folder / "aside" / "adapter"
    lay({"adapter_config.json": plain(adapter), "adapter_model.safetensors": tensors(3)}, aside)
    aside.rename(place.models / "adapter")
    place.proposed("adapter")
    place.run("approve", "adapter")
    place.registered("adapter")
    place.until(lambda: not _digests_left(place), "the digests")
    place.run("reject", "rejected")
    place.run("rename", "renamed", "--model-name", "New Name", "--technical-name", "new-name")
    place.edit('technical_name = "kept"', 'license = "mit"\ntechnical_name = "kept"')
    (place.models / "moved").rename(place.models / "elsewhere")
    (place.models / "missing").rename(place.folder / "gone")
    tiny_model(place.folder / "other", 99)
    (place.folder / "other" / "model.safetensors").replace(place.models / "drifted" / "model.safetensors")
    place.run("remove", "removed")
    for state in ("drifted", "missing"):
        place.until(lambda state=state: _availability(place, state) == state, state)  # type: ignore[misc]
    place.until(lambda: not _digests_left(place), "the digests")
    place.run("scan", code=1)
    assert place.stop() == 0


def _digests_left(place: Place) -> bool:
    place.run("scan", code=None)
    events = place.events()
    place.run("scan", code=None)
    return bool(place.json("status", code=None)["digests"]["files_left"]) or place.events() != events


def _availability(place: Place, name: str) -> str:
    return str((place.card(name) or {}).get("availability"))


def put(text: str, to: str, folder: Path) -> None:
    """Replace one path by another in every text of a state directory."""
    for path in folder.rglob("*"):
        if path.suffix in (".json", ".jsonl", ".toml"):
            path.write_bytes(path.read_bytes().replace(text.encode(), to.encode()))


def main(target: Path) -> None:
    """Make everything anew."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        story(place)
        put(folder, HOME, place.state)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(place.models, target / "models")
        shutil.copytree(place.state, target / "state")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
