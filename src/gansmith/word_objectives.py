"""The losses of a game of words: three networks and a batch in, dictionaries of losses out."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.ada import Odds
from gansmith.config import Config
from gansmith.distort import distort
from gansmith.losses import GAMES, hard_targets, zero_centred_penalty
from gansmith.models.masked import column_mask
from gansmith.models.recogniser import Recogniser, placing_loss, reading_loss
from gansmith.models.words import Discriminator
from gansmith.objectives import figures_of
from gansmith.reader import Reader
from gansmith.stream import Deal, Lesson
from gansmith.world import here, uniform

DISTORTED = 0.7  # of the usual strength, what the recogniser in the game is shown
GUIDED, GUIDED_WORDS = 3.0, 10_000  # weight of the guess at where characters lie; fading to 0
MOST_READING = 100.0  # times the recogniser's gradient: where it reads all, what is left is noise


def discriminator_losses(
    discriminator: Discriminator,
    deal: Deal,
    fake: Tensor,
    config: Config,
    penalise: bool,
    odds: Odds,
) -> dict[str, Tensor]:
    """What the discriminator minimises, as ``total``, and the figures that go with it.

    `fake` words (N, 1, H, W), detached, are written as was asked for in the style of the deal's
    latents, which it is to find again in them.
    """
    real, labels, latent, asked = words_of(deal)
    real, fake = (shown(x, of, config, odds) for x, of in ((real, labels), (fake, asked)))
    # R1 of what it sees: what lies between is no weight of its.
    real = real.detach().requires_grad_(penalise and config.r1 > 0)
    real_logits, _ = discriminator.look(real, labels)
    fake_logits, styles = discriminator.look(fake, asked)
    targets = hard_targets(real_logits, fake_logits)
    adversarial = GAMES[config.loss].discriminator(real_logits, fake_logits, targets)
    found = F.mse_loss(styles, latent)
    total = adversarial + config.style * found
    if penalise and config.r1:
        total = total + config.penalty_every * config.r1 * zero_centred_penalty(real_logits, real)
    figures = figures_of(real_logits, fake_logits)
    return {"total": total, "loss_d": adversarial.detach(), "loss_style": found.detach(), **figures}


def generator_losses(
    discriminator: Discriminator,
    reader: Reader,
    deal: Deal,
    fake: Tensor,
    config: Config,
    odds: Odds,
) -> dict[str, Tensor]:
    """What the generator minimises, as ``total``: to be taken for real, in a style that is seen, and
    to be read as what was asked, as soon as the recogniser reads."""
    game = GAMES[config.loss]
    real, labels, latent, asked = words_of(deal)
    fake_logits, styles = discriminator.look(shown(fake, asked, config, odds), asked)
    real_logits = fake_logits
    if game.needs_real:
        with torch.no_grad():
            real_logits, _ = discriminator.look(shown(real, labels, config, odds), labels)
    adversarial = game.generator(fake_logits, real_logits)
    # Mutual information of style and word, by a bound (InfoGAN, Chen et al. 2016, eq. 5).
    total = adversarial + config.style * F.mse_loss(styles, latent)
    losses = {"loss_g": adversarial.detach(), "d_fake_after": fake_logits.detach().sigmoid().mean()}
    if reader.reads and config.reading:
        with reader.judging() as recogniser:
            reading = reading_loss(recogniser(fake, asked[:, 0]), asked, recogniser.height)
            total = balanced(total, reading, fake, asked, config.reading)
        losses["loss_read"] = reading.detach()
    return {"total": total, **losses}


def recogniser_losses(
    recogniser: Recogniser, lesson: Lesson, images_seen: int
) -> dict[str, Tensor]:
    """What the recogniser minimises, as ``total``: CTC on distorted words. ``loss_r`` is that of real
    ones, which alone say how well it reads.

    CTC alone is long at a loss where in a word each character lies; about where is known from the
    usual widths. For the first words the recogniser is told so too, less and less, while they are
    distorted more and more.
    """
    words, labels, copied = lesson
    begun = min(1.0, images_seen / GUIDED_WORDS)
    distorted = distort(words, labels[:, 0], DISTORTED * begun)
    log_probabilities = recogniser(distorted, labels[:, 0])
    total = loss = reading_loss(log_probabilities, labels, recogniser.height)
    if copied:
        real = log_probabilities[::2].detach()
        loss = reading_loss(real, labels[::2], recogniser.height)
    if begun < 1:
        guess = placing_loss(log_probabilities, labels, recogniser.height, recogniser.usual)
        total = total + GUIDED * (1 - begun) * guess
    return {"total": total, "loss_r": loss.detach()}


def shown(words: Tensor, labels: Tensor, config: Config, odds: Odds) -> Tensor:
    """What the discriminator is shown of `words`, real or made: some of them distorted."""
    if not config.augment:
        return words
    on = uniform(len(words), 1, 1, 1, like=words) < odds.p
    return distort(words, labels[:, 0], on.float())


def words_of(deal: Deal) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Words, their labels, latents, and labels that are asked for: words always have labels."""
    real, labels, latent, asked = deal
    assert labels is not None
    assert asked is not None
    return real, labels, latent, asked


def balanced(
    adversarial: Tensor, reading: Tensor, fake: Tensor, asked: Tensor, weight: float
) -> Tensor:
    """A loss whose gradient at `fake` (N, 1, H, W) is the adversarial one plus the recogniser's,
    the latter brought to `weight` times the spread of the former.

    ∇ = ∇D + a ∇R with a = α σ(∇D) / (ε + σ(∇R)), at most `MOST_READING` (Fogel et al. 2020, eq. 5;
    they do not shift the mean either). σ over the words' own pixels. How far a word leans is a hand's
    matter, and the recogniser has no say in it: it would have all stand as most do.
    """
    (of_d,) = torch.autograd.grad(adversarial, fake)
    (of_r,) = torch.autograd.grad(reading, fake)
    of_r = upright(of_r, fake.detach())
    inside = column_mask(asked[:, 0], fake.shape[3], 1).expand_as(fake) > 0
    spread_d, spread_r = (_spread(g[inside]) for g in (of_d, of_r))
    share = (weight * spread_d / (spread_r + 1e-12)).clamp(max=MOST_READING)
    return (fake * (of_d + share * of_r)).sum()


def _spread(values: Tensor) -> Tensor:
    """The standard deviation of all processes' values together."""
    own = [values.new_tensor(len(values)), values.sum(), values.square().sum()]
    moments = here().mean(torch.stack(own))
    count, total, squares = moments
    variance: Tensor = squares / count - (total / count).square()
    return variance.clamp_min(0).sqrt()


def upright(gradient: Tensor, words: Tensor) -> Tensor:
    """`gradient` at `words` (N, 1, H, W) without what it has along their shear: a step against what is
    left leans no word, to first order."""
    height = words.shape[2]
    up = torch.arange(height - 1, -height, -2, device=words.device)[:, None] / height
    beside = F.pad(words.float(), (1, 1))
    shear = up * (beside[..., 2:] - beside[..., :-2])
    along, length = ((x * shear).sum((1, 2, 3), keepdim=True) for x in (gradient, shear))
    return gradient - shear * along / length.clamp_min(1e-6)
