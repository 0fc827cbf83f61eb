"""How readable, how real, how various are words after so many minutes?

    python -m benchmarks.word_quality --data train.parquet --held-out validation.parquet --run DIR
    python -m benchmarks.word_quality … --minutes 4,15 --threads 2
    python -m benchmarks.word_quality … --device cuda --name word-quality-gpu

One run of the recipe `words`, as long as the last of the minutes, or the one that lies in DIR. At each
of them its newest checkpoint is judged as `gansmith evaluate --held-out` judges: by a recogniser
trained on the real words, which takes about twenty minutes once.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

import gansmith
from benchmarks import record
from gansmith import checkpoint
from gansmith.metrics.protocol import Evaluation
from gansmith.run import RunFolder

EVERY, KEPT = 150, 1000  # steps between checkpoints, and how many


def minutes_in(text: str) -> list[float]:
    return sorted(float(part) for part in text.split(","))


def learn(options: argparse.Namespace) -> None:
    """The run, if it is not there."""
    if not RunFolder(options.run).model.exists():
        gansmith.train(
            options.data,
            recipe="words",
            out=options.run,
            resume=True,
            minutes=options.minutes[-1],
            seed=options.seed,
            device=options.device,
            checkpoint_every=EVERY,
            keep=KEPT,
        )


def taken(path: Path) -> float:
    """Minutes of training before a checkpoint."""
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    return float(state["seconds"]) / 60


def newest(run: Path, minutes: float) -> Path:
    """The last checkpoint that so many minutes had given. One at the end may come a moment after."""
    found = [p for p in checkpoint.paths(RunFolder(run).checkpoints) if taken(p) <= minutes * 1.005]
    if not found:
        raise SystemExit(f"{run}: no checkpoint of the first {minutes:g} minutes")
    return found[-1]


def figures(found: Evaluation) -> dict[str, Any]:
    """What the targets name: legibility, distance, spread of hands; and what surrounds the ink."""
    details = found.details or {}
    hands = details.get("hands") or {}
    return {
        "step": found.step,
        "times_misread": round(found["cer"] / (found.figures["cer"].floor or 1), 3),
        "times_floor": round(found["fid"] / (found.figures["fid"].floor or 1), 3),
        "fid_between_writers": details.get("fid_between_writers"),
        "hands": hands,
        "figures": {name: figure.model_dump() for name, figure in found.figures.items()},
        "said": found.remarks(),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="words with their texts")
    parser.add_argument("--held-out", required=True, help="words by other writers")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=minutes_in, default=[4.0, 15.0, 60.0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0, help="of the run")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--referee-steps", type=int)
    parser.add_argument("--name", default="word-quality", help="of the record")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    learn(options)
    steps = {} if options.referee_steps is None else {"referee_steps": options.referee_steps}
    config = {k: v for k, v in vars(options).items() if k not in ("run", "data", "held_out")}
    config |= {"data": Path(options.data).name, "held_out": Path(options.held_out).name}
    result: dict[str, Any] = {}
    for minutes in options.minutes:
        path = newest(options.run, minutes)
        found = gansmith.evaluate(path, held_out=options.held_out, say=print, **steps)
        result[f"{minutes:g}"] = {"minutes": round(taken(path), 2), **figures(found)}
        result["protocol"] = found.protocol.model_dump()
        print(minutes, result[f"{minutes:g}"], flush=True)
        print(record.write(options.name, config, result), flush=True)


if __name__ == "__main__":
    main()
