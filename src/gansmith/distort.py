"""The same word in another shape: slant, size, wavering and weight of the stroke, at random.

For recognisers, which must read more hands than they are shown, and as an augmentation for a
discriminator that knows too few; what a generator makes of it never is distorted.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.models.masked import column_mask
from gansmith.world import uniform

SLANT = 0.5  # of the height, either way, from bottom to top
STRETCH = 0.15  # wider or narrower, higher or lower, by such a share
RISE = 0.04  # of the height
WAVER = 0.05  # of the height, in waves of about half of it
WEIGHT = 0.6  # of the way to the stroke one pixel thicker or thinner
FAINT = 0.3  # of the ink


def distort(words: Tensor, widths: Tensor, strength: float | Tensor = 1.0) -> Tensor:
    """Words (N, 1, H, W) in [0, 1] with their widths (N,), each distorted in its own way.

    `strength` is one for all or each word's own, (N, 1, 1, 1). Affine and elastic as in Wigington
    et al. 2017; what leaves a word's own width is cut off.
    """
    moved = F.grid_sample(words, _places(words, widths, strength), align_corners=False)
    return _weighted(moved, strength) * column_mask(widths, words.shape[3], 1)


def _places(words: Tensor, widths: Tensor, strength: float | Tensor) -> Tensor:
    """Where each pixel of the result is taken from, (N, H, W, 2) in [-1, 1]."""
    count, _, height, width = words.shape
    device = words.device

    own = torch.as_tensor(strength, device=device)

    def draw(*shape: int) -> Tensor:
        drawn = 2 * uniform(count, *shape, like=words) - 1
        return drawn * own.reshape(-1, *[1] * len(shape))

    y = torch.linspace(-1 + 1 / height, 1 - 1 / height, height, device=device)[:, None]
    x = torch.arange(width, device=device) + 0.5
    waves = draw(2, 4, max(2, 2 * width // height))
    waver = WAVER * height * F.interpolate(waves, (height, width), mode="bicubic")
    middle = (widths / 2)[:, None, None]
    across = (x - middle) * (1 + STRETCH * draw(1, 1)) + middle
    across = across + SLANT / 2 * height * y * draw(1, 1) + waver[:, 0]
    down = y * (1 + STRETCH * draw(1, 1)) + 2 * RISE * draw(1, 1) + waver[:, 1] * 2 / height
    return torch.stack([across * 2 / width - 1, down], -1)


def _weighted(words: Tensor, strength: float | Tensor) -> Tensor:
    """A third with thicker strokes, a third with thinner ones, all with more or less ink."""
    shape = (len(words), 1, 1, 1)
    kind = uniform(*shape, like=words)
    thick, thin = F.max_pool2d(words, 3, 1, 1), -F.max_pool2d(-words, 3, 1, 1)
    towards = torch.where(kind < 1 / 3, thick, torch.where(kind > 2 / 3, thin, words))
    share = strength * WEIGHT * uniform(*shape, like=words)
    ink = 1 + strength * FAINT * (2 * uniform(*shape, like=words) - 1)
    return (torch.lerp(words, towards, share) * ink).clamp(0, 1)
