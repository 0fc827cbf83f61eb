"""The commands, thin: parse, call, print."""

from __future__ import annotations

import os
import sys

import typer
from rich.console import Console

from gansmith.cli.cloud import app as sagemaker
from gansmith.cli.judging import compare, doctor, evaluate, worth
from gansmith.cli.listing import data, recipes, report
from gansmith.cli.making import dataset, generate, subset
from gansmith.cli.sharing import export, serve
from gansmith.cli.training import inspect, train
from gansmith.cli.writing import write
from gansmith.errors import GansmithError

app = typer.Typer(
    name="gansmith",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train a GAN on what you have, and get something checked and usable.\n\n"
    "Start with `gansmith train digits`: it needs no download and no GPU.",
)

# In the order in which a person needs them.
commands = (
    train,
    inspect,
    subset,
    doctor,
    generate,
    write,
    evaluate,
    worth,
    compare,
    dataset,
    export,
    serve,
    report,
    recipes,
)
for command in (*commands, data):
    app.command()(command)
app.add_typer(sagemaker)


def main(arguments: list[str] | None = None) -> None:
    """The command. A GansmithError is one sentence and status 2, never a traceback."""
    try:
        app(arguments)
    except GansmithError as error:
        Console(stderr=True, highlight=False, emoji=False).print(
            f"gansmith: {error}", markup=False, soft_wrap=True
        )
        sys.exit(_status(error))


def _status(error: GansmithError) -> int:
    """2; of one process of several, what has the others end, too."""
    if "GANSMITH_WORD" not in os.environ:
        return 2
    from gansmith.processes import status_of

    return status_of(error)
