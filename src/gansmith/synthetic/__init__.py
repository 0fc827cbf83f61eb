"""Synthetic data sets: so many pictures of each class, with a manifest and a card.

Picture i of class c of a seed is always the same, however many are asked for: the generator's
stream takes the classes in turn, so with K classes that picture is number i·K + c of
``Model.stream(seed=seed, labels=all classes)``, and every stretch of the stream is balanced.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from gansmith import checkpoint
from gansmith.errors import GansmithError
from gansmith.generate import BLOCK, Model, load
from gansmith.imaging import grid, png_bytes
from gansmith.metrics.protocol import Evaluation
from gansmith.origin import evaluation_of, run_of
from gansmith.samples import folder_names
from gansmith.synthetic.card import card
from gansmith.synthetic.folder import Folder, new_folder
from gansmith.synthetic.layouts import (
    LAYOUTS,
    Example,
    Examples,
    Layout,
    Progress,
    counted,
    numbered,
    per_shard_of,
)
from gansmith.synthetic.manifest import Made, manifest, order
from gansmith.synthetic.ranges import Span, cut, range_size, ranges_in
from gansmith.synthetic.workers import check_processes, make_ranges

# Hidden, because readers of folders take every picture that they see for data.
SHEET = ".assets/samples.png"
SHEET_CLASSES, SHEET_ROWS, SHEET_MOST = 20, 8, 100

Figures = Evaluation | Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class DatasetResult:
    """What was written: `count` pictures, in `files` files of `bytes` bytes besides the manifest."""

    path: Path
    layout: str
    count: int
    per_class: int | None
    classes: tuple[str, ...] | None
    files: int
    bytes: int
    sha256: str  # of the generator's weights


def write_dataset(
    run: Model | str | Path,
    out: str | Path,
    *,
    per_class: int | None = None,
    n: int | None = None,
    seed: int = 0,
    layout: Layout | str = "folder",
    protocol_figures: Figures | None = None,
    device: str = "auto",
    per_shard: int | None = None,
    processes: int | None = None,
    progress: Progress | None = None,
) -> DatasetResult:
    """Write a synthetic data set to the new folder `out`: whole, or not at all.

    With `processes`, so many of them make a range of the pictures each, and then another. The
    pictures are the same. Ranges that are done stay if the rest can't be made, and the same call
    goes on from them. A script that asks for it does so under ``if __name__ == "__main__":``.

    Args:
        run: a run's or a model's folder, or a generator.
        out: a folder that does not exist yet, or is empty.
        per_class: how many of each class, for a generator that knows classes.
        n: how many in all, for one that does not.
        seed: picture i of a class of a seed is the same whatever the count.
        layout: "folder", "parquet" or "webdataset".
        protocol_figures: what the generator was measured to be worth, for the manifest and the
            card; the run's evaluation.json if None.
        device: where the generator computes; does not matter for a `Model`.
        per_shard: the most examples in a file; as many as 256 MiB hold if None, and with
            `processes` 10,240 at most.
        processes: how many make it; None for this one, which keeps nothing unless all is well.
        progress: called with (done, total) now and then.

    Raises:
        GansmithError: counts that do not suit the generator, `out` not empty or begun otherwise, no
            room, a process that is lost.
    """
    out = Path(out)
    if layout not in LAYOUTS:
        raise GansmithError(f"--layout: expected {', '.join(LAYOUTS)}, found {layout!r}")
    check_processes(processes)
    model = run if isinstance(run, Model) else load(run, device)
    made = asked(run, model, per_class, n, seed, layout, protocol_figures, processes is not None)
    pictures = Pictures(made)
    shard = per_shard_of(layout, per_shard, pictures.examples(iter(())).most_bytes)
    beside = {"README.md": card(made, SHEET).encode(), SHEET: _sheet(model, made)}
    if processes is None:
        folder = _write_whole(out, model, pictures, beside, shard, progress)
    else:
        spans = cut(made.count, per_shard or range_size(shard, BLOCK))
        with ranges_in(out, order(made, len(spans[0]))) as ranges:
            make_ranges(ranges, spans, model, pictures, processes, progress)
            folder = ranges.finish(spans, manifest(made), beside)
    wrote = folder.count, folder.bytes
    return DatasetResult(out, layout, made.count, per_class, made.classes, *wrote, made.sha256)


@dataclass(frozen=True)
class Pictures:
    """What a data set's files are written by: all of them, or those of a range."""

    made: Made

    def write(self, folder: Folder, model: Model, span: Span) -> None:
        each = examples_of(model, self.made, span.start, len(span))
        LAYOUTS[self.made.layout](folder, self.examples(each), span.name)

    def examples(self, each: Iterator[Example]) -> Examples:
        return Examples(each, self.made.shape, self.made.classes)


