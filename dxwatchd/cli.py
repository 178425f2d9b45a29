"""The command line: the only place that turns arguments into settings."""

from __future__ import annotations

import inspect
import os
import sys
import typing
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dxwatchd.commands.output import DONE, USAGE, CommandError, complain

if TYPE_CHECKING:
    from dxwatchd.settings import Settings

app = typer.Typer(
    name="dxwatchd",
    help="Watches a folder of AI models, proposes what is whole, and publishes a card for what you approve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_OPTIONS: Mapping[str, tuple[Any, str]] = {
    "config": (Path, "The config file."),
    "models_root": (Path, "The folder that is watched."),
    "state_dir": (Path, "The folder of cards and journal."),
    "manifest": (Path, "The file of proposals and approvals."),
    "quiet_period": (str, "Seconds without a change until a folder is at rest."),
    "remote_quiet_period": (str, "The same where the kernel sends no events."),
    "rescan_interval": (str, "Seconds between looks at everything."),
    "ignore": (list[str], "A name not to look into; may be repeated."),
    "propose_checkpoints": (bool, "Propose training checkpoints too."),
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


def command(name: str) -> Callable[[Command], Command]:
    """Make `function(settings, ...)` a command of this name that takes every setting as an option too."""

    def decorate(function: Command) -> Command:
        # the settings are handed over as a function, whose type nothing here needs to know
        hints = typing.get_type_hints(function, localns={"LoadSettings": object}, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in list(inspect.signature(function).parameters.values())[1:]
        ]

        @wraps(function)
        def run(**given: Any) -> None:
            options = {option: given.pop(option) for option in _OPTIONS}
            _end(lambda: function(lambda: _load(options), **given))

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
            annotation=Annotated[
                kind | None, typer.Option(help=text, rich_help_panel="Settings", show_default=False)
            ],
        )
        for name, (kind, text) in _OPTIONS.items()
    ]


def _load(options: Mapping[str, Any]) -> Settings:
    """The settings of all sources. Raises SettingsError."""
    from dxwatchd.settings import load

    overrides = {
        name: value for name, value in options.items() if name != "config" and value not in (None, [])
    }
    return load(overrides, config=options["config"], environ=os.environ)


def _end(work: Callable[[], int]) -> None:
    """Do the work of a command and end with its exit code; what a person did wrong is told without a traceback."""
    from dxwatchd.settings import SettingsError

    try:
        code = work()
    except SettingsError as error:
        complain("dxwatchd: the settings cannot be used")
        for problem in error.problems:
            complain(f"  {problem}")
        code = USAGE
    except CommandError as error:
        complain(f"dxwatchd: {error}")
        if error.remedy:
            complain(f"  {error.remedy}")
        code = error.code
    except BrokenPipeError:  # `dxwatchd list | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    raise typer.Exit(code)


LoadSettings = Callable[[], "Settings"]


@command("run")
def run(settings: LoadSettings) -> int:
    """Watch until stopped by SIGTERM or Ctrl-C; SIGHUP reloads the settings."""
    from dxwatchd.commands import service

    return service.run(settings(), settings, os.environ)


@command("scan")
def scan(
    settings: LoadSettings,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what a pass would do, and do nothing.")
    ] = False,  # noqa: FBT002 - typer's way
    accept_removals: Annotated[
        bool, typer.Option("--accept-removals", help="Confirm that many cards may go at once.")
    ] = False,  # noqa: FBT002 - as above
    as_json: JsonOption = False,  # noqa: FBT002 - as above
) -> int:
    """Make one pass, by the running daemon where there is one."""
    from dxwatchd.commands import service

    return service.scan(settings(), dry_run=dry_run, accept_removals=accept_removals, as_json=as_json)


@command("status")
def status(settings: LoadSettings, as_json: JsonOption = False) -> int:  # noqa: FBT002 - as above
    """Show every folder's state; exit 1 where something needs a person."""
    from dxwatchd.commands import service

    return service.status(settings(), as_json=as_json)


