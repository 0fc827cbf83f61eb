"""`write`: any text, in a hand that a generator of words learnt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gansmith.cli.common import Device, RunArgument, say


def write(
    run: RunArgument,
    text: Annotated[str, typer.Argument(help="What to write: a word or a line.")],
    out: Annotated[Path, typer.Option(help="A picture, .png; of --to a film, .gif.")] = Path(
        "line.png"
    ),
    style_seed: Annotated[int, typer.Option(help="Each number is another hand.", min=0)] = 0,
    styles: Annotated[
        int, typer.Option(help="The text in so many hands below each other.", min=1, max=200)
    ] = 1,
    to: Annotated[
        int | None, typer.Option(help="Walk from the hand of --style-seed to this one's.", min=0)
    ] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(help="Pictures of words in the hand to write in; give it again for more."),
    ] = None,
    replace: Annotated[
        str | None,
        typer.Option(help="Write this for characters that were not learnt ('' leaves them out)."),
    ] = None,
    device: Device = "auto",
) -> None:
    """Write a text with a generator of words.

    - `gansmith write RUN "Bonjour à tous" --style-seed 7 --out line.png`
    - `gansmith write RUN Bonjour --styles 8 --out hands.png`
    - `gansmith write RUN Bonjour --style-seed 1 --to 5 --out walk.gif`
    - `gansmith write RUN "Bonjour à tous" --like word1.png --like word2.png`
    """
    from gansmith.writing import write_text

    write_text(
        run,
        text,
        out,
        style_seed=style_seed,
        styles=styles,
        to=to,
        like=like or [],
        replace=replace,
        device=device,
    )
    say(f"{out}")
