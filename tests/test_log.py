"""What the log looks like, and that nothing in it can break its lines."""

from __future__ import annotations

import io
import json
import logging
import re
import warnings
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from dxwatchd import log
from dxwatchd.log import Key


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.fixture(autouse=True)
def _reset_after() -> Iterator[None]:
    yield
    log.reset()


def one_json(stream: io.StringIO) -> dict[str, Any]:
    """Give the only message of a JSON log."""
    (line,) = stream.getvalue().splitlines()
    message: dict[str, Any] = json.loads(line)
    return message


def without_colours(text: str) -> str:
    """Leave out what only colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_json_elsewhere_than_on_a_terminal() -> None:
    """Written to a file or the journal, each message is one JSON object with a UTC time in milliseconds."""
    stream = io.StringIO()
    log.configure("auto", "info", stream)
    structlog.get_logger().info("proposed", path=Path("Qwen/Qwen3-8B"), count=3, **{Key.PID: 7})
    message = one_json(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message.pop("timestamp"))
    assert message == {"level": "info", "event": "proposed", "path": "Qwen/Qwen3-8B", "count": 3, "pid": 7}


def test_console_on_a_terminal() -> None:
    """On a terminal a message is one line for people."""
    stream = Terminal()
    log.configure("auto", "info", stream)
    structlog.get_logger().info("proposed", path="Qwen/Qwen3-8B")
    text = without_colours(stream.getvalue())
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[info *\] proposed +path=Qwen/Qwen3-8B *\n", text)


def test_console_without_a_terminal_has_no_colours() -> None:
    """Asked for by name, the console's lines carry no escape sequences into a file."""
    stream = io.StringIO()
    log.configure("console", "info", stream)
    structlog.get_logger().warning("proposed", path="a")
    assert "\x1b" not in stream.getvalue()


def test_level_is_kept_and_can_change() -> None:
    """Less important messages are left out; a second configure, as after a reload, counts at once."""
    stream, later = io.StringIO(), io.StringIO()
    logger = structlog.get_logger()
    log.configure("json", "warning", stream)
    logger.info("no")
    logging.getLogger("other").info("no")
    logger.warning("yes")
    log.configure("json", "debug", later)
    logger.debug("now yes")
    assert one_json(stream)["event"] == "yes"
    assert one_json(later)["event"] == "now yes"


def test_messages_of_libraries_look_the_same() -> None:
    """Standard logging goes the same way, with the library's name."""
    stream = io.StringIO()
    log.configure("json", "info", stream)
    logging.getLogger("watchdog.observers").warning("queue of %s overflowed", "inotify")
    message = one_json(stream)
    assert (message["event"], message["logger"]) == ("queue of inotify overflowed", "watchdog.observers")
    assert message["level"] == "warning"


def test_python_warnings_are_messages() -> None:
    """A Python warning does not put a bare line between the JSON lines."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        log.configure("json", "info", stream)
        warnings.warn("old thing", UserWarning, stacklevel=1)
        log.reset()
    assert "old thing" in one_json(stream)["event"]


def test_watchdog_does_not_log_each_event() -> None:
    """At the debug level too, watchdog's own debug messages stay out."""
    stream = io.StringIO()
    log.configure("json", "debug", stream)
    logging.getLogger("watchdog.observers.inotify_buffer").debug("in-event")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_long_values_are_cut_and_say_so(log_format: log.Format) -> None:
    """A library's megabytes, and a long value of ours, end after 2,000 characters with the rest counted."""
    stream = io.StringIO()
    log.configure(log_format, "info", stream)
    logging.getLogger("watchdog").warning("already exists for %s", "x" * 5_000_000)
    structlog.get_logger().info("seen", path="y" * 10_000, reason=["z" * 10_000])
    text = stream.getvalue()
    assert len(text) < 4 * log.VALUE_LIMIT
    assert "more characters)" in text
    if log_format == "json":
        assert "(8,000 more characters)" in json.loads(text.splitlines()[1])["path"]


HOSTILE = "a\n12:00:00 [error] forged\r\x1b[2J\x07\u2028\u202eb\x00\x85"


def test_console_lines_cannot_be_forged() -> None:
    """Line breaks, terminal commands and text direction marks in names are spelled out, wherever they are."""
    stream = io.StringIO()
    log.configure("console", "info", stream)
    structlog.get_logger().info(HOSTILE, path=HOSTILE, reason=[HOSTILE], state={HOSTILE: Path(HOSTILE)})
    logging.getLogger(HOSTILE).warning("%s", HOSTILE)
    text = stream.getvalue()
    assert len(text.splitlines()) == 2
    assert all(char.isprintable() or char == "\n" for char in text)
    assert r"a\n12:00:00" in text


