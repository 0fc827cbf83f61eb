"""What a synthetic data set is and where it came from, for its manifest and its card."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import PIL
import torch

from gansmith.config import Config
from gansmith.origin import source_of, terms_of
from gansmith.samples import arrow

NOT_REAL = (
    "This is not real data: a generator made the pictures, and the labels say what it was asked for. "
    "Questions about the terms of its training data pass on to what it makes: look at those terms "
    "before you pass this data set on."
)


@dataclass(frozen=True)
class Made:
    """A data set before it is written: everything that decides it.

    Attributes:
        run: the run folder's name, None where there is none.
        sha256: of the generator's weights, as RUN/model/model.safetensors holds them.
        shape: (H, W, C) of a picture; W is 0 where they differ.
        classes, folders: each class's name, and as the name of a folder; none for no classes.
        figures: any JSON, None for none.
        by_range: whether its shards are named by what is in them, as several processes make them.
    """

    run: str | None
    step: int
    sha256: str
    config: Config
    shape: tuple[int, ...]
    classes: tuple[str, ...] | None
    folders: tuple[str, ...]
    layout: str
    count: int
    per_class: int | None
    seed: int
    device: str
    figures: Any
    by_range: bool = False

    @property
    def source(self) -> str:
        return source_of(self.config)

    @property
    def source_terms(self) -> str:
        return terms_of(self.config)


def manifest(made: Made) -> dict[str, Any]:
    """The manifest without its files."""
    height, width, channels = made.shape
    return {
        "format": "gansmith-dataset-1",
        "synthetic": True,
        "made_with": versions(made),
        "generator": {
            "run": made.run,
            "step": made.step,
            "sha256": made.sha256,
            "recipe": made.config.recipe,
            "seed": made.config.seed,
            "source": made.source,
        },
        "seed": made.seed,
        "layout": made.layout,
        "count": made.count,
        "per_class": made.per_class,
        "picture": {"height": height, "width": width or None, "channels": channels},
        "classes": [
            {"label": label, "name": name, "folder": made.folders[label], "count": made.per_class}
            for label, name in enumerate(made.classes or ())
        ],
        "figures": made.figures,
        "licence": {"note": NOT_REAL, "training_data_terms": made.source_terms},
    }


def order(made: Made, per_shard: int) -> dict[str, Any]:
    """What must be the same for one that is half made to be gone on with."""
    return {
        "generator": made.sha256,
        "seed": made.seed,
        "layout": made.layout,
        "count": made.count,
        "per_shard": per_shard,
        **versions(made),
    }


def versions(made: Made) -> dict[str, str]:
    """What the bytes depend on besides weights and seed."""
    found = {
        "gansmith": version("gansmith"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
        "device": made.device,
    }
    if made.layout == "parquet":
        found["pyarrow"] = arrow()[0].__version__
    return found
