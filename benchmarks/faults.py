"""What can go wrong in a GAN, on purpose: each fault, how to make it, and what it should be called.

`stability` trains with each of them, to calibrate and to test the verdicts of `gansmith.health`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from gansmith import objectives
from gansmith.data import Dataset
from gansmith.loop import Session
from gansmith.losses import Targets

Injection = Callable[[Session], None]


@dataclass(frozen=True)
class Fault:
    """`changes` of the configuration, another form of the `data`, or an `injection` while training.

    An injection `late` happens at a random step in the middle of a run, otherwise before the first.
    `called` are the verdicts that name it rightly. `recoverable`: whether a remedy can be expected
    to end where a clean run does; the data can't be mended by the trainer.
    """

    called: tuple[str, ...]
    changes: Mapping[str, Any] = field(default_factory=dict)
    data: Callable[[Dataset], Dataset] | None = None
    injection: Injection | None = None
    late: bool = False
    recoverable: bool = True


def identical(data: Dataset) -> Dataset:
    return replace(data, values=data.values[:1].expand_as(data.values).contiguous())


def few(data: Dataset) -> Dataset:
    labels = None if data.labels is None else data.labels[:20]
    return replace(data, values=data.values[:20], labels=labels)


def one_class(session: Session) -> None:
    """Only examples of the first class come any more."""
    stream = session.stream
    assert stream.known is not None
    kept = stream.rows[stream.known[stream.rows] == 0]
    stream.rows = kept[torch.arange(stream.size) % len(kept)]


def _spoil_batches(session: Session, spoil: Callable[[Tensor], Tensor]) -> None:
    take = session.stream._rows

    def spoilt(rows: Tensor) -> Any:
        batch = take(rows)
        return batch._replace(real=spoil(batch.real))

    session.stream._rows = spoilt  # type: ignore[method-assign]


def wrong_range(session: Session) -> None:
    """Pictures in 0…255, as of a forgotten normalisation."""
    _spoil_batches(session, lambda real: (real + 1) * 127.5)


def spoil_data(value: float) -> Injection:
    """From now on one number of every batch is `value`."""

    def spoil(real: Tensor) -> Tensor:
        real.view(-1)[0] = value
        return real

    return lambda session: _spoil_batches(session, spoil)


def spoil_loss(value: float) -> Injection:
    """One step's logits are `value`, as of an overflow, and so is its loss."""

    def inject(session: Session) -> None:
        def once(module: nn.Module, _: Any, logits: Tensor) -> Tensor:
            handle.remove()
            return logits * value

        handle = session.players.discriminator.register_forward_hook(once)

    return inject


def spoil_gradient(value: float) -> Injection:
    """One weight's gradient is `value`, once."""

    def inject(session: Session) -> None:
        weight = next(session.players.generator.parameters())

        def once(gradient: Tensor) -> Tensor:
            handle.remove()
            return gradient * value

        handle = weight.register_hook(once)  # type: ignore[no-untyped-call]

    return inject


def spoil_weight(value: float) -> Injection:
    """One weight of the discriminator becomes `value`."""

    def inject(session: Session) -> None:
        with torch.no_grad():
            next(session.players.discriminator.parameters()).flatten()[0] = value

    return inject


def zero_layer(network: str, which: int) -> Injection:
    """All weights of one layer become 0, and Adam forgets them, as of a file read wrongly."""

    def inject(session: Session) -> None:
        kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
        layers = [m for m in getattr(session.players, network).modules() if isinstance(m, kinds)]
        with torch.no_grad():
            for parameter in layers[which].parameters():
                parameter.zero_()

    return inject


def freeze_generator(session: Session) -> None:
    """Its optimiser no longer steps, as of weights that were left out of it."""
    session.players.g_optimizer.step = lambda *_: None  # type: ignore[method-assign, assignment]


def flip_labels(session: Session) -> None:
    """The discriminator is told that real is fake and fake is real (`honest` undoes it)."""

    def flipped(real: Tensor, fake: Tensor) -> Targets:
        return Targets(torch.zeros_like(real), torch.ones_like(fake))

    objectives.hard_targets = flipped  # type: ignore[attr-defined]


def leak(session: Session) -> None:
    """Only real pictures are augmented, so the generator learns to make augmented ones."""
    session.stream.real_only = ["brightness", "cutout"]


def rates(g: float, d: float) -> Mapping[str, Any]:
    """Of `dcgan-32`, times these."""
    return {"lr": min(1.0, 4e-4 * g), "d_lr": min(1.0, 4e-4 * d)}


D_WINS, G_WINS = "discriminator overpowering", "generator overpowering"
COLLAPSE, OSCILLATING = "mode collapse", "oscillating"
MEMORISING, STUCK = "discriminator memorising", "generator stuck"
EXPLODING, NAN = "exploding", "not a number"
DATA, LEAK = "data problem", "augmentation leak"
LOST, TINY, UNEQUAL = "weights lost", "batch too small", "players unequal"
RATES = (D_WINS, G_WINS, COLLAPSE, OSCILLATING, STUCK, EXPLODING)  # any of them may come first

FAULTS: dict[str, Fault] = {
    "none": Fault(()),
    "rate of D x50": Fault(RATES, rates(1, 50)),
    "rate of G x50": Fault(RATES, rates(50, 1)),
    "both rates x50": Fault(RATES, rates(50, 50)),
    "no norm or penalty": Fault(
        (D_WINS, COLLAPSE, STUCK, OSCILLATING), {"norm": "none", "r1": 0.0}
    ),
    "batch of 2": Fault((TINY,), {"batch_size": 2}, recoverable=False),
    "D ten times wider": Fault((D_WINS, UNEQUAL), {"discriminator_filters": 160, "r1": 0.0}),
    "G frozen": Fault((STUCK, D_WINS), injection=freeze_generator, late=True),
    "labels flipped": Fault((DATA, G_WINS), injection=flip_labels, recoverable=False),
    "range 0 to 255": Fault((DATA,), injection=wrong_range, recoverable=False),
    "identical pictures": Fault((DATA,), data=identical, recoverable=False),
    "20 pictures": Fault((MEMORISING, DATA), data=few, recoverable=False),
    "one class only": Fault((DATA,), injection=one_class, late=True, recoverable=False),
    "nan in data": Fault((NAN,), injection=spoil_data(torch.nan), late=True, recoverable=False),
    "inf in data": Fault((NAN,), injection=spoil_data(torch.inf), late=True, recoverable=False),
    "nan in loss": Fault((NAN,), injection=spoil_loss(torch.nan), late=True),
    "inf in loss": Fault((NAN,), injection=spoil_loss(torch.inf), late=True),
    "nan in gradient": Fault((NAN,), injection=spoil_gradient(torch.nan), late=True),
    "inf in gradient": Fault((NAN,), injection=spoil_gradient(torch.inf), late=True),
    "nan in weights": Fault((NAN,), injection=spoil_weight(torch.nan), late=True),
    "layer of D zeroed": Fault((LOST,), injection=zero_layer("discriminator", -1), late=True),
    "layer of G zeroed": Fault((LOST,), injection=zero_layer("generator", 1), late=True),
    "augmentation leak": Fault((LEAK,), injection=leak, recoverable=False),
    "Keras book: latent of 1": Fault(
        (COLLAPSE,), {"recipe": "dcgan-keras", "latent_size": 1}, recoverable=False
    ),
    "Keras book: unstable": Fault(
        (TINY, D_WINS, COLLAPSE, EXPLODING),
        {"recipe": "dcgan-keras", "batch_size": 4, "lr": 5e-3, "dropout": 0.0},
    ),
}
