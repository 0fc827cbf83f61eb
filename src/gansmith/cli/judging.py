"""`evaluate`, `worth`, `compare` and `doctor`: what a generator is worth, and how its run went."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from gansmith.cli.common import (
    Corpus,
    DataDir,
    Device,
    Lexicon,
    RunArgument,
    print_table,
    quietly,
    say,
)
from gansmith.errors import GansmithError

PICTURES = {
    "closest-pairs.png": "generated, and the nearest trained on",
    "real-or-made.png": "real and made words, mixed: the key is in evaluation.json",
}
ELSEWHERE = "name another file with --out"


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
    n: Annotated[
        int | None,
        typer.Option(
            "-n", help="How many to generate [default: 10,000; 2,000 words to be read].", min=1
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is generated and drawn.", min=0)] = 0,
    held_out: Annotated[
        str | None,
        typer.Option(help="Real examples that training never saw [default: the test split]."),
    ] = None,
    referee_steps: Annotated[
        int,
        typer.Option(help="Of words: how long the recogniser that judges them is trained.", min=1),
    ] = 6000,
    infinity: Annotated[
        bool, typer.Option("--infinity", help="Also FID∞, without the bias of a finite sample.")
    ] = False,
    data_dir: DataDir = None,
    device: Device = "auto",
) -> None:
    """Measure a generator against real data: FID, KID, precision, recall, classes, copies.

    Beside each figure stands the floor: the same between two disjoint sets of real examples. Words are
    read, too, by a recogniser that is trained on real ones first: once, in about twenty minutes.

    - `gansmith evaluate RUN`
    - `gansmith evaluate RUN --held-out validation.parquet`
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
        referee_steps=referee_steps,
        device=device,
        say=quietly,
    )
    say(f"{run}, step {found.step:,}: {found.protocol}\n")
    print_table(("figure", "generated", "floor: real", ""), found.rows())
    say(*(f"\n{remark}" for remark in found.remarks()))
    say(f"\n{run / 'evaluation.json'}   these figures")
    for name, what in PICTURES.items():
        if (run / name).exists():
            say(f"{run / name}   {what}")


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
        str | None,
        typer.Option(
            help="How many real examples to learn from, each in turn [default: 100,300,1000,all; "
            "of words all]."
        ),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option(
            "-n", help="How many to generate [default: as many as real; of words 20,000].", min=1
        ),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions of each training.", min=2)] = 3,
    steps: Annotated[
        int | None, typer.Option(help="Of each training; the same for all.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", min=0)] = 0,
    lexicon: Lexicon = None,
    from_corpus: Corpus = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Words: another run, as an arm of its own; give it again for more."),
    ] = None,
    filter_: Annotated[
        bool,
        typer.Option("--filter", help="Words: also try without the fifth that is read worst."),
    ] = False,
    data_dir: DataDir = None,
    out: Annotated[Path | None, typer.Option(help="Also write the figures there, as JSON.")] = None,
    device: Device = "auto",
) -> None:
    """Is a classifier better for the synthetic data? Trains many, with and without, and says.

    Of words it is a recogniser, and what was trained is kept: asked again, it goes on where it was.

    - `gansmith worth RUN`
    - `gansmith worth RUN --data mnist --sizes 100,all --seeds 5`
    - `gansmith worth RUN --test unseen-writers.parquet --lexicon words.txt`
    """
    from gansmith.assess import worth as measure
    from gansmith.checkpoint import write_atomically
    from gansmith.run import clear_errors

    if out is not None:  # before the hour of work that is to be written there
        if out.is_dir():
            raise GansmithError(f"--out {out}: expected a file, found a folder; {ELSEWHERE}")
        with clear_errors(out, ELSEWHERE):
            out.parent.mkdir(parents=True, exist_ok=True)
    found = measure(
        run,
        data,
        test=test,
        data_dir=data_dir,
        n=n,
        sizes=None if sizes is None else _sizes(sizes),
        seeds=seeds,
        steps=steps,
        seed=seed,
        lexicon=lexicon,
        corpus=from_corpus,
        also=also or (),
        filtered=filter_,
        device=device,
        say=quietly,
    )
    say(*found.lines())
    if out is not None:
        with clear_errors(out, ELSEWHERE):
            write_atomically(out, found.to_json().encode())


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
    print_table(("figure", *(f"{e.run} @ {e.step:,}" for e in found), "floor: real"), rows)
    say(f"\n{found[0].protocol}")


def doctor(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="A run, or its metrics.jsonl; or another trainer's log: a CSV file, TensorBoard's "
            "event files or their folder, printed lines, or two .npy arrays (the discriminator's "
            "losses, the generator's)."
        ),
    ],
    samples: Annotated[
        Path | None, typer.Option(help="A sheet of generated pictures to judge as well.")
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option(help="The side of the sheet's pictures, if gaps don't show it.", min=1),
    ] = None,
    d_loss: Annotated[
        str | None, typer.Option(help="What the discriminator's loss is called in the log.")
    ] = None,
    g_loss: Annotated[
        str | None, typer.Option(help="What the generator's loss is called in the log.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say how a run is, how we know, and what to do. Status 0 healthy, 1 warning, 2 failed.

    - `gansmith doctor runs/digits-fast-001`
    - `gansmith doctor train.log --samples fakes.png`
    - `gansmith doctor d_losses.npy g_losses.npy`
    """
    from gansmith.doctor import examine

    given = {"loss_d": d_loss, "loss_g": g_loss}
    names = {figure: name for figure, name in given.items() if name is not None}
    try:
        found = examine(paths, samples=samples, tile=tile, names=names)
    except GansmithError as error:
        if json:  # status 2 is also that of a run that failed
            say(dumps({"error": str(error)}))
        raise
    say(*([found.to_json()] if json else found.lines()))
    raise typer.Exit(int(found.verdict.severity))


def _sizes(text: str) -> tuple[int | None, ...]:
    """``100,all`` → (100, None)."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part == "all" or (part.isdecimal() and int(part) > 0) for part in parts):
        raise GansmithError(f"--sizes: expected counts such as 100,1000,all, found {text!r}")
    return tuple(None if part == "all" else int(part) for part in parts)
