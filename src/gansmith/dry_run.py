"""What `--dry-run` prints: the whole configuration, the networks, memory, data and disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from gansmith.api import Plan
from gansmith.copybook import about_copybook, against_copybook
from gansmith.errors import GansmithError
from gansmith.runtime import pick_device, pick_precision
from gansmith.summary import Layer, memory_free, readable, summarise
from gansmith.word_stream import about_unlabelled

CHECKPOINT_COPIES = 4  # the last ones, the best one and the one being written


def plan_lines(plan: Plan) -> Iterator[str]:
    """The page, line by line. Raises GansmithError where the run could not be carried out."""
    yield from _config_lines(plan)
    summary = summarise(plan.config, plan.spec)
    yield from _network_lines("generator", summary.generator)
    yield from _network_lines("discriminator", summary.discriminator)
    if summary.recogniser:
        yield from _network_lines("recogniser", summary.recogniser)
    yield from _data_lines(plan)
    yield from _machine_lines(plan, summary.memory, sum(summary.parameters))


def _config_lines(plan: Plan) -> Iterator[str]:
    yield "configuration"
    values = plan.config.model_dump()
    values.update({f"data.{key}": value for key, value in values.pop("data").items()})
    for key, value in values.items():
        yield f"  {key} = {value}"


def _network_lines(name: str, layers: list[Layer]) -> Iterator[str]:
    total = sum(layer.parameters for layer in layers)
    yield f"\n{name}: {total:,} parameters"
    for layer in layers:
        shape = "×".join(map(str, layer.shape))
        yield f"  {layer.kind:<16} {shape:>14} {layer.parameters:>12,}"


def _data_lines(plan: Plan) -> Iterator[str]:
    dataset = plan.dataset
    shape = "×".join(map(str, plan.spec.shape))
    if dataset.written and plan.spec.script:
        _, height, width = plan.spec.shape
        shape = f"words {height} pixels high and up to {width} wide"
        shape += f", in {len(plan.spec.script.alphabet)} characters"
    yield f"\ndata: {dataset.name}, {len(dataset):,} examples of {shape}"
    if dataset.shards:
        yield f"  of {len(dataset.shards.sizes):,} shards with about {dataset.epoch:,}"
    yield f"  {len(dataset.skipped)} skipped, content {dataset.digest[:12]}"
    if plan.config.copybook != "no" and dataset.written:
        against = against_copybook(plan.config, dataset.written.texts)
        yield f"  {about_copybook(against)}"
    if dataset.unlabelled:
        yield f"  {about_unlabelled(dataset)}"
        unlabelled = dataset.unlabelled
        yield f"  {len(unlabelled.skipped)} skipped, content {unlabelled.digest[:12]}"
    if dataset.lexicon and plan.spec.script:
        yield f"  {dataset.lexicon.about(plan.spec.script.alphabet)}"
    if dataset.classes:
        used = "used" if plan.spec.classes else "not used"
        yield f"  {len(dataset.classes)} classes, {used} (conditional={plan.config.conditional})"


def _machine_lines(plan: Plan, memory: int, parameters: int) -> Iterator[str]:
    device = pick_device(plan.config.device)
    free = memory_free(device)
    precision = pick_precision(plan.config.precision, device).name
    yield f"\ndevice {device.type}, precision {precision}"
    yield f"memory: about {readable(memory)} a step of {plan.config.batch_size}, {readable(free)} free"
    existing = next(p for p in (plan.run.path, *plan.run.path.absolute().parents) if p.exists())
    disk, needed = shutil.disk_usage(existing).free, 4 * 4 * parameters * CHECKPOINT_COPIES
    yield f"disk: about {readable(needed)} of checkpoints, {readable(disk)} free"
    yield f"run folder: {plan.run.path}"
    if not os.access(existing, os.W_OK):
        raise GansmithError(f"{existing}: it can't be written to; choose another --out")
    if needed > disk:
        raise GansmithError(f"{existing}: the run needs about {readable(needed)} of disk there")
    if memory > free:
        smaller = max(2, int(plan.config.batch_size * free / memory))
        raise GansmithError(
            f"a step needs about {readable(memory)} and {readable(free)} are free; "
            f"try --set batch_size={smaller}"
        )
