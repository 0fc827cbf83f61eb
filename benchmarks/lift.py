"""Do recognisers get better with synthetic words? From so many real words to a table for the docs.

    python -m benchmarks.lift --data words/ --runs runs/lift --test words/test.parquet
    python -m benchmarks.lift … --sizes 300,1000 --semi --filter --from-corpus "corpus-{k}.txt"

For each k: k words of DATA/train.parquet, a generator trained on them (and, where they are few, a
copybook), and recognisers trained on the same k, with and without its words, tested on writers whom
neither saw (`word_worth`). The texts for them, --lexicon or --from-corpus, of which there are no
pictures, are what the generator learns to write, too. --semi trains another generator, whose
discriminator sees all pictures of DATA/train.parquet without their texts. {k} stands for how many
words in --from-corpus (`benchmarks.corpus` makes one). All of it goes on where it was cut off: runs
are resumed, finished recognisers are kept in the cache folder. What is known is recorded after each k.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gansmith
from benchmarks import record
from gansmith.config import parse_settings
from gansmith.data import open_source
from gansmith.metrics.gain import spread
from gansmith.metrics.lift import BASELINE, Lift
from gansmith.subset import write_subset
from gansmith.word_worth import STEPS


def some(data: Path, runs: Path, size: int | None, seed: int) -> tuple[Path, str]:
    """The file with so many words, and how it is called; the whole file for all."""
    if size is None:
        return data / "train.parquet", "all"
    path = runs / f"words-{size}-seed-{seed}.parquet"
    if not path.exists():
        write_subset(str(data / "train.parquet"), path, size, seed)
    return path, str(size)


def at(size: int | None, options: argparse.Namespace) -> Lift:
    """One size: the words, the generator, the recognisers."""
    words, k = some(options.data, options.runs, size, options.seed)
    runs = [options.runs / f"{name}-{k}-seed-{options.seed}" for name in ("words", "semi")]
    corpus = options.from_corpus and Path(str(options.from_corpus).format(k=k))
    settings = {"minutes": options.minutes, "seed": options.seed} | parse_settings(options.set)
    if written := corpus or options.lexicon:
        settings["lexicon"] = str(written)
    gansmith.train(words, out=runs[0], resume=True, **settings)
    also = runs[1:] if options.semi and size is not None else []
    for run in also:
        every = str(options.data / "train.parquet")
        gansmith.train(words, out=run, resume=True, unlabelled=every, **settings)
    found = gansmith.worth(
        runs[0],
        test=options.test,
        n=options.pool,
        seeds=options.seeds,
        steps=options.steps,
        seed=options.seed,
        lexicon=options.lexicon,
        corpus=corpus,
        also=also,
        filtered=options.filter,
        say=print,
    )
    assert isinstance(found, Lift)
    return found


def rows(found: Sequence[Lift]) -> list[str]:
    """A Markdown table: a row a size and arm."""
    lines = [
        "| real words | arm | WER | CER | WER against A (95 %) | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for lift in found:
        for arm in lift.results:
            cells = [f"{arm.size:,}", arm.name, spread(arm.wers), spread(arm.cers)]
            if arm.name == BASELINE:
                cells += ["", ""]
            else:
                over = lift.reduction(arm.name, arm.size)
                less, low, high = (f"{-100 * x:+.1f}" for x in (over.share, over.high, over.low))
                cells += [f"{less} % ({low} to {high})", over.effect]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def sizes_in(text: str) -> list[int | None]:
    return [None if part == "all" else int(part) for part in text.split(",")]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with train.parquet")
    parser.add_argument("--runs", type=Path, required=True, help="where generators are kept")
    parser.add_argument("--test", type=Path, required=True, help="words of other writers")
    parser.add_argument("--sizes", type=sizes_in, default=[300, 1000, 4000, None])
    parser.add_argument("--minutes", type=float, default=15, help="of each generator's training")
    parser.add_argument("--set", action="append", default=[], help="of the generators")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--pool", type=int, help="how many synthetic words")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lexicon", type=Path)
    parser.add_argument("--from-corpus", type=Path)
    parser.add_argument("--semi", action="store_true")
    parser.add_argument("--filter", action="store_true")
    parser.add_argument("--name", default="lift", help="of the record")
    options = parser.parse_args(arguments)
    open_source(options.test, words=True)  # that it is there, before hours of work
    config = {key: _plain(value) for key, value in vars(options).items()}
    found: list[Lift] = []
    for size in options.sizes:
        found.append(at(size, options))
        print("\n".join(found[-1].lines()), flush=True)
        result: dict[str, Any] = {
            str(lift.real): json.loads(lift.to_json()) | {"table": rows([lift])} for lift in found
        }
        print(record.write(options.name, config, result), flush=True)
    print("\n".join(rows(found)))


def _plain(value: object) -> object:
    """As JSON takes it; of a path the name, which says what it is and not where it lay."""
    if isinstance(value, Path):
        return value.name
    if isinstance(value, list):
        return [Path(v).name if isinstance(v, str) else v for v in value]
    return value


if __name__ == "__main__":
    main()
