"""What to do about a verdict: a short ladder of remedies, each a change of the configuration.

Pure: what is done follows from the verdict, the configuration and recorded figures alone, so a run
that is resumed treats itself as an unbroken one would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gansmith.config import Config

GROWING = 0.0135  # of their length a step: weights that grow so are driven by too high a rate
APART = 4.0  # times: a player whose weights go so much faster than its rival's goes too fast
CALM = 0.001  # growth that does no harm
STILL = 1e-9  # of their length a step: weights that do not move
SOME = 3.0  # times lower: a rate that may be too high
NOISY = 5.0  # times lower: rates by which nothing but noise is made
HIGH = 1e-3  # above it, the first steps of a generator may be too long to recover from
UNNORMED = 6.0  # times higher: rates for weights that start at 0.02 and that no norm amplifies
CALM_KIMG = 5  # thousand images, after which instance noise is gone

Figures = Mapping[str, float]


class Remedy(NamedTuple):
    """What is done, in words, and the settings that it changes."""

    words: str
    changes: dict[str, Any]


def remedy(
    condition: str, attempt: int, config: Config, figures: Figures, images: int
) -> Remedy | None:
    """The `attempt`-th (from 0) for a condition; None where no more is known to help.

    `config` is the one that failed, earlier remedies included; `figures` are the newest readings;
    `images` is how many the weights that are gone back to have seen.
    """
    for rungs in LADDERS.get(condition, ())[attempt:]:
        found = _together(*(rung(config, figures, images) for rung in rungs))
        if found.words:  # else all of it is so already
            return found
    return None


def as_it_was(config: Config, figures: Figures, images: int) -> Remedy:
    return Remedy("nothing changed but the noise and the order of the data", {})


def slower(config: Config, figures: Figures, images: int) -> Remedy:
    """Lower the rate of the player whose weights explode, or outrun its rival's; else of both."""
    growth = {player: figures.get(f"growth_{player}", 0.0) for player in "dg"}
    worst = max(growth.values())
    if worst >= GROWING:  # Adam's steps are as long as its rate: growth follows it …
        # … but that of a player whose rival explodes too is smaller than its own rate would make it.
        return _rates(config, {p: worst / CALM for p, x in growth.items() if x >= GROWING})
    d, g = (figures.get(f"pace_{player}", 0.0) for player in "dg")
    if d > APART * g or g > APART * d:
        return _rates(config, {"d" if d > g else "g": SOME})
    return _rates(config, {"d": SOME, "g": SOME})


def slower_discriminator(config: Config, figures: Figures, images: int) -> Remedy:
    return _rates(config, {"d": SOME})


def slower_generator(config: Config, figures: Figures, images: int) -> Remedy:
    return _rates(config, {"g": SOME})


def suit(config: Config, figures: Figures, images: int) -> Remedy:
    """Rates that suit the two networks, where they do not.

    What varies more than the real and is told from it is noise: both rates are too high. Weights of
    0.02 (DCGAN's start) pass on next to nothing without normalisation: both are too low. And Adam
    moves what a layer says by its rate times its width (Yang et al. 2022, table 3): that of a
    discriminator wider than its rival is too high.
    """
    lower = dict.fromkeys("dg", 1.0)
    if figures.get("spread", 0.0) > 1:
        lower = dict.fromkeys("dg", NOISY)
    elif config.norm == "none" and config.init == "dcgan":
        lower = dict.fromkeys("dg", 1 / UNNORMED)
    lower["d"] *= max(1.0, config.discriminator_filters / config.generator_filters)
    return _rates(config, {player: times for player, times in lower.items() if times != 1})


def revive(config: Config, figures: Figures, images: int) -> Remedy:
    """Of a generator that moves and yet makes one thing, black by a tanh that saturated before it had
    learnt: five times its rate and half of its rival's; or if that is what threw it there, both
    rates five times lower, with R1. One that is frozen needs only a new start.
    """
    if figures.get("pace_g", 0.0) <= STILL:
        return as_it_was(config, figures, images)
    if config.lr <= HIGH:
        return _rates(config, {"g": 1 / 5, "d": 2.0})
    calmer = _rates(config, dict.fromkeys("dg", NOISY))
    return _together(calmer, penalise(config, figures, images))


