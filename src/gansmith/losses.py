"""Adversarial losses and penalties: plain functions of tensors.

A loss of the game is a pair of functions. The discriminator's takes the logits of real and of fake
examples, the generator's the logits of fake (and real, for the relativistic one); all are shaped
(N,) and the result is a scalar. `targets` are the labels the discriminator is told: 1 for real and
0 for fake, unless smoothed or flipped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.world import uniform


class Targets(NamedTuple):
    """What the discriminator is told of each example, shaped (N,), 1 for real."""

    real: Tensor
    fake: Tensor


def hard_targets(real: Tensor, fake: Tensor) -> Targets:
    return Targets(torch.ones_like(real), torch.zeros_like(fake))


def soft_targets(real: Tensor, fake: Tensor, smoothing: float, noise: float) -> Targets:
    """One-sided label smoothing (Salimans et al. 2016, §3.4) and labels flipped with odds `noise`.

    Smoothing lowers only the real label: smoothing the fake one as well would put a pull towards
    the generator's own mistakes into the optimal discriminator.
    """
    targets = hard_targets(real, fake)
    swap_real, swap_fake = (uniform(len(t), like=t) < noise for t in targets)
    soft_real = targets.real * (1 - smoothing)
    return Targets(
        torch.where(swap_real, 1 - targets.real, soft_real),
        torch.where(swap_fake, 1 - smoothing - targets.fake, targets.fake),
    )


def cross_entropy_d(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """-E log D(x) - E log(1 - D(G(z))) (Goodfellow et al. 2014, eq. 1)."""
    bce = F.binary_cross_entropy_with_logits
    return bce(real, targets.real) + bce(fake, targets.fake)


def non_saturating_g(fake: Tensor, real: Tensor) -> Tensor:
    """-E log D(G(z)) (Goodfellow et al. 2014, §3)."""
    return F.softplus(-fake).mean()


def saturating_g(fake: Tensor, real: Tensor) -> Tensor:
    """E log(1 - D(G(z))) (Goodfellow et al. 2014, eq. 1): flat where the generator is losing."""
    return -F.softplus(fake).mean()


def least_squares_d(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """½ E (D(x) - 1)² + ½ E D(G(z))² (Mao et al. 2017, eq. 9, a = 0, b = c = 1)."""
    return 0.5 * (F.mse_loss(real, targets.real) + F.mse_loss(fake, targets.fake))


def least_squares_g(fake: Tensor, real: Tensor) -> Tensor:
    """½ E (D(G(z)) - 1)² (Mao et al. 2017, eq. 9)."""
    return 0.5 * (fake - 1).square().mean()


def hinge_d(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))) (Lim & Ye 2017); targets give the sides."""
    return (
        F.relu(1 - _side(targets.real) * real).mean()
        + F.relu(1 - _side(targets.fake) * fake).mean()
    )


def critic_d(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """E D(G(z)) - E D(x) (Arjovsky et al. 2017, eq. 3); targets give the sides."""
    return -(_side(targets.fake) * fake).mean() - (_side(targets.real) * real).mean()


def critic_g(fake: Tensor, real: Tensor) -> Tensor:
    """-E D(G(z)); the generator's part of both hinge and Wasserstein."""
    return -fake.mean()


def relativistic_d(real: Tensor, fake: Tensor, targets: Targets) -> Tensor:
    """E f(-(D(x) - D(G(z)))), f = softplus (R3GAN, Huang et al. 2024, eq. 2)."""
    return F.softplus(fake - real).mean()


def relativistic_g(fake: Tensor, real: Tensor) -> Tensor:
    """E f(-(D(G(z)) - D(x))) (R3GAN, Huang et al. 2024, eq. 2)."""
    return F.softplus(real - fake).mean()


class Game(NamedTuple):
    """The two players' losses, and whether the generator's needs the real logits too."""

    discriminator: Callable[[Tensor, Tensor, Targets], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    needs_real: bool = False


GAMES: dict[str, Game] = {
    "non-saturating": Game(cross_entropy_d, non_saturating_g),
    "saturating": Game(cross_entropy_d, saturating_g),
    "least-squares": Game(least_squares_d, least_squares_g),
    "hinge": Game(hinge_d, critic_g),
    "wasserstein": Game(critic_d, critic_g),
    "relativistic": Game(relativistic_d, relativistic_g, needs_real=True),
}


def zero_centred_penalty(logits: Tensor, inputs: Tensor) -> Tensor:
    """½ E ‖∇D(x)‖² over the batch: R1 on real inputs, R2 on fakes (Mescheder et al. 2018, eq. 9).

    `inputs` (N, …) must require grad and have produced `logits` (N,).
    """
    (gradient,) = torch.autograd.grad(logits.float().sum(), inputs, create_graph=True)
    return 0.5 * gradient.float().flatten(1).square().sum(1).mean()


def gradient_penalty(
    discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None = None
) -> Tensor:
    """E (‖∇D(x̂)‖₂ - 1)², x̂ on the line from real to fake (Gulrajani et al. 2017, eq. 3)."""
    share = uniform(len(real), *[1] * (real.dim() - 1), like=real)
    between = (share * real + (1 - share) * fake).detach().requires_grad_()
    logits = discriminator(between, labels)
    (gradient,) = torch.autograd.grad(logits.float().sum(), between, create_graph=True)
    # The square root has no derivative at zero: a dead discriminator would give NaN.
    norm = gradient.float().flatten(1).square().sum(1).add(1e-12).sqrt()
    return (norm - 1).square().mean()


def _side(target: Tensor) -> Tensor:
    """0…1 → -1…1."""
    return 2 * target - 1
