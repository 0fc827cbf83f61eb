"""From a network's numbers to pictures a person can look at."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image
from torch import Tensor

CHECKS = (216, 240)  # neither white nor black, as pictures are more often


def to_uint8(pictures: Tensor) -> np.ndarray:
    """(N, C, H, W) in [-1, 1] → uint8 (N, H, W, C); -1 is 0 and 1 is 255."""
    scaled = pictures.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return scaled.byte().permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_picture(array: np.ndarray) -> Image.Image:
    """uint8 (H, W, 1 | 3 | 4) → a Pillow picture."""
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def grid(pictures: np.ndarray, columns: int | None = None, gap: int = 2) -> Image.Image:
    """uint8 (N, H, W, C) → one sheet, row by row, with white gaps; about square by default.

    Transparent pictures stay so, in gaps that are opaque.
    """
    count, height, width, channels = pictures.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8
    )
    for index, picture in enumerate(pictures):
        top = gap + index // columns * (height + gap)
        left = gap + index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return to_picture(sheet)


def on_checks(picture: Image.Image, side: int = 8) -> Image.Image:
    """Laid on squares of two greys, so that what is transparent shows as such: "RGBA" → "RGB"."""
    across, down = (np.arange(size) // side for size in picture.size)
    checks = np.where((across + down[:, None]) % 2, *CHECKS).astype(np.uint8)
    ground = Image.fromarray(checks).convert("RGBA")
    return Image.alpha_composite(ground, picture).convert("RGB")


def png_bytes(picture: Image.Image) -> bytes:
    """A PNG with no time stamp in it: same picture, same bytes."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
