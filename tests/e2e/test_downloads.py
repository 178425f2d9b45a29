"""huggingface_hub itself downloads a model under the daemon's eyes, from a hub on the loopback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.conftest import PATIENCE, Place
from tests.e2e.test_copying import Sampler
from tests.layouts.making import COMMIT, CONFIG, TOKENIZER, sharded, tensors

FILES = {
    "config.json": CONFIG,
    "tokenizer.json": TOKENIZER,
    **{name: data for name, data in sharded(3).items() if name.endswith(".json")},
    **{f"model-0000{number}-of-00003.safetensors": tensors(number, 30_000) for number in (1, 2, 3)},
}
PIECES = 6
PAUSE = 0.15  # seconds between the pieces of a file


class _Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download asks for: the list of files, and each of them, slowly."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.path.startswith("/api/models/"):
            siblings = [{"rfilename": name} for name in FILES]
            told: object = {"id": "org/Name-1B", "sha": COMMIT, "siblings": siblings}
            if "/tree/" in self.path:
                told = [{"type": "file", "path": name, **_sizes(data)} for name, data in FILES.items()]
            self._send(json.dumps(told).encode(), {"Content-Type": "application/json"}, body=body)
            return
        name = self.path.rpartition("/")[2]
        if name not in FILES:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        data = FILES[name]
        headers = {"X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if name.endswith(".safetensors"):
            headers["X-Linked-Etag"] = f'"{hashlib.sha256(data).hexdigest()}"'
            headers["X-Linked-Size"] = str(len(data))
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self._send(data, {**headers, "ETag": f'"{blob}"'}, body=body, slowly=name.endswith(".safetensors"))

    def _send(self, data: bytes, headers: dict[str, str], *, body: bool, slowly: bool = False) -> None:
        self.send_response(200)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        step = len(data) // PIECES + 1 if slowly else len(data)
        for start in range(0, len(data), step):
            self.wfile.write(data[start : start + step])
            self.wfile.flush()
            if slowly:
                time.sleep(PAUSE)


def _sizes(data: bytes) -> dict[str, object]:
    return {"size": len(data), "oid": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}


@pytest.fixture
def hub() -> Iterator[str]:
    """The address of a running hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _download(place: Place, hub: str, how: str) -> None:
    """What a user types: `hf download org/Name-1B`, into the cache or into a folder."""
    into = {"cache": ["--cache-dir", place.models], "local": ["--local-dir", place.models / "Name-1B"]}[how]
    command = Path(sys.executable).with_name("hf")
    quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
    home = {"HF_HOME": str(place.folder / "hf"), "HF_ENDPOINT": hub}
    done = subprocess.run(
        [command, "download", "org/Name-1B", *map(str, into), "--max-workers", "2"],
        env={**os.environ, **quiet, **home},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.oracle
@pytest.mark.parametrize("how", ["cache", "local"])
@pytest.mark.promise(3, "the hub's downloaders, pausing")
def test_a_download_is_proposed_once_it_is_done_and_verified(place: Place, hub: str, how: str) -> None:
    """Pauses are longer than the quiet period: no early sample; one proposal, of the whole; digests agree."""
    path = f"models--org--Name-1B/snapshots/{COMMIT}" if how == "cache" else "Name-1B"
    place.options |= {"quiet_period": 0.1, "remote_quiet_period": 1.0, "rescan_interval": 0.3}
    place.start()
    with Sampler(place, path).running() as sampler:
        _download(place, hub, how)
        entry = place.proposed(path)
        place.until(sampler.has_seen, "the sampler to see it")
    assert sampler.samples > 20
    # whatever writes, renames or links a file sets a ctime: the latest is when the folder became whole
    files = [place.models / path / name for name in FILES]
    whole_since = max(max(file.stat().st_ctime_ns, file.lstat().st_ctime_ns) for file in files)
    assert place.manifest.stat().st_mtime_ns > whole_since
    assert entry["technical_name"] == "name-1b"
    assert [event["path"] for event in place.settled_events() if event["event"] == "proposed"] == [path]

    def digests() -> dict[str, int] | None:
        found: dict[str, int] | None = (place.folder_state(path) or {}).get("digests")
        return found if found and not found["pending"] else None

    found = place.until(digests, "digests")
    assert (found["verified"], found["mismatch"]) == (len(FILES), 0)
    assert place.json("explain", path)["models"][0]["expected_digests"]["config.json"]["commit"] == COMMIT
