"""How good is a recipe after so many minutes? FID against its floor, CAS, over several seeds.

    python -m benchmarks.quality --source mnist --data-dir DIR --minutes 5 --seeds 10
    python -m benchmarks.quality --source mnist --data-dir DIR --minutes 10 --cas
    python -m benchmarks.quality --source train.parquet --test test.parquet --minutes 60 --cas \\
        --recipe fast,dcgan-keras,dcgan
    python -m benchmarks.quality … --set generator_filters=64 --set augment=flip

Whole runs, from the start, with everything a run does (samples, checkpoints, scores); the machine
should do nothing else. FID: see `referee.Referee`. CAS (Ravuri & Vinyals 2019): accuracy on the real
test set of a classifier trained on as many generated pictures as there are real ones, each class
equally often; beside it that of the same classifier trained on the real ones, with as many steps.
A run counts as collapsed where fewer than half of the real pictures' neighbourhoods (k = 5, 10,000
against 10,000) hold a generated one, or a class is never made.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import gansmith
from benchmarks import record
from benchmarks.referee import Referee, own_size
from gansmith.config import parse_settings
from gansmith.data import Dataset, open_source, prepare
from gansmith.generate import Model, load
from gansmith.imaging import grid, png_bytes
from gansmith.metrics.distances import density_coverage, precision_recall
from gansmith.metrics.evaluation import as_tensor
from gansmith.metrics.usefulness import cas
from gansmith.run import RunFolder

CAS_STEPS = 3000
CAS_BATCH = 128


def classes_of(model: Model) -> list[int] | None:
    return list(range(model.spec.class_count)) if model.spec.classes else None


def measure(model: Model, referee: Referee, labels: int) -> dict[str, Any]:
    """Figures of one generator."""
    made = referee.ask(model)
    embedded = referee.space.embed(referee.resized(made))
    near, real = embedded.features, referee.reference[: referee.count]
    found, balance, asked = density_coverage(real, near), None, None
    value, pr = referee.fid(made), precision_recall(real, near)
    of_real = precision_recall(real, referee.held)
    if embedded.probabilities is not None:
        read = embedded.probabilities.argmax(1)
        balance = torch.bincount(read, minlength=labels).min().item() / referee.count
        if model.spec.classes:
            asked = round((read == torch.tensor(referee.labels)).double().mean().item(), 4)
    return {
        "fid": round(value, 4),
        "floor": round(referee.floor, 4),
        "times_floor": round(value / referee.floor, 2),
        "precision": round(pr.precision, 4),
        "recall": round(pr.recall, 4),
        "real_precision": round(of_real.precision, 4),
        "real_recall": round(of_real.recall, 4),
        "coverage": round(found.coverage, 4),
        "read_as_asked": asked,
        "rarest_class_share": balance,
        "collapsed": found.coverage < 0.5 or balance == 0,
    }


def score(model: Model, referee: Referee, count: int, test: Dataset) -> float:
    """CAS of `count` generated pictures."""
    labels = classes_of(model)
    samples = model.generate(count, seed=2, labels=labels)
    assert samples.labels is not None
    known = torch.from_numpy(samples.labels)
    return accuracy_of(referee.resized(as_tensor(samples)), known, test)


def evaluation_share(done: gansmith.TrainResult) -> float:
    """The share of a run's time that its scores took."""
    records = RunFolder(done.run).records()
    return round(float(sum(r.get("evaluation_seconds", 0) for r in records)) / done.seconds, 4)


def accuracy_of(pictures: Tensor, labels: Tensor, test: Dataset) -> float:
    assert test.labels is not None
    classes = len(test.classes or ())
    steps = {"steps": CAS_STEPS, "batch_size": CAS_BATCH}
    return round(float(cas(pictures, labels, test.values, test.labels, classes, **steps)), 4)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="mnist")
    parser.add_argument("--test", default="")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--recipe", default="fast")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], help="as `gansmith train`'s")
    parser.add_argument("--cas", action="store_true")
    parser.add_argument("--pictures", type=Path, help="a folder for a sheet of each run")
    parser.add_argument("--name", help="of the record")
    options = parser.parse_args(arguments)
    options.settings = parse_settings(options.set)
    source = open_source(options.source, data_dir=options.data_dir)
    real, space, side = own_size(source)
    labels = len(real.classes or ())
    result: dict[str, Any] = {"space": f"{space.name} {space.weights}"}
    test = None
    if options.cas:
        held = open_source(options.test or f"{options.source}:test", data_dir=options.data_dir)
        test = prepare(held, height=side[0], width=side[1])
        assert real.labels is not None
        result["cas_of_real"] = accuracy_of(real.values, real.labels, test)
        print("real", result["cas_of_real"], flush=True)
    for recipe in options.recipe.split(","):
        runs: list[dict[str, Any]] = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            model, facts = trained(options, recipe, seed)
            height, width = model.spec.shape[1:]
            referee = Referee(prepare(source, height=height, width=width), space, side)
            found = {"seed": seed, **measure(model, referee, labels), **facts}
            if test is not None and model.spec.classes:
                found["cas"] = score(model, referee, len(real), test)
            if options.pictures:
                draw(model, options.pictures / f"{recipe}-{seed}.png")
            runs.append(found)
            print(recipe, found, flush=True)
            result[recipe] = summary(runs)
            keep(options, result)


def trained(options: argparse.Namespace, recipe: str, seed: int) -> tuple[Model, dict[str, Any]]:
    """The generator of a whole run, and what is worth knowing of that run."""
    with tempfile.TemporaryDirectory() as folder:
        done = gansmith.train(
            options.source,
            recipe=recipe,
            out=Path(folder) / "run",
            data_dir=None if options.data_dir is None else str(options.data_dir),
            minutes=options.minutes,
            seed=seed,
            **options.settings,
        )
        return load(done.run), {
            "images": done.images,
            "evaluation_share_of_time": evaluation_share(done),
        }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "median_times_floor": statistics.median(r["times_floor"] for r in runs),
        "worst_times_floor": max(r["times_floor"] for r in runs),
        "collapsed": sum(bool(r["collapsed"]) for r in runs),
        "runs": runs,
    }


def draw(model: Model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = model.generate(100, seed=3, labels=classes_of(model)).images
    path.write_bytes(png_bytes(grid(sheet, 10)))


def keep(options: argparse.Namespace, result: dict[str, Any]) -> None:
    """Write the record so far: hours of measuring must not hang on the last minute."""
    stem = Path(options.source).stem
    name = options.name or f"quality-{stem}-{options.minutes:g}min"
    config = {"source": stem, "minutes": options.minutes, "cas": options.cas}
    record.write(name, config | options.settings, result)


if __name__ == "__main__":
    main()