@given(st.text(), st.text(), st.sampled_from(["json", "console"]))
def test_any_text_is_one_line(event: str, path: str, log_format: log.Format) -> None:
    """Whatever a name holds, a message stays one line that can be encoded; JSON gives the text back."""
    stream = io.StringIO()
    log.configure(log_format, "info", stream)
    structlog.get_logger().info(event, path=path)
    text = stream.getvalue()
    text.encode("utf-8")
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    if log_format == "json":
        assert one_json(stream)["path"] == path


def test_undecodable_names_stay_readable() -> None:
    """A file name that is not UTF-8 is spelled out, as strict JSON readers refuse half a character."""
    stream = io.StringIO()
    log.configure("json", "info", stream)
    structlog.get_logger().info("seen", path="caf\udce9")
    assert one_json(stream)["path"] == r"caf\udce9"


def fail_with(text: str) -> None:
    """Fail, one call deep."""
    raise ValueError(text)


def test_exceptions_are_readable_and_cannot_forge() -> None:
    """A traceback is there in full, each of its lines indented on the console, one field in JSON."""
    for log_format in ("console", "json"):
        stream = io.StringIO()
        log.configure(log_format, "info", stream)
        try:
            fail_with(HOSTILE)
        except ValueError:
            structlog.get_logger().exception("a pass failed")
        text = stream.getvalue()
        assert "Traceback (most recent call last)" in text
        assert "fail_with" in text
        assert "\x1b" not in text
        if log_format == "json":
            assert "ValueError" in one_json(stream)["exception"]
        else:
            first, *others = text.split("\n")[:-1]
            assert "a pass failed" in first
            assert all(line.startswith("    ") for line in others)


def test_long_tracebacks_keep_their_end() -> None:
    """What is cut of a traceback is its beginning."""
    stream = io.StringIO()
    log.configure("json", "info", stream)
    try:
        fail_with("x" * 50_000 + " the end")
    except ValueError as error:
        structlog.get_logger().error("failed", exc_info=error)
    exception = one_json(stream)["exception"]
    assert "characters before)" in exception
    assert exception.rstrip().endswith("the end")
    assert len(exception) < log.EXCEPTION_LIMIT + 100


class State(StrEnum):
    """A value as the core has them."""

    COPYING = "copying"


def test_values_of_any_type_are_plain() -> None:
    """Enums, paths, sets, exceptions and unknown objects become plain JSON."""
    stream = io.StringIO()
    log.configure("json", "info", stream)
    error = OSError("gone")
    loop: list[object] = []
    loop.append(loop)
    structlog.get_logger().info(
        "seen",
        state=State.COPYING,
        error=error,
        value={"a": {1}},
        reason=(Path("b"), None, True, 0.5, b"c"),
        was=loop,
    )
    message = one_json(stream)
    assert message["state"] == "copying"
    assert message["error"] == "OSError: gone"
    assert message["value"] == {"a": [1]}
    assert message["reason"] == ["b", None, True, 0.5, "b'c'"]


def test_handlers_of_others_stay() -> None:
    """Configuring twice logs once, and a handler that somebody else added is left alone."""
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    try:
        stream = io.StringIO()
        log.configure("json", "info", stream)
        log.configure("json", "info", stream)
        structlog.get_logger().info("once")
        assert one_json(stream)["event"] == "once"
        assert other in logging.getLogger().handlers
    finally:
        logging.getLogger().removeHandler(other)


class Journal(io.StringIO):
    """A stream that journald reads."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file.open("w")

    def fileno(self) -> int:
        """That of the file which stands for the journal's socket."""
        return self._file.fileno()

    def close(self) -> None:
        """Close both."""
        self._file.close()
        super().close()


@pytest.mark.parametrize("log_format", ["auto", "json", "console"])
def test_in_the_journal_each_line_has_its_priority(
    log_format: log.Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sd-daemon(3) has it, each line of a traceback too; elsewhere no line begins like that."""
    with Journal(tmp_path / "socket") as stream:
        found = (tmp_path / "socket").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino}")
        log.configure(log_format, "debug", stream)
        for level in ("debug", "info", "warning", "error"):
            getattr(structlog.get_logger(), level)("said")
        logging.getLogger("watchdog").critical("a library speaks")
        try:
            raise ValueError("two\nlines")
        except ValueError:
            structlog.get_logger().exception("failed")
        lines = stream.getvalue().splitlines()
        assert [line[:3] for line in lines[:5]] == ["<7>", "<6>", "<4>", "<3>", "<3>"]
        assert {line[:3] for line in lines[5:]} == {"<3>"}
        monkeypatch.setenv("JOURNAL_STREAM", f"{found.st_dev}:{found.st_ino + 1}")
        stream.truncate(0)
        log.configure(log_format, "debug", stream)
        structlog.get_logger().info("said")
        assert "<6>" not in stream.getvalue()
