"""An editor that was opened long ago, and is saved now."""

from __future__ import annotations

import os

import pytest

from tests.e2e.conftest import Place
from tests.e2e.test_names import drop


@pytest.mark.promise(4, "an editor's buffer from long ago is saved over newer proposals")
@pytest.mark.parametrize("way", ["in place", "by rename"])
def test_what_a_stale_buffer_erased_comes_again_with_the_same_names(place: Place, way: str) -> None:
    """Once each, what stayed is not doubled, and her own line is there."""
    place.start()
    drop(place, "one/Llama-3", 1)
    place.proposed("one/Llama-3")
    buffer = place.manifest.read_text() + "# her line\n"
    drop(place, "two/llama_3", 2)
    drop(place, "three/other", 3)
    erased = [place.proposed("two/llama_3"), place.proposed("three/other")]
    place.settled_events()  # what is erased before it was told is told once
    if way == "in place":
        place.manifest.write_text(buffer)
    else:
        (place.folder / "editor").write_text(buffer)
        os.rename(place.folder / "editor", place.manifest)
    again = [place.proposed("two/llama_3"), place.proposed("three/other")]
    assert again == erased
    assert sorted(entry["path"] for entry in place.entries()) == ["one/Llama-3", "three/other", "two/llama_3"]
    assert place.manifest.read_text().startswith(buffer)
    events = place.settled_events()
    proposed = sorted(event["path"] for event in events if event["event"] == "proposed")
    assert proposed == ["one/Llama-3", "three/other", "three/other", "two/llama_3", "two/llama_3"]
