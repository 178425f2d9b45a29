"""How the daemon logs: structlog, for people on a terminal, as JSON lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from enum import Enum, StrEnum
from pathlib import PurePath
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from dxwatchd.journald import is_journal, with_priority
from dxwatchd.repeats import REPEATED, Repeats

VALUE_LIMIT: Final = 2_000  # characters; watchdog's warning of a doubled watch prints megabytes of paths
EXCEPTION_LIMIT: Final = 20_000  # characters, the last ones: the end of a traceback says most
_DEPTH_LIMIT: Final = 4  # values within values

Format = Literal["auto", "console", "json"]
Level = Literal["debug", "info", "warning", "error"]


class Key(StrEnum):
    """The names of what a message carries. A value's name means the same in every message."""

    TIMESTAMP = "timestamp"  #           when, UTC, ISO 8601 with milliseconds (JSON only)
    LEVEL = "level"  #                   debug, info, warning or error
    LOGGER = "logger"  #                 the library that speaks, where it is not dxwatchd
    EVENT = "event"  #                   what happened, in plain words that stay the same
    EXCEPTION = "exception"  #           the traceback
    PATH = "path"  #                     a folder or file, relative to the models root where it is below it
    MODELS_ROOT = "models_root"  #       the folder that is watched
    STATE_DIR = "state_dir"  #           the folder of cards and journal
    MANIFEST = "manifest"  #             the file of proposals and approvals
    TECHNICAL_NAME = "technical_name"  # the unique name of a model
    MODEL_NAME = "model_name"  #         the name that people see
    STATE = "state"  #                   the state of a folder, as `dxwatchd status` names it
    WAS = "was"  #                       the state it had before
    SINCE = "since"  #                   when it began, UTC, ISO 8601
    REASON = "reason"  #                 why it is so
    REMEDY = "remedy"  #                 what a person can do about it
    ERROR = "error"  #                   what the system or a library said
    SETTING = "setting"  #               the name of a setting
    VALUE = "value"  #                   a setting's value
    COUNT = "count"  #                   how many, of what the event names
    SIZE = "size"  #                     in bytes
    ID = "id"  #                         of one decision, as in events.jsonl
    REPEATED = REPEATED  #               how many equal messages were left out before this one
    PID = "pid"  #                       a process
    SIGNAL = "signal"  #                 the signal received
    VERSION = "version"  #               of dxwatchd


def configure(log_format: Format, log_level: Level, stream: TextIO | None = None) -> None:
    """Send all messages, those of libraries too, to the stream (standard error by default).

    May be called again, as after a reload of the settings. A text longer than VALUE_LIMIT is cut and says so.
    """
    target = sys.stderr if stream is None else stream
    console = log_format == "console" or (log_format == "auto" and target.isatty())
    level = logging.getLevelNamesMapping()[log_level.upper()]
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.StackInfoRenderer(),
    ]
    handler = logging.StreamHandler(target)
    handler.addFilter(Repeats())
    handler.setFormatter(
        (_JournalFormatter if is_journal(target) else structlog.stdlib.ProcessorFormatter)(
            foreign_pre_chain=[*common, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_console_chain(target) if console else _json_chain()),
            ],
        )
    )
    _release()
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    # Below this it logs each event it reads, which nobody asked for.
    logging.getLogger("watchdog").setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*common, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,  # a reload may change the level
    )


class _JournalFormatter(structlog.stdlib.ProcessorFormatter):
    """Begins each line with its priority, which journald takes off again."""

    def format(self, record: logging.LogRecord) -> str:
        return with_priority(super().format(record), record.levelno)


def reset() -> None:
    """Undo configure."""
    _release()
    logging.captureWarnings(capture=False)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("watchdog").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def _release() -> None:
    """Take away the handlers that configure added, and no others."""
    root = logging.getLogger()
    for handler in tuple(root.handlers):
        if isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(handler)


def _console_chain(stream: TextIO) -> list[Processor]:
    return [
        _local_time,
        _printable_values,
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        ),
    ]


def _json_chain() -> list[Processor]:
    return [_utc_time, _plain_values, structlog.processors.JSONRenderer()]


def _utc_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {Key.TIMESTAMP.value: now, **event}


def _local_time(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event[Key.TIMESTAMP.value] = datetime.now(UTC).astimezone().strftime("%H:%M:%S")
    return event


def _plain_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave only what JSON knows, each text cut to its limit."""
    return _each(event, escape=False)


def _printable_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The same without anything in a text that could break its line or fool a terminal."""
    return _each(event, escape=True)


def _each(event: MutableMapping[str, object], *, escape: bool) -> dict[str, object]:
    tamed: dict[str, object] = {}
    for key, value in event.items():
        if key in {Key.EXCEPTION, "stack"}:
            tamed[str(key)] = _traceback(str(value), escape=escape)
        else:
            tamed[_text(str(key), escape=escape)] = _tame(value, escape=escape)
    return tamed


def _tame(value: object, *, escape: bool, depth: int = 0) -> object:
    match value:
        case None | bool() | int() | float() if not isinstance(value, Enum):
            return value
        case Enum():
            return _tame(value.value, escape=escape, depth=depth)
        case str() | PurePath():
            return _text(str(value), escape=escape)
        case Mapping() if depth < _DEPTH_LIMIT:
            return {
                _text(str(key), escape=escape): _tame(item, escape=escape, depth=depth + 1)
                for key, item in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < _DEPTH_LIMIT:
            return [_tame(item, escape=escape, depth=depth + 1) for item in value]
        case BaseException():
            return _text(f"{type(value).__name__}: {value}", escape=escape)
        case _:
            return _text(repr(value), escape=escape)


def _text(text: str, *, escape: bool) -> str:
    over = len(text) - VALUE_LIMIT
    if over > 0:
        text = f"{text[:VALUE_LIMIT]}… ({over:,} more characters)"
    return _escaped(text) if escape else _encodable(text)


def _traceback(text: str, *, escape: bool) -> str:
    """On the console each line is indented: no line within a message can pass for one of the log."""
    over = len(text) - EXCEPTION_LIMIT
    if over > 0:
        text = f"({over:,} characters before) …{text[-EXCEPTION_LIMIT:]}"
    if not escape:
        return _encodable(text)
    return "\n".join("    " + _escaped(line) for line in text.split("\n"))


def _escaped(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _encodable(text: str) -> str:
    """Spell out what stands for undecodable bytes in a file name: strict JSON readers refuse it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
