"""The tutorials' helper: a sheet of what a trained generator makes."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.imaging import grid


def generate_fake_handwriting(
    model: Model | str | Path, *, num_images: int = 64, nz: int | None = None, seed: int = 0
) -> Image.Image:
    """`num_images` pictures on one.

    Args:
        model: what `gansmith.load` gives, or takes.
        nz: how many numbers a latent has; known to the model, and checked if given.

    Raises GansmithError where that is another number, or the model makes no pictures.
    """
    model = model if isinstance(model, Model) else load(model)
    if nz is not None and nz != model.config.latent_size:
        raise GansmithError(f"nz: expected {model.config.latent_size}, found {nz}")
    if model.spec.kind != "pictures":
        raise GansmithError(f"expected a generator of pictures, found one of {model.spec.kind}")
    return grid(model.generate(num_images, seed=seed).images)
