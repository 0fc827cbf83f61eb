"""Differentiable augmentation, for real and fake and in both players' steps.

DiffAugment (Zhao et al. 2020): because the discriminator never sees an unaugmented picture of
either kind, and gradients flow through the augmentation into the generator, few pictures last
longer and the generator is not taught to make augmented ones. That holds as long as each kind is
left out often enough to be told from the data (ADA, Karras et al. 2020, §2.2): hence `p`.

Every function takes pictures (N, C, H, W) in [-1, 1] and `on` (N, 1, 1, 1), 1 where it applies.
What moves pictures moves all channels; what changes colours leaves alpha, the fourth, as it is.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.world import uniform, whole_numbers

Change = Callable[[Tensor, Tensor], Tensor]


def augment(pictures: Tensor, kinds: Iterable[str], p: float | Tensor) -> Tensor:
    """Apply each of `kinds` to each picture with probability `p`, in the order of `KINDS`.

    Always in fp32 at least: bf16 would put the places that `affine` samples off by half a pixel.
    """
    chosen = set(kinds)
    pictures = pictures.to(torch.promote_types(pictures.dtype, torch.float32))
    with torch.autocast(pictures.device.type, enabled=False):
        for name, function in KINDS.items():
            if name in chosen:
                on = (_uniform(pictures, 0, 1) < p).to(pictures.dtype)
                pictures = function(pictures, on)
    return pictures


def _colour_alone(change: Change) -> Change:
    @functools.wraps(change)
    def changed(pictures: Tensor, on: Tensor) -> Tensor:
        if pictures.shape[1] != 4:
            return change(pictures, on)
        return torch.cat([change(pictures[:, :3], on), pictures[:, 3:]], 1)

    return changed


def flip(pictures: Tensor, on: Tensor) -> Tensor:
    """Left to right with odds ½ where on: at p < 1 the original side stays the commoner one."""
    mirrored = on * (_uniform(pictures, 0, 1) < 0.5).to(pictures.dtype)
    return torch.where(mirrored.bool(), pictures.flip(3), pictures)


def affine(pictures: Tensor, on: Tensor) -> Tensor:
    """Turn ±5°, shift ±5 % across and ±2.5 % down, scale 0.95–1.05, shear ±5° (the pumpkin GAN)."""
    degrees = math.pi / 180
    turn, shear = (on * _uniform(pictures, -5, 5) * degrees for _ in range(2))
    scale = 1 + on * _uniform(pictures, -0.05, 0.05)
    # grid_sample's coordinates run from -1 to 1, so a share of the width is twice as much there.
    across, down = on * _uniform(pictures, -0.1, 0.1), on * _uniform(pictures, -0.05, 0.05)
    height, width = pictures.shape[2:]
    aspect = height / width
    rows = [
        [turn.cos() / scale, (shear.tan() - turn.sin()) / scale * aspect, across],
        [turn.sin() / scale / aspect, turn.cos() / scale, down],
    ]
    matrix = torch.stack([torch.cat([e.flatten(1) for e in row], 1) for row in rows], 1)
    grid = F.affine_grid(matrix, list(pictures.shape), align_corners=False).to(pictures.dtype)
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


@_colour_alone
def brightness(pictures: Tensor, on: Tensor) -> Tensor:
    """Add ±0.5."""
    return pictures + on * _uniform(pictures, -0.5, 0.5)


@_colour_alone
def saturation(pictures: Tensor, on: Tensor) -> Tensor:
    """Stretch the distance from grey ×0–2; nothing to do on grey pictures."""
    grey = pictures.mean(1, keepdim=True)
    return grey + (pictures - grey) * (1 + on * _uniform(pictures, -1, 1))


@_colour_alone
def contrast(pictures: Tensor, on: Tensor) -> Tensor:
    """Stretch the distance from the picture's mean ×0.5–1.5."""
    mean = pictures.mean((1, 2, 3), keepdim=True)
    return mean + (pictures - mean) * (1 + on * _uniform(pictures, -0.5, 0.5))


def shift(pictures: Tensor, on: Tensor) -> Tensor:
    """Move by whole pixels, up to ⅛ of each side; what comes in is zero (mid-grey)."""
    rows, columns = (_shifted(pictures, on, side) for side in (2, 3))
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, (1, 1, 1, 1))  # the border stands for everything outside
    rows, columns = rows.clamp(-1, height) + 1, columns.clamp(-1, width) + 1
    n = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[n, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def cutout(pictures: Tensor, on: Tensor) -> Tensor:
    """Blank a rectangle of half the height and half the width, anywhere, to zero (mid-grey)."""
    inside = [_inside(pictures, side) for side in (2, 3)]
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return pictures * (1 - on * hole.to(pictures.dtype))


KINDS: dict[str, Change] = {
    "flip": flip,
    "affine": affine,
    "brightness": brightness,
    "saturation": saturation,
    "contrast": contrast,
    "shift": shift,
    "cutout": cutout,
}


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    """(N, 1, 1, 1), one number a picture."""
    return uniform(len(like), 1, 1, 1, like=like) * (high - low) + low


def _shifted(pictures: Tensor, on: Tensor, side: int) -> Tensor:
    """(N, size): for each place along `side`, the place its pixel comes from."""
    size = pictures.shape[side]
    most = size // 8
    by = whole_numbers(-most, most + 1, len(pictures), 1, device=pictures.device)
    places = torch.arange(size, device=pictures.device)
    return places + by * on.flatten(1).long()


def _inside(pictures: Tensor, side: int) -> Tensor:
    """(N, size), true on a random run of half the side, centred anywhere."""
    size = pictures.shape[side]
    half = size // 2
    centre = whole_numbers(0, size + 1, len(pictures), 1, device=pictures.device)
    places = torch.arange(size, device=pictures.device)
    return (places >= centre - half // 2) & (places < centre - half // 2 + half)
