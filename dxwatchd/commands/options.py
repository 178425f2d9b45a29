"""How a function becomes a command that takes every setting as an option."""

from __future__ import annotations

import inspect
import os
import sys
import typing
from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dxwatchd.commands.output import DONE, USAGE, CommandError, fail

if TYPE_CHECKING:
    from dxwatchd.settings import Settings

OPTIONS: Mapping[str, tuple[Any, str]] = {
    "config": (Path, "The config file."),
    "models_root": (Path, "The folder that is watched."),
    "state_dir": (Path, "The folder of cards and journal."),
    "manifest": (Path, "The file of proposals and approvals."),
    "quiet_period": (str, "Seconds without a change until a folder is at rest."),
    "remote_quiet_period": (str, "The same where the kernel sends no events."),
    "rescan_interval": (str, "Seconds between looks at everything."),
    "ignore": (list[str], "A name not to look into; may be repeated."),
    "propose_checkpoints": (bool, "Propose training checkpoints too."),
    "digests": (str, "Compute digests of model files: off or background."),
    "log_format": (str, "auto, console or json."),
    "log_level": (str, "debug, info, warning or error."),
}
"""Every setting as an option of every command, with its type."""

Command = Callable[..., int]

JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A technical name, model name or path.")]
PathArgument = Annotated[str, typer.Argument(metavar="PATH", help="A folder.")]
TechnicalOption = Annotated[
    str | None, typer.Option("--technical-name", help="Another technical name.", show_default=False)
]
ModelNameOption = Annotated[
    str | None, typer.Option("--model-name", help="Another model name.", show_default=False)
]


def command(app: typer.Typer, name: str) -> Callable[[Command], Command]:
    """Make `function(settings, ...)` a command of `app` that takes every setting as an option too.

    The function gets the settings as a function that loads them.
    """

    def decorate(function: Command) -> Command:
        # the settings are handed over as a function, whose type nothing here needs to know
        hints = typing.get_type_hints(function, localns={"LoadSettings": object}, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in list(inspect.signature(function).parameters.values())[1:]
        ]

        @wraps(function)
        def run(**given: Any) -> None:
            options = {option: given.pop(option) for option in OPTIONS}
            end(lambda: function(partial(_load, options), **given))

        signature = inspect.Signature([*own, *_setting_parameters()])
        run.__dict__["__signature__"] = signature
        run.__annotations__ = {one.name: one.annotation for one in signature.parameters.values()}
        app.command(name)(run)
        return function

    return decorate


def _setting_parameters() -> list[inspect.Parameter]:
    return [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, _setting_option(kind, text)],
        )
        for name, (kind, text) in OPTIONS.items()
    ]


def _setting_option(kind: Any, text: str) -> Any:
    """One setting's option.

    A path is taken as it is written: whether it can be used is told later, and a look at it here could hang.
    """
    if kind is Path:
        return typer.Option(
            help=text, rich_help_panel="Settings", show_default=False, parser=Path, metavar="<path>"
        )
    return typer.Option(help=text, rich_help_panel="Settings", show_default=False)


def _load(options: Mapping[str, Any], *, compare: bool = True) -> Settings:
    """The settings of all sources. Raises SettingsError. compare: places, by a look at them."""
    from dxwatchd.settings import load

    overrides = {
        name: value for name, value in options.items() if name != "config" and value not in (None, [])
    }
    return load(overrides, config=options["config"], environ=os.environ, compare=compare)


def end(work: Callable[[], int]) -> None:
    """Do a command's work and end with its exit code; what a person did wrong is told without a traceback."""
    from dxwatchd.settings import SettingsError

    try:
        code = work()
    except SettingsError as error:
        fail("dxwatchd: the settings cannot be used")
        for problem in error.problems:
            fail(f"  {problem}")
        code = USAGE
    except CommandError as error:
        fail(f"dxwatchd: {error}")
        if error.remedy:
            fail(f"  {error.remedy}")
        code = error.code
    except BrokenPipeError:  # `dxwatchd list | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    raise typer.Exit(code)
