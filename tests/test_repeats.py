"""Equal messages: the first few are written, the rest are counted."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from dxwatchd import log
from dxwatchd.repeats import REMEMBERED, SHOWN, WINDOW, Repeats


class Clock:
    """One that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Monotonic seconds."""
    return Clock()


@pytest.fixture
def stream(clock: Clock) -> Iterator[io.StringIO]:
    """What the log writes, as JSON, by that clock."""
    made = io.StringIO()
    log.configure("json", "debug", made)
    (handler,) = (one for one in logging.getLogger().handlers if one.filters)
    handler.filters[:] = [Repeats(clock)]
    yield made
    log.reset()


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """The messages so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_the_first_few_are_written_and_the_rest_counted(stream: io.StringIO, clock: Clock) -> None:
    """After the window one is written again, with the number of those that were not."""
    for _ in range(100):
        structlog.get_logger().warning("proposals cannot be appended", reason="it is read-only")
        clock.now += 1
    assert len(written(stream)) == SHOWN
    assert not any("repeated" in one for one in written(stream))
    clock.now += WINDOW
    structlog.get_logger().warning("proposals cannot be appended", reason="it is read-only")
    assert len(written(stream)) == SHOWN + 1
    assert written(stream)[-1]["repeated"] == 100 - SHOWN
    clock.now += WINDOW
    structlog.get_logger().warning("proposals cannot be appended", reason="it is read-only")
    assert "repeated" not in written(stream)[-1]


def test_what_differs_in_a_word_is_another_message(stream: io.StringIO) -> None:
    """A thousand models that are proposed at once are a thousand messages."""
    for number in range(1000):
        structlog.get_logger().info("model proposed", path="a", id=f"proposed:{number}")
    structlog.get_logger().error("model proposed", path="a", id="proposed:0")
    assert len(written(stream)) == 1001


def test_libraries_are_counted_too(stream: io.StringIO, clock: Clock) -> None:
    """By their text, whatever it is put together from."""
    for number in range(20):
        logging.getLogger("watchdog").warning("dropped %s", number % 2)
    assert len(written(stream)) == 2 * SHOWN
    clock.now += WINDOW
    logging.getLogger("watchdog").warning("dropped %s", 1)
    assert written(stream)[-1]["event"] == f"dropped 1 (repeated {10 - SHOWN} times before)"


def test_memory_of_messages_is_bounded(clock: Clock) -> None:
    """The oldest are forgotten, and then written again; what keeps coming is not."""
    repeats = Repeats(clock)

    def says(text: str) -> bool:
        return repeats.filter(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))

    for _ in range(SHOWN):
        assert says("often")
    for number in range(3 * REMEMBERED):
        assert says(str(number))
        assert not says("often")
    assert len(repeats._seen) <= REMEMBERED