def _write_whole(
    out: Path,
    model: Model,
    pictures: Pictures,
    beside: Mapping[str, bytes],
    per_shard: int | None,
    progress: Progress | None,
) -> Folder:
    made = pictures.made
    each = counted(examples_of(model, made, 0, made.count), made.count, progress)
    with new_folder(out, manifest(made)) as folder:
        for name, content in beside.items():
            folder.write(name, content)
        for part, most in numbered(made.layout, made.count, per_shard):
            LAYOUTS[made.layout](folder, pictures.examples(islice(each, most)), part)
    return folder


def examples_of(model: Model, made: Made, start: int, n: int) -> Iterator[Example]:
    """`n` from number `start` on: the classes in turn. The number in a name counts within the class."""
    number, turn = start, len(made.classes or "x")
    for block in model.stream(n, seed=made.seed, labels=made.classes, start=start):
        for i, image in enumerate(block.images):
            label = None if block.labels is None else int(block.labels[i])
            parent = "" if label is None else f"{made.folders[label]}/"
            yield Example(f"{parent}{number // turn:06d}", image, label)
            number += 1


def _sheet(model: Model, made: Made) -> bytes:
    """The data set's first pictures, a column a class where that many fit."""
    turn = len(made.classes or ())
    columns = turn if 1 < turn <= SHEET_CLASSES else None
    shown = min(made.count, columns * SHEET_ROWS if columns else SHEET_MOST)
    first = model.generate(shown, seed=made.seed, labels=made.classes)
    return png_bytes(grid(first.images, columns))


def _count(model: Model, per_class: int | None, n: int | None) -> int:
    """How many in all. Raises GansmithError where the question does not suit the generator."""
    classes = model.spec.classes
    if model.spec.kind == "words":
        raise GansmithError("expected --lexicon FILE or --from-corpus FILE: what words to write")
    if model.spec.kind != "pictures":
        raise GansmithError(
            "this generator makes points, not pictures; use gansmith generate RUN --out FILE.npz"
        )
    if not classes:
        if per_class is not None:
            raise GansmithError(
                "--per-class: this generator was trained without classes; use -n for how many"
            )
        return _at_least_one("-n", n)
    if n is not None:
        raise GansmithError(
            f"-n: this generator makes {len(classes):,} classes; use --per-class for how many of each"
        )
    if len(set(classes)) < len(classes):
        raise GansmithError(
            "expected a name for each class, found the same name twice; train on data whose "
            "classes have different names"
        )
    return _at_least_one("--per-class", per_class) * len(classes)


def _at_least_one(option: str, value: int | None) -> int:
    if value is None or value < 1:
        found = "nothing" if value is None else value
        raise GansmithError(f"{option}: expected how many to make, 1 or more, found {found}")
    return value


def asked(
    run: Model | str | Path,
    model: Model,
    per_class: int | None = None,
    n: int | None = None,
    seed: int = 0,
    layout: str = "folder",
    figures: Figures | None = None,
    by_range: bool = False,
) -> Made:
    """The data set that is asked for. Raises a GansmithError where the generator can't make it."""
    count = _count(model, per_class, n)
    place = None if isinstance(run, Model) else run_of(Path(run))
    found = figures if figures is not None else evaluation_of(place)
    if isinstance(found, Evaluation):
        found = found.model_dump(mode="json")
    weights = checkpoint.encode(model.network.state_dict())
    return Made(
        run=place.name if place else None,
        step=model.step,
        sha256=hashlib.sha256(weights).hexdigest(),
        config=model.config,
        shape=model.example_shape,
        classes=model.spec.classes,
        folders=tuple(folder_names(model.spec.classes or ())),
        layout=layout,
        count=count,
        per_class=per_class,
        seed=seed,
        device=model.device.type,
        # NaN is no JSON, and one would make the whole manifest unreadable elsewhere.
        figures=json.loads(json.dumps(found), parse_constant=lambda _: None),
        by_range=by_range,
    )
