"""The commands, thin: parse, call, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gansmith.errors import GansmithError

app = typer.Typer(
    name="gansmith",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train a GAN on what you have, and get something checked and usable.\n\n"
    "Start with `gansmith train digits`: it needs no download and no GPU.",
)
console = Console(highlight=False)

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
RunArgument = Annotated[
    Path, typer.Argument(help="A run's folder, or a model folder.", show_default=False)
]


@app.command()
def train(
    source: Annotated[str | None, SourceArgument.__metadata__[0]] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Network and settings; chosen from the data if left out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder [default: runs/SOURCE-RECIPE-NNN].")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Train so many minutes, or …")] = None,
    epochs: Annotated[float | None, typer.Option(help="… so many passes, or …")] = None,
    images: Annotated[int | None, typer.Option(help="… so many images.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same run on one machine.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None,
    fit: Annotated[
        str | None, typer.Option(help="Other shapes: `crop` the middle, or `pad` the sides.")
    ] = None,
    data_dir: DataDir = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="Any other setting, as key=value; `gansmith recipes --keys` lists them."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --out (begin it if there is none)."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, print the plan, train nothing.")
    ] = False,
) -> None:
    """Train a generator on SOURCE.

    Writes a folder with `report.html` (open it first), samples over time, checkpoints that survive
    any interruption, and the finished generator in `model/`.

    - `gansmith train digits --minutes 2`
    - `gansmith train photos/ --recipe few-images --set lr=1e-3`
    - `gansmith train --resume --out runs/photos-few-images-001`
    """
    from gansmith.api import execute, plan
    from gansmith.config import parse_settings
    from gansmith.progress import ProgressDisplay, counting
    from gansmith.signals import Stop

    options: dict[str, Any] = {
        "minutes": minutes,
        "epochs": epochs,
        "images": images,
        "seed": seed,
        "device": device,
        "precision": precision,
        "data_dir": None if data_dir is None else str(data_dir),
    }
    settings = parse_settings(set_ or [])
    settings |= {key: value for key, value in options.items() if value is not None}
    if fit is not None:
        settings.setdefault("data", {})["fit"] = fit
    display = ProgressDisplay(console)
    with Stop(), counting(console, "reading the data") as count:
        planned = plan(
            source,
            recipe=recipe,
            out=out,
            resume=resume,
            settings=settings,
            watcher=display,
            counting=count,
        )
    if dry_run:
        _show_plan(planned)
        return
    console.print(f"run folder {planned.run.path}", soft_wrap=True)
    with display:
        result = execute(planned, display)
    _show_result(result, planned.spec.kind)


@app.command()
def inspect(
    source: SourceArgument,
    data_dir: DataDir = None,
    sheet: Annotated[
        Path, typer.Option(help="Where to put a contact sheet of the pictures.")
    ] = Path("contact-sheet.png"),
) -> None:
    """Look at data before training: counts, sizes, classes, duplicates, broken files.

    - `gansmith inspect photos/`
    """
    from gansmith.data import inspect_source, open_source

    print(inspect_source(open_source(source, data_dir=data_dir), contact_sheet=sheet))


@app.command()
def generate(
    run: RunArgument,
    n: Annotated[int, typer.Option("-n", help="How many.", min=0)] = 64,
    seed: Annotated[int, typer.Option(help="Image i of a seed is always the same.", min=0)] = 0,
    labels: Annotated[
        str | None,
        typer.Option(help="Classes to make in turn, by name or number: `3` or `cat,dog`."),
    ] = None,
    grid: Annotated[Path | None, typer.Option(help="Write one sheet as a picture.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder (one PNG each), or a file: .npz or .parquet."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Make new examples with a trained generator.

    - `gansmith generate runs/digits-dcgan-32-001 -n 100 --grid more.png`
    - `gansmith generate RUN -n 60000 --seed 1 --out synthetic.npz`
    """
    from gansmith.generate import load
    from gansmith.samples import write_grid, write_samples

    if grid is None and out is None:
        grid = Path("generated.png")
    model = load(run, device)
    wanted = labels.split(",") if labels else None
    for path, write in ((grid, write_grid), (out, write_samples)):
        if path is not None:
            write(model, path, n, seed, wanted)
            console.print(f"{n:,} of seed {seed}: {path}", soft_wrap=True)


@app.command()
def report(run: RunArgument) -> None:
    """Make a run's report.html and pictures again from its files."""
    from gansmith.report import write_report
    from gansmith.run import RunFolder

    RunFolder(run).read_config()
    console.print(str(write_report(run)), soft_wrap=True)


@app.command()
def recipes(
    keys: Annotated[bool, typer.Option("--keys", help="List every setting instead.")] = False,
) -> None:
    """List the recipes and what each is for."""
    from gansmith.config import keys as all_keys
    from gansmith.recipes import RECIPES

    if keys:
        _print_table(("key", "kind", "default"), all_keys())
        return
    rows = [(name, " ".join((make.__doc__ or "").split())) for name, make in RECIPES.items()]
    _print_table(("recipe", "what it is"), rows)


@app.command()
def data() -> None:
    """List the data sets that can be downloaded: from where, how large, under what terms."""
    from gansmith.data import DOWNLOADS

    for entry in DOWNLOADS.values():
        what = f"{entry.description}; {entry.megabytes:.0f} MB"
        console.print(f"[bold]{entry.name}[/bold]  {what}", soft_wrap=True)
        console.print(f"  from {entry.origin}", soft_wrap=True)
        console.print(f"  terms: {entry.terms}\n", soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    """The command. A GansmithError is one sentence and status 2, never a traceback."""
    try:
        app(arguments)
    except GansmithError as error:
        Console(stderr=True, highlight=False).print(
            f"gansmith: {error}", markup=False, soft_wrap=True
        )
        sys.exit(2)


def _show_result(result: Any, kind: str) -> None:
    more = "--grid more.png" if kind == "pictures" else "--out more.npz"
    console.print(
        f"\ndone: {result.images:,} images in {result.seconds / 60:.1f} min. It made\n"
        f"  {result.samples}   samples: look at them\n"
        f"  {result.report}   the report: open it in a browser\n"
        f"  {result.model}   the generator\n"
        f"make more: gansmith generate {result.run} -n 100 {more}",
        soft_wrap=True,
    )


def _show_plan(planned: Any) -> None:
    from gansmith.dry_run import plan_lines

    for line in plan_lines(planned):
        console.print(line, soft_wrap=True, markup=False)


def _print_table(heads: tuple[str, ...], rows: Any) -> None:
    table = Table(*heads, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