def penalise(config: Config, figures: Figures, images: int) -> Remedy:
    """Ten times the R1 penalty (Mescheder et al. 2018), 3 at least and 30 at most."""
    r1 = min(30.0, max(3.0, 10 * config.r1))
    if r1 <= config.r1:
        return Remedy("", {})
    return Remedy(f"r1 {config.r1:g} -> {r1:g}", {"r1": r1})


def blur(config: Config, figures: Figures, images: int) -> Remedy:
    """Instance noise that is gone after `CALM_KIMG` (Sønderby et al. 2017)."""
    if config.model == "words":  # which have no such switch
        return augment(config, figures, images)
    kimg = images / 1000 + CALM_KIMG
    level = 0.2 * kimg / CALM_KIMG  # so that it is 0.2 now
    words = f"instance noise of 0.2, gone after {CALM_KIMG} thousand images"
    return Remedy(words, {"instance_noise": level, "instance_noise_kimg": kimg})


def augment(config: Config, figures: Figures, images: int) -> Remedy:
    """Augmentation as much as D over-fits (ADA, Karras et al. 2020), capped where it would leak."""
    if config.model == "mlp":
        return penalise(config, figures, images)
    usual = (
        ("affine",) if config.model == "words" else ("brightness", "contrast", "shift", "cutout")
    )
    kinds = config.augment or usual
    changes = {
        "augment": kinds,
        "augment_target": 0.6,
        "augment_p": min(config.augment_p, 0.8),
        "augment_kimg": min(config.augment_kimg, 25.0),
    }
    return Remedy(f"augmentation of both players' pictures ({', '.join(kinds)}), by ADA", changes)


def clip(config: Config, figures: Figures, images: int) -> Remedy:
    longest = config.clip / 2 if config.clip else 1.0
    return Remedy(f"gradients clipped at a length of {longest:g}", {"clip": longest})


def _together(*remedies: Remedy) -> Remedy:
    changes: dict[str, Any] = {}
    for one in remedies:
        changes |= one.changes
    return Remedy("; ".join(filter(None, (one.words for one in remedies))), changes)


def _rates(config: Config, lower: Mapping[str, float]) -> Remedy:
    """Rates so many times lower, by player (less than once: higher)."""
    if not lower:
        return Remedy("", {})
    rates = {"g": ("lr", config.lr), "d": ("d_lr", config.d_lr or config.lr)}
    changes = dict(rates.values())  # both: a d_lr that was as lr must not follow it
    for player, times in lower.items():
        name, rate = rates[player]
        changes[name] = min(1.0, float(f"{rate / times:.3g}"))
    words = [
        f"{name} {rate:g} -> {changes[name]:g}" for p, (name, rate) in rates.items() if p in lower
    ]
    return Remedy(", ".join(words), changes)


Rung = tuple[Callable[[Config, Figures, int], Remedy], ...]

LADDERS: dict[str, tuple[Rung, ...]] = {
    "not a number": ((as_it_was,), (slower, clip), (slower, clip), (slower, clip)),
    "weights lost": ((as_it_was,), (as_it_was,), (as_it_was,)),
    "generator stuck": ((revive,), (slower_discriminator,), (penalise,)),
    "discriminator stuck": ((as_it_was,), (slower_generator,)),
    "exploding": ((slower,), (slower, clip), (slower, penalise)),
    "mode collapse": ((slower, penalise), (slower,), (augment, slower)),
    "discriminator overpowering": (
        (penalise, suit),
        (slower_discriminator, blur),
        (slower_discriminator,),
    ),
    "generator overpowering": ((slower_generator,), (slower_generator, penalise)),
    "oscillating": ((slower,), (slower, penalise)),
    "discriminator memorising": ((augment,), (penalise,)),
}
