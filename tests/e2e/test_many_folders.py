"""One folder that is as bad as can be among a thousand good ones stops none of them."""

from __future__ import annotations

import os

import pytest

from tests.e2e.conftest import Place
from tests.layouts.making import CONFIG, Link, lay, plain, sharded, tensors


@pytest.mark.promise(7, "one bad folder among a thousand good ones, by a real daemon")
def test_one_bad_folder_among_a_thousand_good_ones(place: Place) -> None:
    """All good ones are proposed in one pass and one batch; the bad one says what is wrong with it."""
    place.options |= {"quiet_period": 0, "remote_quiet_period": 0}
    for number in range(1000):
        folder = place.models / f"publisher{number % 20}" / f"good-{number:04d}"
        lay({"config.json": CONFIG, "model.safetensors": tensors(number)}, folder)
    bad = place.models / "publisher7" / "bad"
    lay({"config.json": b"[" * 200_000, "model.safetensors": b"\xff" * 5000, **sharded(2)}, bad)
    lay({"tokenizer.json": b"\0" * 5000, "m.gguf": b"GGUF\x03\0\0\0" + b"\xff" * 5000}, bad)
    lay({"modules.json": plain([{"path": "../good-0007"}]), "x.onnx": b"\x3a\xff\xff\xff\xff\x7f"}, bad)
    lay({"adapter_config.json": b"\xef\xbb\xbfnull", "out.safetensors": Link("/etc/passwd")}, bad)
    os.mkfifo(bad / "model.bin")
    place.run("scan", code=1)
    assert len(place.entries()) == 1000
    proposed = [event for event in place.settled_events() if event["event"] == "proposed"]
    assert len(proposed) == 1000
    assert len({event["time"] for event in proposed}) == 1
    assert len({entry["technical_name"] for entry in place.entries()}) == 1000
    state = place.folder_state("publisher7/bad")
    assert state is not None
    assert state["state"] in ("invalid", "copying", "incomplete")
    assert len(state["reasons"]) >= 6
    assert all(reason["remedy"] for reason in state["reasons"])
