"""Networks and a batch in, a dictionary of losses out. Nothing here steps or calls backward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.ada import Odds
from gansmith.augment import augment
from gansmith.config import Config
from gansmith.losses import (
    GAMES,
    Targets,
    gradient_penalty,
    hard_targets,
    soft_targets,
    zero_centred_penalty,
)
from gansmith.world import here, normal


def discriminator_losses(
    discriminator: nn.Module,
    real: Tensor,
    labels: Tensor | None,
    fake: Tensor,
    config: Config,
    images_seen: int,
    penalise: bool,
    odds: Odds | None = None,
) -> dict[str, Tensor]:
    """What the discriminator minimises, as ``total``, and the figures that go with it.

    `real` and `fake` (N, …) share `labels` (N,); `fake` carries no gradient. With lazy penalties
    (`penalty_every` = k, Karras et al. 2020, appendix B) `penalise` is true on every k-th step and
    the penalty counts k-fold there.

    ``told`` is the share of pairs of a real and a fake example that the discriminator tells apart:
    unlike ``right_real`` and ``right_fake`` it means the same in every game.
    """
    # Detached, both: the penalties' requires_grad_ must not reach the caller's tensors.
    real, fake = (disguise(x.detach(), config, images_seen, odds) for x in (real, fake))
    real.requires_grad_(penalise and config.r1 > 0)
    fake.requires_grad_(penalise and config.r2 > 0)
    real_logits, wrong_logits, fake_logits = _logits(discriminator, real, fake, labels, config)
    targets = _targets(real_logits, fake_logits, config)
    adversarial = GAMES[config.loss].discriminator(real_logits, fake_logits, targets)
    total = adversarial
    if wrong_logits is not None:
        total = total + mismatch_weight(config, images_seen) * F.softplus(wrong_logits).mean()
    if penalise:
        total = total + config.penalty_every * _penalties(
            discriminator, real, fake, real_logits, fake_logits, labels, config
        )
    return {"total": total, "loss_d": adversarial.detach(), **figures_of(real_logits, fake_logits)}


def figures_of(real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
    """What the logits of a turn tell, beside its loss."""
    on_real, on_fake = real_logits.detach(), fake_logits.detach()
    return {
        "d_real": on_real.sigmoid().mean(),
        "d_fake": on_fake.sigmoid().mean(),
        "logit_real": on_real.mean(),
        "logit_fake": on_fake.mean(),
        "right_real": (on_real > 0).float().mean(),
        "right_fake": (on_fake < 0).float().mean(),
        "told": (on_real > on_fake).float().mean(),
        "real_sign": on_real.sign().mean(),
    }


def generator_losses(
    discriminator: nn.Module,
    real: Tensor,
    labels: Tensor | None,
    fake: Tensor,
    config: Config,
    images_seen: int,
    odds: Odds | None = None,
) -> dict[str, Tensor]:
    """What the generator minimises, as ``total``; `fake` carries the gradient."""
    game = GAMES[config.loss]
    fake_logits = discriminator(disguise(fake, config, images_seen, odds), labels).float()
    real_logits = fake_logits
    if game.needs_real:
        with torch.no_grad():
            real_logits = discriminator(disguise(real, config, images_seen, odds), labels).float()
    total = game.generator(fake_logits, real_logits)
    # After the discriminator's step and before the generator's: the tutorial's second D(G(z)).
    after = fake_logits.detach().sigmoid().mean()
    return {"total": total, "loss_g": total.detach(), "d_fake_after": after}


def disguise(x: Tensor, config: Config, images_seen: int, odds: Odds | None = None) -> Tensor:
    """What the discriminator is shown of `x`, real or fake: augmented, then noised."""
    if config.augment:
        x = augment(x, config.augment, odds.p if odds else config.augment_p)
    sd = noise_level(config, images_seen)
    return x + sd * normal(x) if sd > 0 else x


def mismatch_weight(config: Config, images_seen: int) -> float:
    """How much real examples under wrong classes count: most while the classes are being learnt."""
    if not config.mismatch_kimg:
        return config.mismatch
    return config.mismatch * float(0.5 ** (images_seen / (1000 * config.mismatch_kimg)))


def noise_level(config: Config, images_seen: int) -> float:
    """Standard deviation of the instance noise (Sønderby et al. 2017), falling linearly to zero."""
    if not config.instance_noise_kimg:
        return config.instance_noise
    return config.instance_noise * max(0.0, 1 - images_seen / (1000 * config.instance_noise_kimg))


def _logits(
    discriminator: nn.Module, real: Tensor, fake: Tensor, labels: Tensor | None, config: Config
) -> tuple[Tensor, Tensor | None, Tensor]:
    """Logits of real examples, of those under classes that are not theirs, and of fake ones.

    Real examples under wrong classes are fakes too (Reed et al. 2016, algorithm 1): that teaches
    what the classes are from the first step, at the price of the discriminator's last layer alone.
    No generator is meant to make such a pair, so the game's solution stays the data. Real and fake
    in one batch or two: it is batch norm that feels the difference.
    """
    asked = labels
    if config.mismatch and labels is not None:
        others = here().own(here().whole(labels).roll(1))  # wrong unless equal
        asked = torch.stack([labels, others])
    if config.batches == "mixed":
        twice = None if asked is None else torch.cat([asked, asked], -1)
        both = discriminator(torch.cat([real, fake]), twice).float()
        on_real, on_fake = both[..., : len(real)], both[..., len(real) :]
    else:
        on_real = discriminator(real, asked).float()
        on_fake = discriminator(fake, labels).float()
    if asked is labels:
        return on_real, None, on_fake
    assert asked is not None
    right, others = on_real
    fakes = on_fake[0] if on_fake.dim() > 1 else on_fake
    # Pairs that are right by chance count for nothing: softplus(-∞) = 0, and so is its gradient.
    return right, others.masked_fill(asked[0] == asked[1], -torch.inf), fakes


def _targets(real: Tensor, fake: Tensor, config: Config) -> Targets:
    if config.label_smoothing or config.noisy_labels:
        return soft_targets(real, fake, config.label_smoothing, config.noisy_labels)
    return hard_targets(real, fake)


def _penalties(
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    real_logits: Tensor,
    fake_logits: Tensor,
    labels: Tensor | None,
    config: Config,
) -> Tensor:
    total = real_logits.new_zeros(())
    if config.r1:
        total = total + config.r1 * zero_centred_penalty(real_logits, real)
    if config.r2:
        total = total + config.r2 * zero_centred_penalty(fake_logits, fake)
    if config.gradient_penalty:
        total = total + config.gradient_penalty * gradient_penalty(
            discriminator, real.detach(), fake.detach(), labels
        )
    return total
