"""Synthetic pictures as rows of a Ray Data set: made where the cluster has room for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gansmith.errors import GansmithError
from gansmith.generate import Model, from_files, load
from gansmith.synthetic import asked, examples_of
from gansmith.synthetic.layouts import Example
from gansmith.synthetic.manifest import Made
from gansmith.synthetic.ranges import cut
from gansmith.synthetic.workers import files_of

if TYPE_CHECKING:
    import ray.data

RANGE = 1024  # pictures that an actor makes at a time: whole blocks
ROWS = 128  # that it hands on at a time
BLOCKS = 1000  # of ranges, at most, for Ray to keep account of
BOUNDS = ("min_size", "max_size")


def ray_dataset(
    run: Model | str | Path,
    *,
    per_class: int | None = None,
    n: int | None = None,
    seed: int = 0,
    actors: int | tuple[int, int] = 1,
    device: str = "auto",
    **resources: Any,
) -> ray.data.Dataset:
    """The pictures that `write_dataset` writes, as rows of a Ray Data set that is made when read.

    A row has `image`, a PNG's bytes, `number`, 0 … count - 1, each once, and `label` where the
    generator knows classes. Rows come in any order. What is lost with a machine Ray makes again.

    Args:
        run: a run's or a model's folder here, or a generator. Actors are sent its weights.
        per_class: how many of each class, for a generator that knows classes.
        n: how many in all, for one that does not.
        seed: picture i of a class of a seed is the same whatever the count.
        actors: how many make pictures at once, or the fewest and the most.
        device: where each computes.
        resources: of an actor, as ``Dataset.map_batches`` takes them: ``num_gpus=1``.

    Raises:
        GansmithError: no Ray, or counts that do not suit the generator.
    """
    try:
        import ray.data
    except ImportError:
        raise GansmithError("Ray data sets need Ray: pip install 'gansmith[ray]'") from None
    model = run if isinstance(run, Model) else load(run, "cpu")
    made = asked(run, model, per_class, n, seed)
    next(examples_of(model, made, 0, 1))  # what can't be made is said here, not in an actor
    spans = cut(made.count, RANGE)
    # Not `ray.data.range`, whose reading waits for a processor that the actors may all have taken.
    ranges = ray.data.from_items(
        [{"start": span.start, "stop": span.stop} for span in spans],
        override_num_blocks=min(BLOCKS, len(spans)),
    )
    size = {"size": actors} if isinstance(actors, int) else dict(zip(BOUNDS, actors, strict=True))
    return ranges.map_batches(
        _Actor,
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(**size),
        fn_constructor_args=(files_of(model), device, made),
        **resources,
    )


class _Actor:
    """Loads the generator once, and makes one range after another."""

    def __init__(self, generator: Mapping[str, bytes], device: str, made: Made):
        self.model = from_files(generator, Path("generator"), device)
        self.made = made

    def __call__(self, ranges: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        for start, stop in zip(ranges["start"].tolist(), ranges["stop"].tolist(), strict=True):
            each = examples_of(self.model, self.made, start, stop - start)
            for first in range(start, stop, ROWS):
                yield _table(first, list(islice(each, ROWS)))


def _table(first: int, examples: list[Example]) -> dict[str, np.ndarray]:
    """As columns."""
    labels = [example.label for example in examples if example.label is not None]
    pictures = np.empty(len(examples), object)  # a row of bytes would lose its last zeros
    pictures[:] = [example.png for example in examples]
    columns = {"image": pictures, "number": np.arange(first, first + len(examples))}
    return {**columns, "label": np.array(labels)} if labels else columns
