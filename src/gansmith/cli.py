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
    evaluate_every: Annotated[
        int | None,
        typer.Option(help="Score at most every so many steps [default: a twentieth of the work]."),
    ] = None,
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
        "evaluate_every": evaluate_every,
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

    - `gansmith generate runs/digits-fast-001 -n 100 --grid more.png`
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
def evaluate(
    run: RunArgument,
    data: Annotated[
        str | None,
        typer.Option(help="Real examples to compare with [default: those it was trained on]."),
    ] = None,
    space: Annotated[
        str,
        typer.Option(
            help="What pictures are compared by: `classifier` (trained on the run's labels), "
            "`inception` (the standard one), `random`, or `auto`."
        ),
    ] = "auto",
    n: Annotated[int, typer.Option("-n", help="How many to generate.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option(help="Of what is generated and drawn.", min=0)] = 0,
    held_out: Annotated[
        str | None,
        typer.Option(help="Real examples that training never saw [default: the test split]."),
    ] = None,
    infinity: Annotated[
        bool, typer.Option("--infinity", help="Also FID∞, without the bias of a finite sample.")
    ] = False,
    data_dir: DataDir = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Measure a generator against real data: FID, KID, precision, recall, classes, copies.

    Beside each figure stands the floor: the same between two disjoint sets of real examples.

    - `gansmith evaluate RUN`
    - `gansmith evaluate RUN --space inception -n 10000`
    """
    from gansmith.assess import evaluate as measure

    found = measure(
        run,
        data,
        space=space,
        held_out=held_out,
        data_dir=data_dir,
        n=n,
        seed=seed,
        infinity=infinity,
        device=device,
        say=_quietly,
    )
    console.print(f"{run}, step {found.step:,}: {found.protocol}\n", soft_wrap=True, markup=False)
    _print_table(("figure", "generated", "floor: real", ""), found.rows())
    for remark in found.remarks():
        console.print(f"\n{remark}", markup=False)
    console.print(f"\n{run / 'evaluation.json'}   these figures", soft_wrap=True, markup=False)
    pairs = run / "closest-pairs.png"
    if pairs.exists():
        console.print(
            f"{pairs}   generated, and the nearest trained on", soft_wrap=True, markup=False
        )


@app.command()
def worth(
    run: RunArgument,
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled real examples to learn from [default: those it was trained on]."
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(help="Labelled real examples to be tested on [default: the test split]."),
    ] = None,
    sizes: Annotated[
        str, typer.Option(help="How many real examples to learn from, each in turn.")
    ] = "100,300,1000,all",
    n: Annotated[
        int | None,
        typer.Option("-n", help="How many to generate [default: as many as real].", min=1),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions of each training.", min=2)] = 3,
    steps: Annotated[
        int | None, typer.Option(help="Of each training; the same for all.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Also write the figures there, as JSON.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Is a classifier better for the synthetic data? Trains many, with and without, and says.

    - `gansmith worth RUN`
    - `gansmith worth RUN --data mnist --sizes 100,all --seeds 5`
    """
    from gansmith.assess import worth as measure

    found = measure(
        run,
        data,
        test=test,
        data_dir=data_dir,
        n=n,
        sizes=_sizes(sizes),
        seeds=seeds,
        steps=steps,
        seed=seed,
        device=device,
        say=_quietly,
    )
    for line in found.lines():
        console.print(line, soft_wrap=True, markup=False)
    if out is not None:
        from gansmith.checkpoint import write_atomically
        from gansmith.run import clear_errors

        with clear_errors(out):
            write_atomically(out, found.to_json().encode())


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Runs that were evaluated.")],
) -> None:
    """Put the figures of several runs side by side, if they were measured alike.

    - `gansmith compare runs/a runs/b`
    """
    from gansmith.metrics.protocol import compare as side_by_side
    from gansmith.metrics.protocol import read_evaluation

    found = [read_evaluation(run / "evaluation.json") for run in runs]
    rows = side_by_side(found)
    _print_table(("figure", *(f"{e.run} @ {e.step:,}" for e in found), "floor: real"), rows)
    console.print(f"\n{found[0].protocol}", soft_wrap=True, markup=False)


@app.command()
def dataset(
    run: RunArgument,
    out: Annotated[Path, typer.Option(help="A new or empty folder.", show_default=False)],
    per_class: Annotated[
        int | None, typer.Option(help="How many of each class, where the generator knows classes.")
    ] = None,
    n: Annotated[int | None, typer.Option("-n", help="How many in all, where it does not.")] = None,
    seed: Annotated[
        int, typer.Option(help="Picture i of a class and seed is always the same.", min=0)
    ] = 0,
    layout: Annotated[
        str,
        typer.Option(help="folder (a folder a class), parquet (Hugging Face) or webdataset (tar)."),
    ] = "folder",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
) -> None:
    """Write a labelled synthetic data set: as many of each class, with a manifest and a card.

    - `gansmith dataset RUN --per-class 6000 --out synthetic/`
    - `gansmith dataset RUN --per-class 6000 --layout parquet --out synthetic/`
    """
    from rich.progress import Progress

    from gansmith.synthetic import write_dataset

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("pictures")
        result = write_dataset(
            run,
            out,
            per_class=per_class,
            n=n,
            seed=seed,
            layout=layout,
            device=device,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    each = f", {per_class:,} of each of {len(result.classes)} classes" if result.classes else ""
    console.print(
        f"{result.count:,} pictures{each}: {result.path}\n  {result.path / 'README.md'}   the card",
        soft_wrap=True,
    )


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


def _sizes(text: str) -> tuple[int | None, ...]:
    """``100,all`` → (100, None)."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part == "all" or (part.isdecimal() and int(part) > 0) for part in parts):
        raise GansmithError(f"--sizes: expected counts such as 100,1000,all, found {text!r}")
    return tuple(None if part == "all" else int(part) for part in parts)


def _quietly(line: str) -> None:
    """What is being done, beside the result and not in it."""
    Console(stderr=True, highlight=False, style="dim").print(line, markup=False, soft_wrap=True)


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
