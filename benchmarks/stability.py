"""Does gansmith notice when a GAN fails, and mend it? Faults on purpose, and clean runs, many seeds.

    python -m benchmarks.stability collect --out DIR [--seeds 3] [--source digits] [--on-failure warn]
    python -m benchmarks.stability pictures --out DIR --data-dir MNIST

Every run is small (16×16, 16 filters) and leaves the records of its metrics.jsonl and its last sheet in
DIR; `benchmarks.verdicts` makes tables of them. `pictures` draws those of docs/health.md.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from benchmarks.faults import FAULTS, Fault
from gansmith import losses, objectives, recipes
from gansmith.config import Config, merge
from gansmith.data import Dataset, open_source, prepare
from gansmith.errors import GansmithError
from gansmith.imaging import grid
from gansmith.loop import Session
from gansmith.run import RunFolder
from gansmith.watch import Progress, Silent

SMALL = {
    "generator_filters": 16,
    "discriminator_filters": 16,
    "log_every": 10,
    "sample_every": 500,
    "checkpoint_every": 100,
    "evaluate_n": 500,
    "device": "cpu",
}
GAP = 12  # pixels between two sheets
FEW = 400  # examples, for the recipes that are meant for few


class Case(NamedTuple):
    """One small run."""

    fault: str
    recipe: str
    source: str
    seed: int
    steps: int
    on_failure: str = "repair"

    @property
    def stem(self) -> str:
        source = Path(self.source).stem
        return f"{self.fault}--{source}-{self.recipe}-{self.seed}".replace(" ", "_").replace(
            ":", ""
        )


class Saboteur(Silent):
    """Makes the fault when its time has come."""

    def __init__(self, fault: Fault, begins: int):
        self.fault, self.begins = fault, begins
        self.session: Session | None = None

    def tick(self, progress: Progress) -> None:
        if self.fault.late and progress.step == self.begins:
            assert self.session is not None
            assert self.fault.injection is not None
            self.fault.injection(self.session)


def configure(case: Case) -> Config:
    changes = dict(FAULTS[case.fault].changes)
    base = recipes.recipe(str(changes.pop("recipe", case.recipe)))
    points = base.model == "mlp"
    size = {} if points or (base.size is None and base.model != "compact") else {"size": "16"}
    small = {"log_every": 10} if points else SMALL
    values: dict[str, Any] = {**small, **size, **changes, "seed": case.seed}
    values["on_failure"] = case.on_failure
    if "batch_size" in changes:  # as many images as a clean run of `dcgan-32`, so more steps
        return merge(base, {**values, "images": case.steps * 32})
    return merge(base, {**values, "images": case.steps * base.batch_size})


def begins(case: Case) -> int:
    """The step at which a late fault comes: somewhere in the middle third."""
    if not FAULTS[case.fault].late:
        return 0
    return random.Random(case.stem).randrange(case.steps // 3, 2 * case.steps // 3)


def load(case: Case, data_dir: Path | None) -> Dataset:
    config = configure(case)
    source = open_source(case.source, data_dir=data_dir)
    size = config.size or recipes.default_size(config, 28, 28)
    side = None if config.model == "mlp" else int(size or 28)
    data = prepare(source, height=side, width=side)
    if "few" in case.recipe:
        labels = None if data.labels is None else data.labels[:FEW]
        data = replace(data, values=data.values[:FEW], labels=labels)
    change = FAULTS[case.fault].data
    return change(data) if change else data


def train(case: Case, data_dir: Path | None, folder: Path) -> list[dict[str, Any]]:
    """The records of a run with its fault; the last one says how it ended."""
    torch.set_num_threads(1)
    fault, honest = FAULTS[case.fault], losses.hard_targets
    run = RunFolder(folder)
    run.path.mkdir(parents=True, exist_ok=True)
    saboteur = Saboteur(fault, begins(case))
    session = Session(load(case, data_dir), configure(case), run, saboteur)
    saboteur.session = session
    ended = ""
    try:
        if fault.injection and not fault.late:
            fault.injection(session)
        session.train()
    except GansmithError as error:
        ended = str(error)
    finally:
        objectives.hard_targets = honest  # type: ignore[attr-defined]
    end = {"step": session.step, "ended": ended, "begins": begins(case), **case._asdict()}
    return [*run.records(), end]


def collect(case: Case, data_dir: Path | None, out: Path) -> str:
    """Train, and keep the records and the last sheet; nothing where they are there already."""
    target = out / f"{case.stem}.jsonl"
    if target.exists():
        return f"{case.stem}: there"
    with tempfile.TemporaryDirectory() as folder:
        records = train(case, data_dir, Path(folder) / "run")
        sheets = sorted((Path(folder) / "run" / "samples").glob("step-*.png"))
        if sheets:
            target.with_suffix(".png").write_bytes(sheets[-1].read_bytes())
    target.write_text("".join(json.dumps(record) + "\n" for record in records))
    scores = [r["score"] for r in records if "score" in r]
    return f"{case.stem}: {records[-1]['step']} steps, score {scores[-1:]} {records[-1]['ended']}"


def cases(options: argparse.Namespace) -> Iterator[Case]:
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for fault in options.faults.split(","):
            for recipe in options.recipes.split(","):
                yield Case(fault, recipe, options.source, seed, options.steps, options.on_failure)


# Of docs/health.md: what is left without a repair, and with one.
SHOWN = {
    "health-rates": Case("rate of D x50", "dcgan-32", "digits", 0, 1500),
    "health-pale": Case("none", "dcgan", "digits", 2, 1500),
    "health-collapse": Case("rate of G x50", "dcgan-32", "mnist", 0, 1500),
}
PICTURES = Path(__file__).parent.parent / "docs" / "pictures"


def draw(name: str, case: Case, data_dir: Path | None, out: Path) -> None:
    """Two sheets side by side: on_failure=warn, and repair."""
    sheets = []
    for choice in ("warn", "repair"):
        (out / choice).mkdir(parents=True, exist_ok=True)
        print(collect(case._replace(on_failure=choice), data_dir, out / choice), flush=True)
        sheets.append(np.asarray(Image.open(out / choice / f"{case.stem}.png").convert("L")))
    both = grid(np.stack(sheets)[..., None], columns=2, gap=GAP)
    double = (2 * both.width, 2 * both.height)
    both.resize(double, Image.Resampling.NEAREST).save(PICTURES / f"{name}.png")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["collect", "pictures"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--recipes", default="dcgan-32")
    parser.add_argument("--source", default="digits")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--on-failure", default="repair", choices=["repair", "stop", "warn"])
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.what == "pictures":
        for name, case in SHOWN.items():
            draw(name, case, options.data_dir, options.out)
        return
    with ProcessPoolExecutor(options.processes) as pool:
        waiting = [pool.submit(collect, c, options.data_dir, options.out) for c in cases(options)]
        for done in waiting:
            print(done.result(), flush=True)


if __name__ == "__main__":
    main()
