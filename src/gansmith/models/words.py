"""Words of any length: a generator of handwriting, and a discriminator for any width.

After ScrabbleGAN (Fogel et al. 2020): each character is a learned filter, filters stand in a row as
the text has them, and convolutions grow the row into a word, so that neighbours overlap and join.
Otherwise than there: a filter is a curve along the character's width and can be stretched, so that
widths follow the ink; a small network over the text says what stands further away (a word without
long letters is written larger when it is cut out tightly); padding counts for nothing.

Words are (N, 1, H, W) in [0, 1], ink 1 and paper 0, zero beyond each word's own width; their labels
are rows of `layout.label_rows`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.measures import LINE_HEIGHT
from gansmith.models.layout import columns_of
from gansmith.models.masked import MaskedBatchNorm, column_mask, own_average, own_mean, scaled
from gansmith.world import here

ROWS = 4  # of the smallest maps, whose columns are an eighth of the height wide
POINTS = 4  # of a filter's curve along its character
SHAPES = 8  # of each character, that styles mix
PLAIN = 0.05  # of a sigmoid's range at either end: all paper or all ink, as scans of writing are
STROKE, BESIDE = 0.25, 3  # ink of a stroke, and how far its edges reach, in pixels of a row of 32
FADING = 0.2  # by how much of that darker it has its edges whole
SLANT = 0.6  # of the height, either way, as far as a style may lean
READ = 128  # channels of the network over the text
SPREAD = 16  # pixels that batches' widths are rounded up to, so that few shapes are in use
SLOPE = 0.2
STYLED = 0.3  # how much scales and shifts differ between styles at the start


class Generator(nn.Module):
    """Latents (N, Z) and labels (N, 1 + L) → words (N, 1, H, W), W as wide as the widest needs.

    Where the data's paper is bleached, so is that of what is written after training.
    """

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        assert spec.script is not None
        self.height, filters = spec.shape[1], config.generator_filters
        self.bleached = spec.script.bleached
        self.usual: Tensor
        self.register_buffer("usual", torch.tensor([0.0, *spec.script.widths]))
        first, *grown = channels(filters, self.height)
        style = 4 * filters
        self.bank = FilterBank(len(spec.script.alphabet), ROWS * 3 * filters, style)
        self.reader = TextReader(len(spec.script.alphabet), ROWS * 3 * filters)
        self.style = nn.Sequential(
            nn.Linear(config.latent_size, style), nn.LeakyReLU(SLOPE), nn.Linear(style, style)
        )
        for index in (0, 2):
            nn.init.kaiming_normal_(self.style[index].get_parameter("weight"), SLOPE)
        self.norms = nn.ModuleList(StyledNorm(c, style) for c in (3 * filters, first, *grown))
        self.join = nn.Conv2d(3 * filters, first, 3, padding=1, bias=False)
        # The first grows upwards only: columns are as wide as two rows are high.
        shapes = [((4, 3), (2, 1), 1)] + [((4, 4), (2, 2), 1)] * (len(grown) - 1)
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(a, b, kernel, stride, padding, bias=False)
            for (a, b), (kernel, stride, padding) in zip(
                pairwise((first, *grown)), shapes, strict=True
            )
        )
        # Sub-pixel convolution (Shi et al. 2016).
        self.ink = nn.Conv2d(grown[-1], 4, 3, padding=1)
        self.lean = nn.Linear(style, 1)
        for layer in (self.join, *self.grow):
            nn.init.kaiming_normal_(layer.weight, SLOPE)
        nn.init.constant_(self.ink.get_parameter("bias"), -1.0)  # most of it is paper

    def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
        widths, codes = labels[:, 0], labels[:, 1:]
        pixels = self.height // 8
        columns = padded(widths, self.height) // pixels
        place, phase, wide = columns_of(codes, widths // pixels, columns, self.usual)
        style = self.style(latent)
        x = self.bank(codes.gather(1, place), phase, style)
        x = x + self.reader(codes, place, phase, wide)
        x = x.unflatten(2, (ROWS, -1)).permute(0, 3, 2, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        mask = column_mask(widths, columns, pixels)
        first, second, *others = self.norms
        x = self.join(first(x, style, mask))
        x = self.grow[0](second(x, style, mask))
        for norm, grow in zip(others[:-1], self.grow[1:], strict=True):
            x = grow(norm(x, style, mask))
            pixels //= 2
            mask = column_mask(widths, x.shape[3], pixels)
        ink = F.pixel_shuffle(self.ink(others[-1](x, style, mask)).float(), 2)
        mask = column_mask(widths, ink.shape[3], 1)
        slant = SLANT * self.lean(style).float().tanh()[:, 0]
        shade = (ink.sigmoid() * (1 + 2 * PLAIN) - PLAIN).clamp(0, 1)
        words = leaning(shade * mask, slant) * mask
        return bleach(words) if self.bleached and not self.training else words


class FilterBank(nn.Module):
    """Curves of filters for each character: codes (N, K), phases in 0…1 (N, K) and styles (N, S) →
    (N, K, size).

    A character has several shapes, and a style writes the first with some of the others.
    """

    def __init__(self, characters: int, size: int, style: int):
        super().__init__()
        self.filters = nn.Parameter(torch.empty(characters + 1, SHAPES, POINTS * size))
        nn.init.normal_(self.filters)
        self.mixing = nn.Linear(style, SHAPES - 1)
        nn.init.normal_(self.mixing.weight, 0.0, 0.1 / style**0.5)  # first one shape, then others
        nn.init.zeros_(self.mixing.bias)
        self.size = size

    def forward(self, codes: Tensor, phase: Tensor, style: Tensor) -> Tensor:
        if torch.compiler.is_exporting():  # sizes may not depend on which characters there are
            used, which = torch.arange(len(self.filters), device=codes.device), codes
        else:
            used, which = torch.unique(codes, return_inverse=True)
        shares = self.mixing(style).float() / (SHAPES - 1) ** 0.5
        shares = F.pad(shares, (1, 0), value=1.0)
        # (N, characters used, points of their curves) of rows for the columns to choose from.
        with torch.autocast(style.device.type, enabled=False):
            curves = torch.einsum("ns,usr->nur", shares, self.filters[used]).view(-1, self.size)
        first = POINTS * (
            len(used) * torch.arange(codes.shape[0], device=codes.device)[:, None] + which
        )
        place = phase * (POINTS - 1)
        below = place.long().clamp(max=POINTS - 2)
        start, end = (F.embedding(first + below + n, curves) for n in (0, 1))
        return torch.lerp(start, end, (place - below)[..., None])


class TextReader(nn.Module):
    """What stands around each character, for its columns: (N, K, size)."""

    def __init__(self, characters: int, size: int):
        super().__init__()
        self.embedding = nn.Embedding(characters + 1, READ // 2, padding_idx=0)
        self.near = nn.Conv1d(READ // 2, READ, 5, padding=2)
        self.further = nn.Conv1d(READ, READ, 5, padding=2)
        self.out = nn.Linear(READ + 2, size)

    def forward(self, codes: Tensor, place: Tensor, phase: Tensor, wide: Tensor) -> Tensor:
        written = (codes > 0).float()
        x = self.embedding(codes).transpose(1, 2)
        for layer in (self.near, self.further):
            x = F.leaky_relu(layer(x), SLOPE).float() * written[:, None]
        at = place[:, None].expand(-1, READ, -1)
        there = torch.cat([x.gather(2, at), phase[:, None], wide[:, None] / 4], 1)
        found: Tensor = self.out(there.transpose(1, 2)).float()
        return found


class StyledNorm(nn.Module):
    """Conditional batch norm (de Vries et al. 2017, §3) of words, its scale and shift the style's,
    and leaky ReLU. Padding comes in as it may and leaves as zero."""

    def __init__(self, channels: int, style: int):
        super().__init__()
        self.norm = MaskedBatchNorm(channels, learned=False)
        self.affine = nn.Linear(style, 2 * channels)
        nn.init.normal_(self.affine.weight, 0.0, STYLED / style**0.5)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, style: Tensor, mask: Tensor) -> Tensor:
        x = x * mask.to(x.dtype)
        scale, shift = self.norm.affine(x, mask)
        more, up = self.affine(style).float().chunk(2, 1)
        x = scaled(x, scale * (1 + more), shift * (1 + more) + up, mask)
        return F.leaky_relu(x, SLOPE, inplace=True)


class Discriminator(nn.Module):
    """Words (N, 1, H, W) and labels (N, 1 + L), of which it heeds the widths alone → logits (N,).

    It also says in what style a word is written (Chen et al. 2016): so that there are styles, and
    that example words give one. A logit is the mean of the scores of places along the word's own
    width. No normalisation: its gradient is bounded by R1.
    """

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        self.height, filters = spec.shape[1], config.discriminator_filters
        halvings = {32: 1, 64: 2}[self.height]
        widths = [4, *(filters * 2**n for n in range(halvings)), 2 * filters * halvings]
        shapes = [(3, 1, 1)] + [(4, 2, 1)] * halvings
        self.see = nn.ModuleList(
            nn.Conv2d(a, b, kernel, stride, padding)
            for (a, b), (kernel, stride, padding) in zip(pairwise(widths), shapes, strict=True)
        )
        self.see.append(nn.Conv2d(widths[-1], 3 * filters, (4, 3), (2, 1), 1))
        self.see.append(nn.Conv2d(3 * filters, 5 * filters, 3, padding=1))
        self.style = nn.Linear(5 * filters, config.latent_size)
        self.score = nn.Conv2d(5 * filters, 1, (ROWS, 3), padding=(0, 1))
        for layer in self.see:
            nn.init.kaiming_normal_(layer.get_parameter("weight"), SLOPE)

    def forward(self, words: Tensor, labels: Tensor) -> Tensor:
        logits, _ = self.look(words, labels)
        return logits

    def look(self, words: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N,), and the latents that words seem to be written in the style of, (N, Z)."""
        widths = labels[:, 0]
        x = F.pixel_unshuffle(words, 2).contiguous(memory_format=torch.channels_last)
        for layer in self.see:
            x = F.leaky_relu(layer(x), SLOPE)
            pixels = words.shape[3] // x.shape[3]
            x = x * column_mask(widths, x.shape[3], pixels).to(x.dtype)
        scores = self.score(x).float()[:, 0, 0]
        style = self.style(own_average(x, widths * 8 // self.height)).float()
        return own_mean(scores, widths, self.height // 8), style


def leaning(words: Tensor, slant: Tensor) -> Tensor:
    """Words (N, 1, H, W) sheared: their tops moved to the right by `slant` (N,) times half of H.

    Each row is moved by its own distance, between two pixels by mixing them. That is what
    `grid_sample` does, whose places, shares of the width, are less exact the wider a word is.
    """
    height, width = words.shape[2:]
    rows, columns = (torch.arange(n, device=words.device) for n in (height, width))
    moved = slant[:, None] * (rows + 0.5 - height / 2)
    whole = moved.floor()
    left = columns + whole.long()[:, :, None] + 1
    paper = F.pad(words[:, 0], (1, 1))  # what lies beyond the picture
    first, second = (paper.gather(2, (left + n).clamp(0, width + 1)) for n in (0, 1))
    return torch.lerp(first, second, (moved - whole)[:, :, None])[:, None]


def bleach(words: Tensor) -> Tensor:
    """Words (N, 1, H, W) without the faint ink that no stroke is near: specks on the paper.

    Around ink a little darker than a stroke must be it fades, so that rounding decides nothing.
    """
    beside = BESIDE * words.shape[2] // LINE_HEIGHT
    near = F.max_pool2d(words, 2 * beside + 1, 1, beside)
    return words * ((near / STROKE - 1) / FADING).clamp(0, 1)


def channels(filters: int, height: int) -> list[int]:
    """Of the generator's maps, from the smallest: 4 rows, 8, 16 and, for words 64 high, 32."""
    return [5 * filters, 7 * filters // 2, 2 * filters, filters][: {32: 3, 64: 4}[height]]


def padded(widths: Tensor, height: int) -> int:
    """The width of a batch that holds such words, in all processes."""
    step, widest = SPREAD * height // 32, here().most(cast(int, widths.max().item()))
    if torch.compiler.is_exporting():  # an exported program can't know that by itself
        torch._check(widest > 0)  # type: ignore[no-untyped-call]
    return (widest + step - 1) // step * step
