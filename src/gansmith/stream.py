"""Batches for training: which examples, and as what numbers, is a function of (seed, step, rank)."""

from __future__ import annotations

from itertools import cycle
from typing import NamedTuple

import torch
from torch import Tensor

from gansmith.augment import augment
from gansmith.config import Config, DataSpec
from gansmith.data import Dataset, order
from gansmith.errors import GansmithError
from gansmith.models import draw_latent
from gansmith.runtime import Draw, derive_seed
from gansmith.script import learn_script
from gansmith.world import World

ON_DEVICE_SHARE = 0.25  # of the accelerator's memory that a data set may take up
LEAST_HELD, MOST_HELD = 32, 1000  # examples kept from training: fewer tell little, more no more


class Batch(NamedTuple):
    """`real` (N, C, H, W) in [-1, 1], standardised points (N, D), or words (N, 1, H, W) in [0, 1];
    `labels` int64 (N,) or None, of words rows of `models.layout.label_rows`."""

    real: Tensor
    labels: Tensor | None


def describe(dataset: Dataset, config: Config) -> DataSpec:
    """What a generator of this data makes, and whether it listens to the labels."""
    if config.conditional == "yes" and dataset.labels is None:
        raise GansmithError(
            f"conditional: expected labelled data, but {dataset.name} has none; use conditional=no"
        )
    labelled = config.conditional != "no" and dataset.labels is not None
    classes = tuple(dataset.classes or ()) if labelled else None
    shape = tuple(dataset.values.shape[1:])
    if dataset.written is not None:
        shape = (1, *shape, max(dataset.written.widths))
        script = learn_script(dataset.written, dataset.strip)
        return DataSpec(kind="words", shape=shape, script=script)
    if dataset.kind == "pictures":
        return DataSpec(kind="pictures", shape=shape, classes=classes or None)
    std, mean = torch.std_mean(dataset.values.double(), 0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    return DataSpec(
        kind="points", shape=shape, classes=classes or None, mean=mean.tolist(), std=std.tolist()
    )


class Deal(NamedTuple):
    """What a turn is played with: a batch, and latents (N, Z) and labels to ask the generator for."""

    real: Tensor
    labels: Tensor | None
    latent: Tensor
    asked: Tensor | None


class Lesson(NamedTuple):
    """What a recogniser learns from: words (N, 1, H, W) and their labels (N, 1 + L). Where it has a
    copybook, every second one is `copied` from there."""

    words: Tensor
    labels: Tensor
    copied: bool


class Stream:
    """The data set as an endless row of batches."""

    def __init__(
        self, dataset: Dataset, config: Config, spec: DataSpec, world: World, device: torch.device
    ):
        self.config, self.spec, self.device = config, spec, device
        self.own = world.share(config.batch_size)
        home = device if _fits(dataset.values, device) else torch.device("cpu")
        self.values = dataset.values.to(home)
        known = self._labels(dataset)
        self.known = None if known is None else known.to(home)
        self.rows, self.held_rows = (r.to(home) for r in split(len(dataset), config))
        self.size = len(self.rows)
        self.total = self.size  # what an epoch has
        self.remarks: list[str] = []  # what whoever trains should know
        self.real_only = [k for k in ("flip", "affine") if getattr(config.data, k)]

    def _labels(self, dataset: Dataset) -> Tensor | None:
        """What the networks are told of each example."""
        return dataset.labels if self.spec.classes else None

    def deal(self, index: int) -> Deal:
        """All that the index-th turn is played with; the generator is asked for the batch's labels."""
        batch = self.batch(index)
        return Deal(*batch, self.latent(index), batch.labels)

    def batch(self, index: int) -> Batch:
        """The index-th batch of the run (this process's share of it)."""
        size = self.config.batch_size
        chosen = order(self.size, self.config.seed, index * size, size)[self.own]
        batch = self.take(torch.from_numpy(chosen))
        if self.real_only:
            batch = batch._replace(real=augment(batch.real, self.real_only, 1.0))
        return batch

    def sheet(self, count: int) -> tuple[Tensor, Tensor | None]:
        """The latents and labels of sample sheets: always the same, each class in turn."""
        generator = torch.Generator().manual_seed(derive_seed(self.config.seed, Draw.SHEET))
        latent = draw_latent(self.config, count, torch.device("cpu"), generator)
        classes = self.spec.class_count
        return latent, torch.arange(count, device=self.device) % classes if classes else None

    def relabelled(self, latent: Tensor, labels: Tensor | None) -> Tensor | None:
        """The labels of real examples, as these latents would have them."""
        return labels

    def recent(self, step: int, count: int) -> Batch:
        """The last `count` examples that the players were shown before `step`, as they are."""
        end = step * self.config.d_steps * self.config.batch_size
        chosen = order(self.size, self.config.seed, max(0, end - count), count)
        return self.take(torch.from_numpy(chosen))

    def held(self, count: int) -> Batch | None:
        """Some of the examples that are kept from training; None where there are none."""
        return self._rows(self.held_rows[:count]) if len(self.held_rows) else None

    @property
    def labels(self) -> Tensor | None:
        """(N,) of the examples that are trained on."""
        return None if self.known is None else self.known[self.rows]

    def latent(self, index: int) -> Tensor:
        """This process's rows of the index-th batch's latents: the same for any number of them.

        Their spread is the configuration's share of that of the latents which samples are made of.
        Trained on a little less, the generator makes a little more variety: averaged weights and
        batch norm's fixed statistics cost some. The truncation trick (Brock et al. 2019) backwards.
        """
        seed = derive_seed(self.config.seed, Draw.LATENT, index)
        generator = torch.Generator(self.device).manual_seed(seed)
        drawn = draw_latent(self.config, self.config.batch_size, self.device, generator)
        return self.config.latent_spread * drawn[self.own]

    def reference(self, count: int) -> Batch:
        """A fixed draw of examples, the same in every call: for sheets and distances."""
        return self.take(self._reference_order(count))

    def reference_of(self, labels: Tensor) -> Batch:
        """A fixed draw with just these labels (N,), in turn where there are too few of one."""
        assert self.labels is not None
        drawn = self._reference_order(self.size)
        known = self.labels.cpu()[drawn]
        rows = {
            k: cycle(drawn[known == k].tolist() or drawn.tolist()) for k in set(labels.tolist())
        }
        return self.take(torch.tensor([next(rows[k]) for k in labels.tolist()]))

    def _reference_order(self, count: int) -> Tensor:
        seed = derive_seed(self.config.seed, Draw.REFERENCE)
        return torch.from_numpy(order(self.size, seed, 0, count))

    def take(self, chosen: Tensor) -> Batch:
        """Of the examples that are trained on, those with these numbers."""
        return self._rows(self.rows[chosen.to(self.rows.device)])

    def _rows(self, rows: Tensor) -> Batch:
        real = to_network(self.values[rows].to(self.device, non_blocking=True), self.spec)
        labels = None if self.known is None else self.known[rows].to(self.device)
        return Batch(real, labels)


def split(count: int, config: Config) -> tuple[Tensor, Tensor]:
    """Which of `count` examples are trained on, and which are kept to see what D knows by heart.

    `held_out` of them, at most `MOST_HELD`; none where that is fewer than `LEAST_HELD`. The same for
    every seed: runs that are compared are then trained on the same examples.
    """
    held = min(MOST_HELD, int(config.held_out * count))
    if held < LEAST_HELD:
        return torch.arange(count), torch.arange(0)
    mixed = torch.from_numpy(order(count, derive_seed(0, Draw.HELD_OUT), 0, count))
    return mixed[held:].sort().values, mixed[:held].sort().values


def to_network(values: Tensor, spec: DataSpec) -> Tensor:
    """uint8 pictures → [-1, 1]; words → ink in [0, 1]; points → standardised."""
    if spec.kind == "pictures":
        return values.float().div_(127.5).sub_(1)
    if spec.kind == "words":
        return values.float().div_(-255).add_(1)
    mean, std = (torch.tensor(x, device=values.device) for x in (spec.mean, spec.std))
    return (values - mean) / std


def _fits(values: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return device.type == "cpu"
    _, total = torch.cuda.mem_get_info(device)
    return values.nbytes < ON_DEVICE_SHARE * total
