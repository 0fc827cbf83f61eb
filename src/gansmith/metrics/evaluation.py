"""A generator's examples beside real ones: every figure with its floor and its protocol."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from gansmith.data import Dataset
from gansmith.errors import GansmithError
from gansmith.generate import Model, Samples
from gansmith.metrics import distances
from gansmith.metrics.distances import Estimate
from gansmith.metrics.features import Embedding, FeatureSpace
from gansmith.metrics.memorisation import Memorisation, audit
from gansmith.metrics.protocol import Balance, Evaluation, Figure, Protocol
from gansmith.runtime import Draw, derive_seed

LEAST = 16  # examples on each side, below which no figure means anything
NEIGHBOURS_MOST = 10_000  # examples a side for the figures that compare all with all
PIXELS_MOST = 5_000  # for memorisation's generated examples
CLOSEST = 20  # pairs to look at


@dataclass(frozen=True)
class Points:
    """The space of points: themselves."""

    name: str = "values"
    weights: str = "none"
    resize: str = "none"

    def embed(self, points: Tensor) -> Embedding:
        return Embedding(points.float().cpu(), None)


Space = FeatureSpace | Points


@dataclass(frozen=True)
class Sides:
    """Row numbers of real examples: `held` plays the generator for the floor, `reference` judges."""

    held: Tensor
    reference: Tensor


def split(total: int, made: int, seed: int) -> Sides:
    """Draw as many held examples as are generated; the rest is the reference.

    The floor is then the same metric at the same counts between two disjoint sets of real examples.
    """
    if min(made, total // 2) < LEAST:
        raise GansmithError(
            f"expected at least {LEAST} generated and {2 * LEAST} real examples to measure by, found "
            f"{made:,} and {total:,}"
        )
    generator = torch.Generator().manual_seed(derive_seed(seed, Draw.REFERENCE))
    drawn = torch.randperm(total, generator=generator)
    return Sides(drawn[:made], drawn[made:])


def evaluate(
    model: Model,
    real: Dataset,
    space: Space,
    *,
    run: str,
    n: int = 10_000,
    seed: int = 0,
    infinity: bool = False,
    classes: tuple[str, ...] | None = None,
) -> Evaluation:
    """Measure `n` generated examples (at most half as many as there are real ones) against `real`.

    Conditional generators make every class in its real share. `classes` are what the space's
    network tells apart: those of `real` if None. Raises GansmithError where there are too few
    examples to measure.
    """
    n = min(n, len(real) // 2)
    sides = split(len(real), n, seed)
    samples = model.generate(n, seed=seed, labels=_labels_of(real, sides.held, model))
    made, embedded = space.embed(as_tensor(samples)), space.embed(real.values)
    if not embedded.features.isfinite().all():
        raise GansmithError(
            f"space: {space.name} makes numbers that are not finite of {real.name}; use another"
        )
    if not made.features.isfinite().all():
        raise GansmithError(f"{run}: the generator makes numbers that are not finite: train anew")
    held, reference = (_rows(embedded, rows) for rows in (sides.held, sides.reference))
    figures, floors = (measure(e, reference, infinity=infinity) for e in (made, held))
    read = _classes(real) if classes is None else classes
    if samples.labels is not None and model.spec.classes == read and _tells(made, read):
        figures["agreement"] = _agreement(made, torch.from_numpy(samples.labels))
        if real.labels is not None and _classes(real) == read:
            floors["agreement"] = _agreement(held, real.labels[sides.held])
    return Evaluation(
        run=run,
        step=model.step,
        protocol=Protocol(
            space=space.name,
            weights=space.weights,
            resize=space.resize,
            reference=real.name,
            size=_size(real),
            digest=real.digest,
            real=len(sides.reference),
            made=n,
            seed=seed,
        ),
        figures={
            name: Figure(
                value=e.value, error=e.error, floor=floors[name].value if name in floors else None
            )
            for name, e in figures.items()
        },
        balance=_balance(made, embedded, samples, real, sides) if read == _classes(real) else None,
    )


def measure(
    examples: Embedding, reference: Embedding, *, infinity: bool = False
) -> dict[str, Estimate]:
    """Every figure that two sets of features give, by the names of `protocol.FIGURES`."""
    a, b = examples.features, reference.features
    near_a, near_b = a[:NEIGHBOURS_MOST], b[:NEIGHBOURS_MOST]
    pr = distances.precision_recall(near_b, near_a)
    dc = distances.density_coverage(near_b, near_a)
    few = min(len(a), len(b))
    figures = {
        "fid": Estimate(distances.fid(a, b), None),
        "kid": distances.kid(a, b),
        "precision": Estimate(pr.precision, None),
        "recall": Estimate(pr.recall, None),
        "density": Estimate(dc.density, None),
        "coverage": Estimate(dc.coverage, None),
        "sliced_wasserstein": Estimate(distances.sliced_wasserstein(a[:few], b[:few]), None),
    }
    if infinity:
        found = distances.fid_infinity(b, a)
        figures["fid_infinity"] = Estimate(found.value, found.error)
    if examples.probabilities is not None:
        figures["inception_score"] = distances.inception_score(examples.probabilities)
    return figures


def memorised(
    model: Model,
    train: Dataset,
    held_out: Tensor | None,
    space: Space,
    *,
    n: int = PIXELS_MOST,
    seed: int = 0,
) -> tuple[Memorisation, Tensor]:
    """Audit `n` generated examples against the pictures that the generator was trained on.

    Classes are asked for in their shares among those: a rare class made often would lie nearer to
    them, or farther off, than fresh real examples do. `held_out` are real pictures (L, C, H, W) that
    it never saw; without any, every training example is compared with the others. Returns the
    audit, and the generated pictures it speaks of.
    """
    generator = torch.Generator().manual_seed(derive_seed(seed, Draw.REFERENCE, 1))
    drawn = torch.randint(len(train), (n,), generator=generator)
    samples = model.generate(n, seed=seed, labels=_labels_of(train, drawn, model))
    pictures = as_tensor(samples)
    classes = None if samples.labels is None else torch.from_numpy(samples.labels)
    known, made = space.embed(train.values).features, space.embed(pictures).features
    unseen = None if held_out is None else space.embed(held_out).features
    return audit(known, unseen, made, closest=CLOSEST, classes=classes), pictures


def as_tensor(samples: Samples) -> Tensor:
    """Pictures uint8 (N, C, H, W); points float32 (N, D)."""
    made = torch.from_numpy(samples.images)
    return made.permute(0, 3, 1, 2).contiguous() if made.dim() == 4 else made


def memorisation_record(found: Memorisation, doubt: str = "") -> dict[str, Any]:
    """What of an audit is kept beside the figures, as JSON has it: infinity is null there.

    `doubt` is what else the verdict should say.
    """
    pairs = [_finite(asdict(pair)) for pair in found.closest]
    verdict = " ".join(filter(None, (found.verdict, doubt)))
    record = {**asdict(found), "ratio": found.ratio, "verdict": verdict}
    return {**_finite(record), "closest": pairs}


def doubt_of(model: Model, trained_on: Dataset) -> str:
    """What to say where copies are sought among other examples than the generator learnt from."""
    if model.digest in (None, trained_on.digest):
        return ""
    return (
        f"These are not the examples it was trained on ({trained_on.name} has other content now, or is "
        "decoded otherwise): copies of those would not show."
    )


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    infinite = {k for k, v in values.items() if isinstance(v, float) and not math.isfinite(v)}
    return {key: None if key in infinite else value for key, value in values.items()}


def _size(real: Dataset) -> str:
    """Pictures' ``28x28``, points' ``2``."""
    return "x".join(map(str, reversed(real.values.shape[1:][-2:])))


def _labels_of(real: Dataset, rows: Tensor, model: Model) -> list[str] | None:
    """The labels to ask for: those of these real examples, so that classes weigh the same."""
    names = model.spec.classes
    if not names:
        return None
    if real.labels is None or _classes(real) != names:
        return [names[i % len(names)] for i in range(len(rows))]
    return [names[label] for label in real.labels[rows].tolist()]


def _classes(real: Dataset) -> tuple[str, ...]:
    return tuple(real.classes or ())


def _tells(embedding: Embedding, classes: tuple[str, ...]) -> bool:
    """Whether it holds a probability for each of these classes, and for no others."""
    known = embedding.probabilities
    return known is not None and known.shape[1] == len(classes)


def _rows(embedding: Embedding, rows: Tensor) -> Embedding:
    known = embedding.probabilities
    return Embedding(embedding.features[rows], None if known is None else known[rows])


def _agreement(embedding: Embedding, asked: Tensor) -> Estimate:
    """The share that the network reads as the class (N,) that was asked for."""
    assert embedding.probabilities is not None
    return Estimate(float((embedding.probabilities.argmax(1) == asked).double().mean()), None)


def _balance(
    made: Embedding, embedded: Embedding, samples: Samples, real: Dataset, sides: Sides
) -> Balance | None:
    """As the classifier reads them; within a class, the FID of what was asked for."""
    classes = _classes(real)
    if made.probabilities is None or real.labels is None or not _tells(made, classes):
        return None
    read, labels = made.probabilities.argmax(1), real.labels[sides.reference]
    found = distances.class_balance(read, labels, len(classes))
    known = samples.labels is not None and samples.classes == classes
    asked = torch.from_numpy(samples.labels) if known else read
    held, reference = (embedded.features[rows] for rows in (sides.held, sides.reference))
    within, floor = (
        distances.per_class_fid(reference, labels, features, of, len(classes))
        for features, of in ((made.features, asked), (held, real.labels[sides.held]))
    )
    return Balance(
        classes=classes,
        shares=tuple(found.shares),
        real_shares=tuple(found.real_shares),
        entropy=found.entropy,
        real_entropy=found.real_entropy,
        distance=found.distance,
        fid=tuple(within),
        fid_floor=tuple(floor),
    )
