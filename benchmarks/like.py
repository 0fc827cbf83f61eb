"""Does `--like` write in the hand that it is shown? Examples by writers whom nobody learnt from.

    python -m benchmarks.like RUN --held-out words/validation.parquet

Of each writer some words are the examples; what the writer's other words say is written in the style
that is found in them, and measured as `gansmith evaluate` measures hands. Were the hands met, the means
over a writer's words and over those written like them would be equal: their correlation over the
writers 1, and so the slope of the second on the first. Beside it, random styles.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import record
from gansmith.generate import load
from gansmith.measures import LINE_HEIGHT
from gansmith.metrics.words.hands import MEASURES, measures_of
from gansmith.metrics.words.sets import Words, gather, words_of
from gansmith.real import prepared
from gansmith.scribe import Scribe
from gansmith.writing import discriminator_of, style_like

EXAMPLES, FEWEST, MOST = (1, 5), 20, 40  # shown; a writer's other words, that are written like them
DRAWS = 5  # of which words are the examples


def writers_of(words: Words, generator: torch.Generator) -> list[Tensor]:
    """Each writer's words, in an order by chance; of those who have enough."""
    rows = [(words.hands == hand).nonzero()[:, 0] for hand in range(int(words.hands.max()) + 1)]
    mixed = [row[torch.randperm(len(row), generator=generator)] for row in rows]
    return [row for row in mixed if len(row) >= max(EXAMPLES) + FEWEST]


def compare(real: Tensor, made: Tensor) -> dict[str, dict[str, float]]:
    """Of means (writers, measures): how far what was made follows what is real."""
    a, b = real - real.mean(0), made - made.mean(0)
    both, of_real, of_made = (a * b).sum(0), a.square().sum(0), b.square().sum(0)
    correlation, slope = both / (of_real * of_made).sqrt(), both / of_real
    return {
        name: {"correlation": round(float(r), 3), "slope": round(float(s), 3)}
        for name, r, s in zip(MEASURES, correlation, slope, strict=True)
    }


def written(scribe: Scribe, words: Words, rows: Tensor, style: Tensor, seed: int) -> Tensor:
    """The mean measures of what these words say, in a style."""
    texts = [words.texts[row] for row in rows.tolist()]
    styles = scribe.hand(style.expand(len(texts), -1), torch.Generator().manual_seed(seed))
    made = gather([word.image for word in scribe.words(texts, styles)], texts)
    return measures_of(made).mean(0)


@torch.no_grad()
def measure(run: Path, held_out: str) -> dict[str, Any]:
    model = load(run, "cpu")
    scribe, discriminator = Scribe(model), discriminator_of(Scribe(model), run)
    words = words_of(prepared(model, held_out, None, print))
    if scribe.height != LINE_HEIGHT or words.writers is None:
        raise SystemExit(f"like: expected words {LINE_HEIGHT} pixels high, and their writers")
    words = words.at([n for n, text in enumerate(words.texts) if scribe.can_write(text)])
    measures, generator = measures_of(words), torch.Generator().manual_seed(0)
    real: list[Tensor] = []
    made: dict[str, list[Tensor]] = {name: [] for name in (*map(_named, EXAMPLES), "random")}
    count = 0
    for draw in range(DRAWS):
        groups = writers_of(words, generator)
        count = len(groups)
        for number, rows in enumerate(groups):
            shown, others = rows[: max(EXAMPLES)], rows[max(EXAMPLES) :][:MOST]
            real.append(measures[others].mean(0))
            images = [
                words.values[row, 0, :, : int(words.widths[row])].numpy() for row in shown.tolist()
            ]
            styles = {_named(n): style_like(discriminator, images[:n]) for n in EXAMPLES}
            styles["random"] = scribe.style(1000 * draw + number)
            for name, style in styles.items():
                made[name].append(written(scribe, words, others, style, draw))
    found = {name: compare(torch.stack(real), torch.stack(rows)) for name, rows in made.items()}
    return {"step": model.step, "writers": count, "draws": DRAWS, "of": found}


def _named(examples: int) -> str:
    return f"{examples} examples"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--held-out", required=True, help="words by writers whom it did not see")
    options = parser.parse_args(arguments)
    result = measure(options.run, options.held_out)
    for name, found in result["of"].items():
        print(name, {key: tuple(value.values()) for key, value in found.items()})
    print(record.write("like", {"held_out": Path(options.held_out).name}, result))


if __name__ == "__main__":
    main()
