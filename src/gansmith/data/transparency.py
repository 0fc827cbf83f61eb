"""Colour with alpha, kept: straight (not premultiplied), and nothing hidden where nothing shows.

Averaging straight colours would mix in what can't be seen, so they are weighted by their alpha
(Porter and Duff 1984, §2). In floating point: Pillow's own way, premultiplied to 8 bits, leaves
just a few levels of colour where alpha is low, and a network sees colours without their alpha.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageColor

from gansmith.data.source import Array

Resize = Callable[[Image.Image], Image.Image]


def with_alpha(picture: Image.Image) -> Image.Image:
    """A decoded 8-bit picture of any mode as "RGBA"; opaque where it says nothing."""
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("RGB").convert("RGBA")  # not every mode has a way to RGBA


def is_transparent(picture: Image.Image) -> bool:
    """Whether a decoded picture has a pixel that is not opaque; an alpha channel alone is none."""
    return picture.has_transparency_data and not _is_opaque(picture.convert("RGBA"))


def resized(picture: Image.Image, resize: Resize) -> Image.Image:
    """What ``resize`` makes of an "RGBA" picture, colours weighted by their alpha.

    ``resize`` is given pictures of the same size, "RGB" or of one floating point channel ("F").
    """
    if _is_opaque(picture):  # exactly as without alpha
        return resize(picture.convert("RGB")).convert("RGBA")
    weights = np.asarray(picture.getchannel("A"), dtype=np.float32)
    alpha = np.asarray(resize(Image.fromarray(weights)))
    planes = [_average(picture.getchannel(band), weights, alpha, resize) for band in "RGB"]
    return Image.fromarray(np.stack([*planes, _to_8_bit(alpha)], axis=-1))


def without_hidden(pixels: Array, background: str) -> Array:
    """uint8 H×W×4 → the same, with ``background`` as the colour of what is fully transparent."""
    colour = np.array(ImageColor.getrgb(background)[:3], dtype=np.uint8)
    hidden = pixels[..., 3:] == 0
    return np.concatenate([np.where(hidden, colour, pixels[..., :3]), pixels[..., 3:]], axis=-1)


def _average(band: Image.Image, weights: Array, alpha: Array, resize: Resize) -> Array:
    values = np.array(band, dtype=np.float32)
    values *= weights  # in place: of 50 megapixels, each copy is 200 MB
    weighted = np.asarray(resize(Image.fromarray(values)))
    return _to_8_bit(weighted / np.maximum(alpha, 0.5))  # below ½, alpha will be 0


def _to_8_bit(values: Array) -> Array:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _is_opaque(picture: Image.Image) -> bool:
    return picture.getchannel("A").getextrema()[0] == 255
