"""How well words can be read: a recogniser trained on real ones, its errors, and its features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from gansmith.data import Strip, order
from gansmith.distort import distort
from gansmith.errors import GansmithError
from gansmith.metrics.crnn import CRNN
from gansmith.models.recogniser import read, reading_loss
from gansmith.runtime import Draw, Precision, derive_seed

Say = Callable[[str], None]
# From a step to a batch: words uint8 (n, 1, H, W) and labels (n, 1 + L), of nearly one width.
Batches = Callable[[int], tuple[Tensor, Tensor]]
Words = Tensor | Strip  # uint8 (N, 1, H, W), or a data set's, which are only as wide as they are

HEIGHT = 32
BATCH = 32
POOL = 32  # batches that are cut from one sorted by width
PEAK_LR, WEIGHT_DECAY, RISE, LEAST = 2e-3, 0.01, 300, 0.02
LONGEST = 5.0  # that the gradient may be
SHORTCUT = 0.3  # weight of the second head's loss
EASY, HARDENED = 0.3, 4000  # strength of the distortion at the start; steps until it is full
READ_AT_ONCE = 128
STEP = 16  # pixels that a batch's width is rounded up to


@dataclass(frozen=True)
class Errors:
    """Of each word: edits that bring what was read to the text, and the text's characters."""

    edits: Tensor
    lengths: Tensor

    @property
    def cer(self) -> float:
        """Character error rate: all edits over all characters."""
        return float(self.edits.sum() / self.lengths.sum())

    @property
    def wer(self) -> float:
        """Word error rate: the share of words that were not read as they are."""
        return float((self.edits > 0).double().mean())


@dataclass(frozen=True)
class Referee:
    """A trained recogniser."""

    network: CRNN

    def errors(self, values: Words, labels: Tensor) -> Errors:
        """Of words uint8 (N, 1, H, W) with their labels (N, 1 + L)."""
        texts = self.texts(values, labels[:, 0])
        wanted = [[c for c in row if c] for row in labels[:, 1:].tolist()]
        edits = [edit_distance(a, b) for a, b in zip(texts, wanted, strict=True)]
        return Errors(torch.tensor(edits), (labels[:, 1:] > 0).sum(1))

    def texts(self, values: Words, widths: Tensor) -> list[list[int]]:
        """What it reads, as characters' numbers."""
        found: list[list[int]] = [[] for _ in widths]
        for rows, words, own in _by_width(values, widths):
            log_probabilities, _ = self.network(words, own)
            for row, text in zip(rows.tolist(), read(log_probabilities, own, HEIGHT), strict=True):
                found[row] = text
        return found

    def features(self, values: Words, widths: Tensor) -> Tensor:
        """(N, 256): what it makes of words before it decides on characters."""
        parts = list(_by_width(values, widths))
        made = torch.cat([self.network.features(words, own) for _, words, own in parts])
        result = torch.empty_like(made)
        result[torch.cat([rows for rows, _, _ in parts])] = made
        return result


def train_referee(
    batches: Batches,
    characters: int,
    *,
    steps: int,
    seed: int = 0,
    precision: Precision | None = None,
    say: Say | None = None,
) -> Referee:
    """Train on `batches`; on one processor and thread count, a function of the arguments alone.

    CTC, AdamW under a cosine (Loshchilov & Hutter 2019), words distorted more and more.
    """
    precision = precision or Precision("fp32", torch.device("cpu"))
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.default_generator.manual_seed(derive_seed(seed, Draw.REFEREE))
        network = CRNN(characters).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(
            network.parameters(), PEAK_LR, weight_decay=WEIGHT_DECAY, fused=True
        )
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = PEAK_LR * rate(step, steps)
            values, labels = batches(step)
            widths = labels[:, 0]
            words = distort(to_ink(values), widths, min(1.0, EASY + step / HARDENED))
            with precision.autocast():
                heads = network(words, widths)
            losses = [reading_loss(head, labels, HEIGHT) for head in heads]
            optimizer.zero_grad()
            (losses[0] + SHORTCUT * losses[1]).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(network.parameters(), LONGEST)
            optimizer.step()
            if say and (step + 1) % max(1, steps // 10) == 0:
                say(f"training a recogniser: step {step + 1:,} of {steps:,}, loss {losses[0]:.2f}")
    if not all(bool(t.isfinite().all()) for t in network.state_dict().values()):
        raise GansmithError("the recogniser's training gave numbers that are not finite")
    return Referee(network.eval().requires_grad_(False))


def batches_of(values: Words, labels: Tensor, seed: int, size: int = BATCH) -> Batches:
    """Words uint8 (N, 1, H, W) and labels (N, 1 + L) in batches of nearly one width, for ever.

    Every word comes once before any comes again; which come together is a function of the seed.
    """
    widths = labels[:, 0]

    @lru_cache(maxsize=2)
    def pool(number: int) -> list[Tensor]:
        rows = torch.from_numpy(order(len(values), seed, number * POOL * size, POOL * size))
        batches = torch.split(rows[widths[rows].argsort(stable=True)], size)
        generator = torch.Generator().manual_seed(derive_seed(seed, number))
        return [batches[i] for i in torch.randperm(POOL, generator=generator).tolist()]

    def batch(step: int) -> tuple[Tensor, Tensor]:
        number, place = divmod(step, POOL)
        rows = pool(number)[place]
        return _as_wide(values[rows], widths[rows]), labels[rows]

    return batch


def rate(step: int, steps: int) -> float:
    """Of the peak learning rate: up over the first steps, then along a cosine."""
    falling = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, (step + 1) / RISE) * (LEAST + (1 - LEAST) * falling)


def to_ink(values: Tensor) -> Tensor:
    """uint8, dark on white → ink in [0, 1]."""
    return values.float().div_(-255).add_(1)


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """The least insertions, deletions and replacements from one to the other (Levenshtein 1966)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


def _by_width(values: Words, widths: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """All words, those of nearly one width together: their numbers, ink (n, 1, H, W), widths."""
    for rows in torch.split(widths.argsort(stable=True), READ_AT_ONCE):
        own = widths[rows]
        yield rows, to_ink(_as_wide(values[rows], own)), own


def _as_wide(values: Tensor, widths: Tensor) -> Tensor:
    """Words as wide as the widest of them asks, in steps, so that few shapes are in use."""
    width = -(-int(widths.max()) // STEP) * STEP
    cut = values[..., :width]
    return nn.functional.pad(cut, (0, width - cut.shape[3]), value=255)
