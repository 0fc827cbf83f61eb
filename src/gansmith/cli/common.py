"""What the commands share: the console, their arguments, how they print."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

console = Console(highlight=False, emoji=False)  # a path may hold `:100:`

SourceArgument = Annotated[
    str,
    typer.Argument(
        help="`digits` (built in), `mnist`, `cifar10`, … (`gansmith data` lists them), a folder of "
        "pictures, a zip or tar of one, a .npz, .npy, IDX or Parquet file, `hf:owner/name[:split]`, "
        "or a toy: `parabola`, `ring`, `grid25`.",
        show_default=False,
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(help="Use data set files that are already here instead of downloading them."),
]
Lexicon = Annotated[Path | None, typer.Option(help="Words: a file with one to write on each line.")]
Corpus = Annotated[
    Path | None, typer.Option(help="Words: a text, whose words are written as often as it does.")
]
RunArgument = Annotated[
    Path,
    typer.Argument(help="A run, one of its checkpoints, or a model folder.", show_default=False),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def say(*lines: str) -> None:
    """Lines as they are: paths are neither wrapped nor taken for markup."""
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def quietly(line: str) -> None:
    """What is being done, beside the result and not in it."""
    Console(stderr=True, highlight=False, emoji=False, style="dim").print(
        line, markup=False, soft_wrap=True
    )


def print_table(heads: tuple[str, ...], rows: Any) -> None:
    """Names of runs and classes are strangers' text, and not taken for markup."""
    columns = (Column(Text(head)) for head in heads)
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console.print(table)
