"""The real examples that a generator is put beside, in its own shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from gansmith.api import prepare_for
from gansmith.config import merge
from gansmith.data import DOWNLOADS, Dataset, open_source
from gansmith.errors import GansmithError
from gansmith.generate import Model

Say = Callable[[str], None]
CHANNELS = {1: "grey", 3: "colour", 4: "alpha"}


def unseen_by(
    model: Model, held_out: str | Path | None, data_dir: str | Path | None, say: Say
) -> Tensor | None:
    """Real examples that training never saw: those named, or the data set's own test split."""
    if held_out is not None:
        return prepared(model, held_out, data_dir, say).values
    named = test_split(model.config.source)
    try:
        return None if named is None else prepared(model, named, data_dir, say).values
    except GansmithError as error:  # nobody asked for it
        say(f"going on without unseen real examples: {error}")
        return None


def test_split(source: str) -> str | None:
    """``mnist`` → ``mnist:test``; None where a source has no other split that is known."""
    known = DOWNLOADS.get(source.removesuffix(":train"))
    return f"{known.name}:test" if known and "test" in known.files else None


def both(
    model: Model, data: str | Path | None, data_dir: str | Path | None, say: Say
) -> tuple[Dataset, Dataset]:
    """What the generator was trained on, and what it is compared with."""
    real = None if data is None else prepared(model, data, data_dir, say)
    try:
        trained_on = prepared(model, None, data_dir, say)
    except GansmithError as error:
        if real is None:
            raise
        say(f"taking {data} for what it was trained on, which can't be read: {error}")
        trained_on = real
    return trained_on, trained_on if real is None else real


def prepared(
    model: Model, data: str | Path | None, data_dir: str | Path | None, say: Say
) -> Dataset:
    """Real examples in the generator's own shape."""
    config, spec = model.config, model.spec
    words = spec.kind == "words"
    named = str(config.source if data is None else data)
    folder = data_dir if data_dir is not None else config.data_dir
    if named.partition(":")[0] not in DOWNLOADS:
        folder = None
    try:
        place = None if folder is None else Path(folder)
        source = open_source(named, data_dir=place, words=words)
    except GansmithError as error:
        hint = "\nIf the data moved, name their place with --data" if data is None else ""
        raise GansmithError(f"{error}{hint}") from None
    say(f"reading {named}")
    if spec.kind == "pictures":
        channels, height, width = spec.shape
        shape = {"size": f"{width}x{height}", "data": {"channels": CHANNELS[channels]}}
        config = merge(config, shape)
    return prepare_for(source, config)
