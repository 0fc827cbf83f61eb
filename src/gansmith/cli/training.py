"""`train`, and `inspect` before it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gansmith.cli.common import DataDir, SourceArgument, console, say


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
        int | None,
        typer.Option(help="The same seed gives the same run, of so many images or epochs."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32 or bf16.")] = None,
    unlabelled: Annotated[
        str | None,
        typer.Option(help="Of words: more of them, without texts, for the discriminator."),
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option(help="Of words: a text file of more of them, to be written.")
    ] = None,
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
    on_failure: Annotated[
        str | None,
        typer.Option(help="When training fails: `repair` it, `stop`, or only `warn`."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --out (begin it if there is none)."),
    ] = False,
    processes: Annotated[
        int, typer.Option(help="So many processes on this machine share every batch.", min=1)
    ] = 1,
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
    - `torchrun --nproc-per-node 8 -m gansmith train photos/ --out runs/photos`
    """
    from gansmith.api import execute, follow, plan
    from gansmith.config import parse_settings
    from gansmith.progress import ProgressDisplay, counting
    from gansmith.signals import Stop
    from gansmith.world import join, restarted

    world = join()
    if not world.is_main:
        follow()
        return
    options: dict[str, Any] = {
        "minutes": minutes,
        "epochs": epochs,
        "images": images,
        "seed": seed,
        "device": device,
        "precision": precision,
        "evaluate_every": evaluate_every,
        "on_failure": on_failure,
        "unlabelled": unlabelled,
        "lexicon": None if lexicon is None else str(lexicon),
        "data_dir": None if data_dir is None else str(data_dir),
    }
    settings = parse_settings(set_ or [])
    settings |= {key: value for key, value in options.items() if value is not None}
    if fit is not None:
        settings.setdefault("data", {})["fit"] = fit
    display = ProgressDisplay(console)
    with world.sending_home(), Stop(), counting(console, "reading the data") as count:
        planned = plan(
            source,
            recipe=recipe,
            out=out,
            resume=resume or restarted(),
            settings=settings,
            watcher=display,
            counting=count,
        )
    if dry_run:
        from gansmith.dry_run import plan_lines

        world.tell()
        say(*plan_lines(planned))
        return
    say(f"run folder {planned.run.path}")
    if processes > 1:
        from gansmith.processes import start

        start(planned, processes)
        return
    with display:
        result = execute(planned, display)
    _show_result(result, planned.spec.kind)


def inspect(
    source: SourceArgument,
    data_dir: DataDir = None,
    sheet: Annotated[
        Path, typer.Option(help="Where to put a contact sheet of the pictures.")
    ] = Path("contact-sheet.png"),
) -> None:
    """Look at data before training: counts, sizes, classes, duplicates, broken files.

    Of words: lengths, alphabet, widths, writers.

    - `gansmith inspect photos/`
    - `gansmith inspect words.parquet`
    """
    from gansmith.data import find_written, inspect_source, inspect_words, open_source

    if data_dir is None and (words := find_written(source)) is not None:
        print(inspect_words(words, contact_sheet=sheet))
        return
    print(inspect_source(open_source(source, data_dir=data_dir), contact_sheet=sheet))


def _show_result(result: Any, kind: str) -> None:
    more = "--grid more.png" if kind == "pictures" else "--out more.npz"
    say(
        f"\ndone: {result.images:,} images in {result.seconds / 60:.1f} min. It made",
        f"  {result.samples}   samples: look at them",
        f"  {result.report}   the report: open it in a browser",
        f"  {result.model}   the generator",
        f"make more: gansmith generate {result.run} -n 100 {more}",
    )
