"""`generate` and `dataset`: what a trained generator makes. `subset`: less of what it learns from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gansmith.cli.common import Corpus, Device, Lexicon, RunArgument, SourceArgument, console, say


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
    device: Device = "auto",
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
            say(f"{n:,} of seed {seed}: {path}")


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
        str | None,
        typer.Option(
            "--layout",
            "--format",
            help="folder (a folder a class), parquet (Hugging Face) or webdataset (tar); of words "
            "imagefolder, parquet, pairs, pylaia or webdataset [default: the first].",
        ),
    ] = None,
    lexicon: Lexicon = None,
    from_corpus: Corpus = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="So many processes make a range of the numbers each, and then another. Ranges that "
            "are done outlive a kill: the same command goes on from them.",
            min=1,
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
) -> None:
    """Write a labelled synthetic data set: as many of each class, with a manifest and a card.

    - `gansmith dataset RUN --per-class 6000 --out synthetic/`
    - `gansmith dataset RUN --per-class 6000 --layout parquet --out synthetic/`
    - `gansmith dataset RUN -n 1000000 --processes 8 --format parquet --out synthetic/`
    - `gansmith dataset RUN --lexicon words.txt -n 100000 --format pairs --out synthetic/`
    """
    from gansmith.synthetic import write_dataset

    if lexicon or from_corpus:
        form = layout or "imagefolder"
        _word_dataset(run, out, lexicon, from_corpus, n, seed, form, device, processes)
        return
    with _bar("pictures") as progress:
        result = write_dataset(
            run,
            out,
            per_class=per_class,
            n=n,
            seed=seed,
            layout=layout or "folder",
            device=device,
            processes=processes,
            progress=progress,
        )
    each = f", {per_class:,} of each of {len(result.classes)} classes" if result.classes else ""
    say(f"{result.count:,} pictures{each}: {result.path}")
    say(f"  {result.path / 'README.md'}   the card")


def _word_dataset(
    run: Path,
    out: Path,
    lexicon: Path | None,
    corpus: Path | None,
    n: int | None,
    seed: int,
    layout: str,
    device: str,
    processes: int | None,
) -> None:
    from gansmith.synthetic.words import write_words

    with _bar("words") as progress:
        result = write_words(
            run,
            out,
            lexicon=lexicon,
            corpus=corpus,
            n=n,
            seed=seed,
            layout=layout,
            device=device,
            processes=processes,
            progress=progress,
        )
    say(f"{result.count:,} words from {result.texts:,} texts: {result.path}")
    if result.left_out:
        say(f"  texts with characters that were not learnt, left out: {result.left_out:,}")


def subset(
    source: SourceArgument,
    out: Annotated[Path, typer.Option(help="A .parquet file.", show_default=False)],
    n: Annotated[int, typer.Option("-n", help="How many words.", min=1, show_default=False)],
    seed: Annotated[int, typer.Option(help="The first n of a seed are among its first n + 1.")] = 0,
) -> None:
    """Write some words of SOURCE to a file: their pictures' own bytes, texts and writers.

    To train a generator on as many as a recogniser has (`gansmith worth`).

    - `gansmith subset words.parquet -n 300 --out words-300.parquet`
    """
    from gansmith.subset import write_subset

    writers = write_subset(source, out, n, seed)
    by = f" by {writers:,} writers" if writers else ""
    say(f"{n:,} words{by}: {out}")


@contextmanager
def _bar(things: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, and what is to be told (done, total)."""
    from rich.progress import Progress

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(things)
        yield lambda done, total: bar.update(task, completed=done, total=total)