@command("list")
def list_models(settings: LoadSettings, as_json: JsonOption = False) -> int:  # noqa: FBT002 - as above
    """List the registered models."""
    from dxwatchd.commands import looking

    return looking.list_models(settings(), as_json=as_json)


@command("show")
def show(settings: LoadSettings, name: NameArgument, as_json: JsonOption = False) -> int:  # noqa: FBT002 - as above
    """Show the card of a registered model."""
    from dxwatchd.commands import looking

    return looking.show(settings(), name, as_json=as_json)


@command("explain")
def explain(settings: LoadSettings, path: PathArgument, as_json: JsonOption = False) -> int:  # noqa: FBT002 - as above
    """Explain a folder: what it is, what is missing, what to do."""
    from dxwatchd.commands import looking

    return looking.explain(settings(), path, as_json=as_json)


@command("approve")
def approve(
    settings: LoadSettings,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="A technical name, model name or path.", show_default=False),
    ] = None,
    technical_name: TechnicalOption = None,
    model_name: ModelNameOption = None,
) -> int:
    """Approve a proposal, or what has changed; without NAME the only one that waits."""
    from dxwatchd.commands import deciding

    return deciding.approve(settings(), name, deciding.NewNames(technical_name, model_name))


@command("reject")
def reject(settings: LoadSettings, name: NameArgument) -> int:
    """Reject a proposal: the folder is not proposed again."""
    from dxwatchd.commands import deciding

    return deciding.reject(settings(), name)


@command("add")
def add(
    settings: LoadSettings,
    technical_name: Annotated[
        str, typer.Argument(metavar="TECHNICAL_NAME", help="Short and unique: qwen3-8b.")
    ],
    model_name: Annotated[str, typer.Argument(metavar="MODEL_NAME", help="Full and unique: Qwen3-8B.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="The folder, relative to the models root.")],
) -> int:
    """Add an approved entry by hand, also before its folder is there."""
    from dxwatchd.commands import deciding

    return deciding.add(settings(), technical_name, model_name, path)


@command("rename")
def rename(
    settings: LoadSettings,
    name: NameArgument,
    technical_name: TechnicalOption = None,
    model_name: ModelNameOption = None,
) -> int:
    """Give an entry another name."""
    from dxwatchd.commands import deciding

    return deciding.rename(settings(), name, deciding.NewNames(technical_name, model_name))


@command("remove")
def remove(settings: LoadSettings, name: NameArgument) -> int:
    """Remove an entry and its card. The model folder is never touched."""
    from dxwatchd.commands import deciding

    return deciding.remove(settings(), name)


@command("tidy")
def tidy(settings: LoadSettings) -> int:
    """Remove the proposals whose folder is gone."""
    from dxwatchd.commands import deciding

    return deciding.tidy(settings())


@command("card")
def card(settings: LoadSettings, path: PathArgument, as_json: JsonOption = False) -> int:  # noqa: FBT002 - as above
    """Show the card that any folder would get, registering nothing."""
    from dxwatchd.commands import looking

    return looking.card(settings(), path, as_json=as_json)


@command("check")
def check(settings: LoadSettings, as_json: JsonOption = False) -> int:  # noqa: FBT002 - as above
    """Check settings and manifest: every problem with its line; exit 1 where there are any."""
    from dxwatchd.commands import service

    return service.check(settings(), as_json=as_json)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a card."""
    from dxwatchd.commands import looking

    _end(looking.schema)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's way
    if wanted:
        from importlib.metadata import version

        typer.echo(f"dxwatchd {version('dxwatchd')}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,  # noqa: FBT002 - as above
) -> None:
    """Watch a folder of AI models, propose what is whole, and publish a card for what you approve."""


def main() -> None:
    """Run the command that the arguments name."""
    app()
