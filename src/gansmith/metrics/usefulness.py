"""What synthetic data are worth to a classifier that is tested on real data.

The question is not whether synthetic data help a classifier that has nothing else, but whether it
gets better than with what costs nothing: the real data at hand, with plain augmentation. So every
classifier is trained with and without them, for equally many steps, from several seeds, and a gain
is claimed only where the seeds and the test set leave no doubt of its sign.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from gansmith.data import order
from gansmith.errors import GansmithError
from gansmith.metrics.classifier import Batches, Say, batches_of, check_labelled, fit, train
from gansmith.metrics.gain import (
    ALONE,
    AUGMENTED,
    REAL,
    WITH,
    WITH_AUGMENTED,
    Arm,
    Verdict,
    Worth,
    verdict_on,
)
from gansmith.runtime import Draw, derive_seed

__all__ = [
    "ALONE",
    "AUGMENTED",
    "REAL",
    "WITH",
    "WITH_AUGMENTED",
    "Arm",
    "Verdict",
    "Worth",
    "balanced_order",
    "cas",
    "worth",
]

Labelled = tuple[Tensor, Tensor]  # pictures uint8 (N, C, H, W) and their labels int64 (N,)

SIZES: tuple[int | None, ...] = (100, 300, 1000, None)
STEPS, BATCH = 400, 64


def worth(
    real: Labelled,
    test: Labelled,
    synthetic: Labelled,
    classes: int,
    *,
    sizes: Iterable[int | None] = SIZES,
    seeds: int = 3,
    steps: int | None = None,
    batch_size: int = BATCH,
    seed: int = 0,
    augment: tuple[str, ...] | None = None,
    device: str | torch.device = "cpu",
    say: Say | None = None,
) -> Worth:
    """Train classifiers with and without synthetic data, and test them on real data.

    Args:
        real, test, synthetic: pictures uint8 (N, C, H, W), and their labels int64 (N,). `test` must
            be unknown to the generator too.
        classes: how many classes there are.
        sizes: how many real pictures to learn from, classes balanced; None for all. Smaller ones
            are part of larger ones; those larger than `real` are left out.
        seeds: how many classifiers an arm, at least 2; each learns from another part of `real`.
        steps: batches that each classifier is trained; `STEPS` if None. Too few to see all of
            `real` once, and synthetic pictures only take the place of real ones at that size.
        batch_size: pictures a batch; with synthetic data half of them are.
        seed: of it all.
        augment: the plain augmentation; by default small turns and shifts, and flips for colour.
        device: where to train.
        say: is told each result.
    """
    _check(real, test, synthetic, classes, seeds)
    kinds = augment if augment is not None else _plain(real[0])
    trial = _Trial(classes, steps or STEPS, batch_size, seed, str(device), test, say)
    made, count = _Part(*synthetic), len(real[0])
    used = sizes_of(sizes, count)
    by_class = [balanced_order(real[1], trial.seed_of(s)) for s in range(seeds)]
    results: dict[tuple[str, int], Tensor] = {}
    for size in used:
        known = [_Part(*real, places[:size]) for places in by_class]
        for name, half, chosen in (
            (REAL, None, ()),
            (AUGMENTED, None, kinds),
            (WITH, made, ()),
            (WITH_AUGMENTED, made, kinds),
        ):
            results[name, size] = trial.run(name, size, known, half, chosen)
    if count not in used:
        results[REAL, count] = trial.run(REAL, count, [_Part(*real)] * seeds)
    results[ALONE, 0] = trial.run(ALONE, 0, [made] * seeds)
    arms = {key: Arm(*key, tuple(right.mean(1).tolist())) for key, right in results.items()}
    return Worth(
        arms=tuple(arms.values()),
        verdicts=tuple(verdict_on(size, results) for size in used),
        real=count,
        synthetic=len(synthetic[0]),
        test=len(test[0]),
        seeds=seeds,
        steps=trial.steps,
        batch_size=batch_size,
        seed=seed,
        augmentation=kinds,
    )


def cas(
    synthetic: Tensor,
    labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    classes: int,
    *,
    steps: int = STEPS,
    batch_size: int = BATCH,
    seed: int = 0,
) -> float:
    """Classification accuracy score: learn from synthetic, test on real (Ravuri & Vinyals 2019)."""
    check_labelled(test, test_labels, classes)
    trained = fit(synthetic, labels, classes, steps=steps, batch_size=batch_size, seed=seed)
    return trained.accuracy(test, test_labels)


def balanced_order(labels: Tensor, seed: int) -> Tensor:
    """int64 (N,): all places, such that the first n hold every class equally often for any n.

    As nearly as whole numbers and the classes' sizes allow. Within a class, `seed` decides.
    """
    shuffled = torch.from_numpy(order(len(labels), seed, 0, len(labels)))
    shuffled = shuffled[labels[shuffled].argsort(stable=True)]
    counts = labels.bincount()
    turns = torch.cat([torch.arange(int(count)) for count in counts])  # 0, 1, … in each class
    return shuffled[turns.argsort(stable=True)]


@dataclass(frozen=True)
class _Part:
    """Pictures with labels, or those at `places` of them."""

    pictures: Tensor
    labels: Tensor
    places: Tensor | None = None

    def batches(self, batch_size: int, seed: int) -> Batches:
        return batches_of(self.pictures, self.labels, batch_size, seed, self.places)


@dataclass(frozen=True)
class _Trial:
    """How every classifier is trained and tested."""

    classes: int
    steps: int
    batch_size: int
    seed: int
    device: str
    test: Labelled
    say: Say | None

    def seed_of(self, number: int) -> int:
        return derive_seed(self.seed, Draw.USEFULNESS, number)

    def run(
        self,
        name: str,
        size: int,
        known: list[_Part],
        half: _Part | None = None,
        augment: tuple[str, ...] = (),
    ) -> Tensor:
        """float (S, T): where the classifier that learned from `known` and `half` is right."""
        rows = [
            self._right(data, half, augment, self.seed_of(number))
            for number, data in enumerate(known)
        ]
        right = torch.stack(rows).double()
        if self.say:
            on = f"{name}, {size:,} real" if size else name
            self.say(f"{on}: {Arm(name, size, tuple(right.mean(1).tolist()))}")
        return right

    def _right(
        self, data: _Part, half: _Part | None, augment: tuple[str, ...], seed: int
    ) -> Tensor:
        """bool (T,), of one classifier."""
        trained = train(
            self._batches(data, half, seed),
            int(data.pictures.shape[1]),
            self.classes,
            steps=self.steps,
            seed=seed,
            augment=augment,
            device=self.device,
        )
        return trained.predict(self.test[0]) == self.test[1]

    def _batches(self, data: _Part, half: _Part | None, seed: int) -> Batches:
        if half is None:
            return data.batches(self.batch_size, seed)
        own = data.batches(self.batch_size - self.batch_size // 2, seed)
        other = half.batches(self.batch_size // 2, derive_seed(seed, 1))

        def mixed(step: int) -> tuple[Tensor, Tensor]:
            (a, b), (c, d) = own(step), other(step)
            return torch.cat([a, c]), torch.cat([b, d])

        return mixed


def sizes_of(sizes: Iterable[int | None], count: int) -> list[int]:
    """Those of `sizes` that `count` real examples allow, None for all of them, in order."""
    wanted = {count if size is None else size for size in sizes}
    used = sorted(size for size in wanted if 0 < size <= count)
    if not used:
        raise GansmithError(
            f"sizes: expected numbers from 1 to {count:,} (the real examples), or none for all, "
            f"but found {', '.join(map(str, sorted(wanted))) or 'nothing'}"
        )
    return used


def _plain(pictures: Tensor) -> tuple[str, ...]:
    return ("affine",) if pictures.shape[1] == 1 else ("flip", "affine")


def _check(real: Labelled, test: Labelled, synthetic: Labelled, classes: int, seeds: int) -> None:
    for pictures, labels in (real, test, synthetic):
        check_labelled(pictures, labels, classes)
    shapes = [tuple(pictures.shape[1:]) for pictures, _ in (real, test, synthetic)]
    if len(set(shapes)) > 1:
        raise GansmithError(
            "expected real, test and synthetic pictures of one shape, but found "
            f"{shapes[0]}, {shapes[1]} and {shapes[2]}; prepare them alike"
        )
    if seeds < 2:
        raise GansmithError(f"seeds: expected at least 2, to tell gain from luck, found {seeds}")
