"""Recipes: named functions that return a config, and the choice of one from the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gansmith.config import Config, DataSpec, merge
from gansmith.errors import GansmithError
from gansmith.world import World

FEW = 1000  # pictures, below which a discriminator soon knows them all by heart
FEW_WORDS = 2000  # words, below which a recogniser reads no stranger's hand
SMALL, LARGE = 24, 64  # pixels of the longer side: what the default size stays within


def dcgan() -> Config:
    """DCGAN at 64×64 as in the paper and the PyTorch tutorial (Radford et al. 2016)."""
    return Config(recipe="dcgan", batch_size=128, epochs=5)


def dcgan_mxnet() -> Config:
    """The MXNet tutorial's: twice the filters, batch-norm scale fixed at 1, for colour at 64×64."""
    return Config(
        recipe="dcgan-mxnet",
        generator_filters=128,
        discriminator_filters=128,
        bn_scale="fixed",
        batch_size=64,
        epochs=5,
    )


def dcgan_keras() -> Config:
    """The Keras book's 28×28 digits and 32×32 colour GANs: no normalisation, dropout 0.4 in D."""
    return Config(
        recipe="dcgan-keras",
        model="dcgan-keras",
        size=None,
        norm="none",
        dropout=0.4,
        init="keras",
        batch_size=128,
        epochs=20,
    )


def few_images() -> Config:
    """A few hundred pictures at 64×64: z 64, two learning rates, flips and small affine moves.

    The pumpkin tutorial augments the real pictures, which teaches the generator to make tilted
    ones. Here both players see both kinds augmented, so nothing leaks; set `data.flip` and
    `data.affine` to do as the tutorial did. Without R1, which the tutorial does not
    have, the discriminator wins slowly and pictures stay pale (docs/log.md).
    """
    return Config(
        recipe="few-images",
        latent_size=64,
        generator_filters=32,
        discriminator_filters=32,
        lr=2e-3,
        d_lr=1e-3,
        r1=0.3,
        penalty_every=4,
        batch_size=32,
        augment=("flip", "affine"),
        ema_kimg=5,
        minutes=20,
    )


def gan_1d() -> Config:
    """Points on a curve, on a ring or from a distribution: small perceptrons, seconds to train."""
    return Config(
        recipe="gan-1d",
        model="mlp",
        size=None,
        latent_size=8,
        generator_filters=128,
        discriminator_filters=128,
        norm="none",
        init="torch",
        lr=1e-3,
        beta2=0.99,
        batch_size=256,
        r1=0.1,
        ema_kimg=50,
        images=2_000_000,
        log_every=100,
        sample_every=500,
        checkpoint_every=2000,
        samples=1024,
    )


def dcgan_32() -> Config:
    """A small DCGAN at 32×32 that shows digits within minutes on two cores; uses labels if any."""
    return Config(
        recipe="dcgan-32",
        size="32",
        latent_size=64,
        conditional="auto",
        generator_filters=32,
        discriminator_filters=32,
        lr=4e-4,
        beta2=0.99,
        r1=0.3,
        penalty_every=4,
        batch_size=32,
        minutes=5,
        samples=80,
    )


def fast() -> Config:
    """The default for pictures of any size to 256×256: minutes on two cores; uses labels if any.

    What it does otherwise than a textbook's DCGAN, each tried in docs/log.md: the data's own size;
    25 times the learning rate (half of that for D), falling to nothing over most of the run; small
    batches, so more steps; real pictures under wrong labels as fakes while the classes are learnt;
    R1; averaged weights; latents a little narrower than the ones that samples are made of.
    """
    return Config(
        recipe="fast",
        model="compact",
        size=None,
        latent_size=64,
        latent_spread=0.95,
        conditional="auto",
        generator_filters=32,
        discriminator_filters=32,
        mismatch=0.5,
        mismatch_kimg=60,
        r1=0.1,
        penalty_every=8,
        batch_size=32,
        lr=5e-3,
        d_lr=2.5e-3,
        lr_decay=0.75,
        beta2=0.99,
        minutes=5,
        samples=80,
    )


def fast_few() -> Config:
    """`fast` for a few hundred pictures: augmented, for both players, as soon as D over-fits.

    Where it does, augmentation is worth most of the quality; where it does not, it costs some
    (docs/log.md): so its odds follow the discriminator (ADA), faster than in the paper because a
    hundred pictures are known by heart within a minute. Lower rates, as there is time: thousands of
    passes in a quarter of an hour.
    """
    return fast().with_(
        recipe="fast-few",
        latent_spread=1.0,
        augment=("flip", "brightness", "saturation", "contrast", "shift", "cutout"),
        augment_target=0.6,
        augment_kimg=25,
        lr=1.5e-3,
        d_lr=7.5e-4,
        minutes=15,
    )


