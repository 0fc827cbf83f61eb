"""What torchrun starts for `test_team`: one process of a small run of each kind.

torchrun --standalone --nproc-per-node 2 -m tests.together RUN CASE
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from gansmith import word_stream
from gansmith.config import Config
from gansmith.data import Dataset, open_source, prepare
from gansmith.data import sharded as data_sharded
from gansmith.loop import Session
from gansmith.run import RunFolder
from gansmith.team import Follower
from gansmith.world import World, join
from tests.builders import config, dataset, points_config, word_dataset, words_config
from tests.shards import write_shards

BATCH, STEPS = 12, 12
# Hardly any learning: Adam's first steps make of rounding's 1e-7 a hundredth in a few steps.
SLOW = {
    **{"lr": 1e-9, "d_lr": 1e-9, "batch_size": BATCH, "images": BATCH * STEPS},
    **{"log_every": 1, "on_failure": "warn", "checkpoint_every": 4, "evaluate_n": 16},
}
AUGMENTED = ("flip", "affine", "brightness", "contrast", "shift", "cutout")


def case(name: str, **changes: Any) -> tuple[Dataset, Config]:
    """The data and the configuration of one; every kind of draw and of statistic is in some."""
    if name == "words":
        word_stream.COUNT = 300
        own = {"copybook": "yes", "augment": ("affine",), "recogniser_lr": 1e-9, "reading_from": 50}
        return word_dataset(80), words_config(**{**SLOW, **own, **changes})
    if name == "points":
        values = dataset(60, 2).values.float()
        data = Dataset("points", "points", values, None, None, [], "0" * 64)
        return data, points_config(**{**SLOW, "dropout": 0.3, **changes})
    if name == "shards":
        settings = {**SLOW, "conditional": "yes", "model": "compact", **changes}
        return sharded(), config(**settings)
    own = {
        "plain": {
            **{"augment": AUGMENTED, "dropout": 0.3, "instance_noise": 0.1, "d_steps": 2},
            **{"noisy_labels": 0.2, "label_smoothing": 0.1},
        },
        "classes": {
            **{"model": "compact", "conditional": "yes", "mismatch": 0.7, "r1": 1.0},
            **{"penalty_every": 2, "augment": ("flip",), "augment_target": 0.6},
        },
        "penalties": {
            "loss": "wasserstein",
            "gradient_penalty": 10.0,
            "d_norm": "none",
            "r2": 0.5,
            "batches": "mixed",
        },
    }[name]
    classes = 3 if name == "classes" else 0
    return dataset(60, 3, 16, 16, classes=classes), config(**{**SLOW, **own, **changes})


def sharded() -> Dataset:
    """Pictures in five files, with a cache of their own: all processes decode what they need."""
    data_sharded.TURN, data_sharded.ANCHORED = 16, 100
    folder = Path(tempfile.mkdtemp())
    os.environ["GANSMITH_CACHE"] = str(folder / "cache")
    return prepare(open_source(f"shards:{write_shards(folder / 'many')}"), height=16, width=16)


def main(path: str, name: str) -> None:
    world = join()
    play(world, RunFolder(Path(path)), *case(name))


def play(world: World, run: RunFolder, data: Dataset, a_config: Config) -> None:
    if world.is_main:
        Session(data, a_config, run).train()
    else:
        Follower(data, a_config, world).train()


if __name__ == "__main__":
    main(*sys.argv[1:])
