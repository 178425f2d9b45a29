"""The command line: the only place that turns arguments into settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from dxwatchd.card.exports.formats import ExportFormat
from dxwatchd.commands.options import (
    JsonOption,
    ModelNameOption,
    NameArgument,
    PathArgument,
    TechnicalOption,
    command,
    end,
)

if TYPE_CHECKING:
    from dxwatchd.settings import Settings

app = typer.Typer(
    name="dxwatchd",
    help="Watches a folder of AI models, proposes what is whole, and publishes a card for what you approve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

LoadSettings = Callable[..., "Settings"]


@command(app, "run")
def run(settings: LoadSettings) -> int:
    """Watch until stopped by SIGTERM or Ctrl-C; SIGHUP reloads the settings."""
    from dxwatchd.commands import running

    return running.run(settings(), settings, os.environ)


@command(app, "scan")
def scan(
    settings: LoadSettings,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what a pass would do, and do nothing.")
    ] = False,
    accept_removals: Annotated[
        bool,
        typer.Option(
            "--accept-removals",
            help="Confirm that what is held back is meant: models are gone, entries removed.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Make one pass, by the running daemon where there is one."""
    from dxwatchd.commands import scanning

    return scanning.scan(settings(), dry_run=dry_run, accept_removals=accept_removals, as_json=as_json)


@command(app, "status")
def status(settings: LoadSettings, as_json: JsonOption = False) -> int:
    """Show every folder's state; exit 1 where something needs a person."""
    from dxwatchd.commands import reporting

    return reporting.status(settings(), as_json=as_json)


@command(app, "list")
def list_models(settings: LoadSettings, as_json: JsonOption = False) -> int:
    """List the registered models."""
    from dxwatchd.commands import showing

    return showing.list_models(settings(), as_json=as_json)


@command(app, "show")
def show(settings: LoadSettings, name: NameArgument, as_json: JsonOption = False) -> int:
    """Show the card of a registered model."""
    from dxwatchd.commands import showing

    return showing.show(settings(), name, as_json=as_json)


@command(app, "explain")
def explain(settings: LoadSettings, path: PathArgument, as_json: JsonOption = False) -> int:
    """Explain a folder: what it is, what is missing, what to do."""
    from dxwatchd.commands import explaining

    return explaining.explain(settings(), path, as_json=as_json)


@command(app, "approve")
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


@command(app, "reject")
def reject(settings: LoadSettings, name: NameArgument) -> int:
    """Reject a proposal: the folder is not proposed again."""
    from dxwatchd.commands import deciding

    return deciding.reject(settings(), name)


@command(app, "add")
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


@command(app, "rename")
def rename(
    settings: LoadSettings,
    name: NameArgument,
    technical_name: TechnicalOption = None,
    model_name: ModelNameOption = None,
) -> int:
    """Give an entry another name."""
    from dxwatchd.commands import deciding

    return deciding.rename(settings(), name, deciding.NewNames(technical_name, model_name))


@command(app, "remove")
def remove(settings: LoadSettings, name: NameArgument) -> int:
    """Remove an entry and its card. The model folder is never touched."""
    from dxwatchd.commands import deciding

    return deciding.remove(settings(), name)


@command(app, "tidy")
def tidy(settings: LoadSettings) -> int:
    """Remove the proposals whose folder is gone."""
    from dxwatchd.commands import deciding

    return deciding.tidy(settings())


@command(app, "card")
def card(settings: LoadSettings, path: PathArgument, as_json: JsonOption = False) -> int:
    """Show the card that any folder would get, registering nothing."""
    from dxwatchd.commands import showing

    return showing.card(settings(), path, as_json=as_json)


@command(app, "export")
def export(
    settings: LoadSettings,
    name: NameArgument,
    wanted: Annotated[
        ExportFormat,
        typer.Option("--format", metavar="FORMAT", help=f"One of {', '.join(ExportFormat)}."),
    ],
) -> int:
    """Write the card of a registered model in another format."""
    from dxwatchd.commands import exporting

    return exporting.export(settings(), name, wanted)


@command(app, "check")
def check(settings: LoadSettings, as_json: JsonOption = False) -> int:
    """Check settings and manifest: every problem with its place; exit 1 where there are any."""
    from dxwatchd.commands import checking

    return checking.check(settings(), as_json=as_json)


@command(app, "doctor")
def doctor(settings: LoadSettings, as_json: JsonOption = False) -> int:
    """Check all around the daemon: folders, rights, limits, clock, unit; exit 1 where something is wrong."""
    from dxwatchd.commands import doctoring

    return doctoring.doctor(settings, as_json=as_json)


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a card."""
    from dxwatchd.commands import showing

    end(showing.schema)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"dxwatchd {version('dxwatchd')}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Watch a folder of AI models, propose what is whole, and publish a card for what you approve."""


def main() -> None:
    """Run the command that the arguments name."""
    app()