def words() -> Config:
    """Handwritten words of any length, from pictures of words and what they say.

    ScrabbleGAN (Fogel et al. 2020) made small: see models.words. A discriminator without
    normalisation, bounded by R1; everything else that is not the paper's is in docs/log.md.
    """
    return Config(
        recipe="words",
        model="words",
        size="32",
        latent_size=32,
        generator_filters=32,
        discriminator_filters=32,
        init="torch",
        d_norm="none",
        r1=0.1,
        penalty_every=16,
        batch_size=32,
        lr=1e-3,
        d_lr=1e-3,
        lr_decay=0.5,
        beta1=0.0,
        beta2=0.99,
        evaluate_n=500,
        minutes=15,
        samples=60,
    )


def words_few() -> Config:
    """Fewer than 2,000 handwritten words: `words`, and the discriminator sees them distorted.

    As far as it knows them by heart (ADA, as in `fast_few`). The recogniser, who would read strangers'
    hands badly, learns from rendered words as well.
    """
    return words().with_(
        recipe="words-few",
        augment=("affine",),
        augment_target=0.6,
        augment_kimg=10.0,
        copybook="auto",
    )


RECIPES: dict[str, Callable[[], Config]] = {
    "dcgan": dcgan,
    "dcgan-32": dcgan_32,
    "dcgan-keras": dcgan_keras,
    "dcgan-mxnet": dcgan_mxnet,
    "fast": fast,
    "fast-few": fast_few,
    "few-images": few_images,
    "gan-1d": gan_1d,
    "words": words,
    "words-few": words_few,
}


def recipe(name: str) -> Config:
    """The config of a recipe by name; an unknown name is a GansmithError that lists them."""
    if name not in RECIPES:
        raise GansmithError(f"recipe: expected one of {', '.join(RECIPES)}, found {name!r}")
    return RECIPES[name]()


def first_taking(settings: Mapping[str, Any], processes: int = 1) -> Config:
    """`settings` on the first recipe that can take them, and whose batch so many processes can
    share, while the data that decide are not open.

    Raises a GansmithError, that of the default recipe, where none can.
    """
    refused = None
    for name in RECIPES:
        try:
            config = merge(recipe(name), settings)
            World(0, processes).share(config.batch_size)
            return config
        except GansmithError as error:
            refused = refused or error
    assert refused
    raise refused


def choose(kind: str, count: int, height: int | None, width: int | None) -> tuple[str, str]:
    """The recipe for such data, and the reason in words."""
    if kind == "points":
        return "gan-1d", "the data are points"
    if kind == "words":
        if count < FEW_WORDS:
            return "words-few", f"there are only {count:,} words with transcriptions"
        return "words", "the pictures have transcriptions"
    if count < FEW:
        return "fast-few", f"there are only {count:,} pictures"
    return "fast", f"there are {count:,} pictures of about {width}x{height}"


def default_size(config: Config, height: int | None, width: int | None) -> str | None:
    """The size a config asks for, or for `size` = none the data's own where the network can."""
    if config.size or config.model == "mlp":
        return config.size
    if config.model != "compact":
        return "28" if max(height or 32, width or 32) <= 28 else "32"
    return own_size(height or LARGE, width or LARGE)


def own_size(height: int, width: int) -> str:
    """The data's own, if that is `SMALL` to `LARGE` pixels; else its shape at one of these.

    Larger pictures take minutes that a first run should not; tiny ones are hard to look at.
    """
    longer = max(height, width)
    goal = min(LARGE, longer) if longer >= SMALL else 32
    high, wide = (max(8, round(side * goal / longer)) for side in (height, width))
    return f"{wide}x{high}" if wide != high else str(wide)


def check_fit(config: Config, spec: DataSpec) -> None:
    """Raise a GansmithError where the network can't make such data."""
    made = {"mlp": "points", "words": "words"}.get(config.model, "pictures")
    if made != spec.kind:
        other = {"points": "gan-1d", "words": "words"}.get(spec.kind, "fast, dcgan or few-images")
        raise GansmithError(
            f"recipe {config.recipe}: its {config.model} network can't make {spec.kind}; use {other}"
        )
