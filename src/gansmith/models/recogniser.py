"""The recogniser in the game: convolutions alone, so that it reads strokes and not language.

A recurrent network would learn which letters follow which, and would read what a generator meant
instead of what it wrote (Fogel et al. 2020, §3.3).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.config import Config, DataSpec
from gansmith.models.layout import columns_of
from gansmith.models.masked import MaskedBatchNorm, column_mask
from gansmith.world import Dropout, here

BLANK = 0  # of CTC; characters are numbered from 1
SLOPE = 0.1
DROPPED = 0.1


class Recogniser(nn.Module):
    """Words (N, 1, H, W) and their widths (N,) → log probabilities (N, K, characters + 1).

    K columns, an eighth of the height wide; of each word's own there are widths · 8 / H.
    """

    def __init__(self, config: Config, spec: DataSpec):
        super().__init__()
        assert spec.script is not None
        self.height, filters = spec.shape[1], config.recogniser_filters
        self.usual: Tensor
        self.register_buffer("usual", torch.tensor([0.0, *spec.script.widths]))
        sizes = [4, *(round(filters * n) for n in (1.5, 3, 5, 7, 7, 10, 10, 10))]
        shapes: list[tuple[tuple[int, int], tuple[int, int], tuple[int, int]]] = [
            ((3, 3), (1, 1), (1, 1)),
            ((4, 4), (2, 2), (1, 1)),
            ((3, 3), (1, 1), (1, 1)),
            ((4, 3), (2, 1), (1, 1)),
            ((3, 3), (1, 1), (1, 1)),
            ((4, 1), (1, 1), (0, 0)),
            ((1, 5), (1, 1), (0, 2)),
            ((1, 5), (1, 1), (0, 2)),
        ]
        if self.height == 64:
            sizes.insert(2, sizes[2])
            shapes.insert(1, ((4, 4), (2, 2), (1, 1)))
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, kernel, stride, padding, bias=False)
            for (a, b), (kernel, stride, padding) in zip(pairwise(sizes), shapes, strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(size) for size in sizes[1:])
        self.dropout = Dropout(DROPPED)
        self.out = nn.Linear(sizes[-1], len(spec.script.alphabet) + 1)

    def forward(self, words: Tensor, widths: Tensor) -> Tensor:
        x = F.pixel_unshuffle(words, 2).contiguous(memory_format=torch.channels_last)
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = layer(x)
            mask = column_mask(widths, x.shape[3], words.shape[3] // x.shape[3])
            x = F.leaky_relu(norm(x * mask.to(x.dtype), mask), SLOPE, inplace=True)
        scores = self.out(self.dropout(x[:, :, 0].transpose(1, 2)))
        # In fp32, and normalised: CTC takes log probabilities, not scores.
        log_probabilities: Tensor = scores.float().log_softmax(-1)
        return log_probabilities


def placing_loss(log_probabilities: Tensor, labels: Tensor, height: int, usual: Tensor) -> Tensor:
    """How unlikely each character is in the middle half of where it should lie by the `usual`
    widths, and the blank elsewhere: the mean over columns.

    A first guess at the alignment, that CTC takes hundreds of batches to find by itself.
    """
    columns = log_probabilities.shape[1]
    widths, codes = labels[:, 0] * 8 // height, labels[:, 1:]
    place, phase, wide = columns_of(codes, widths, columns, usual)
    middle = ((phase > 0.25) & (phase < 0.75)) | (wide < 1.5)
    expected = torch.where(middle, codes.gather(1, place), BLANK)
    losses = -log_probabilities.gather(2, expected[..., None])[..., 0]
    own = torch.arange(columns, device=widths.device) < widths[:, None]
    return (losses * own).sum() / here().mean(own.sum().float())


def reading_loss(log_probabilities: Tensor, labels: Tensor, height: int) -> Tensor:
    """CTC (Graves et al. 2006, eq. 5) a character, the mean over words.

    log_probabilities (N, K, A + 1) as of `Recogniser`, labels (N, 1 + L). Only a word's own columns
    count. A text that has no room in them (two equal letters need a column between) counts nothing.
    """
    widths, codes = labels[:, 0], labels[:, 1:]
    lengths = (codes > 0).sum(1)
    losses = F.ctc_loss(
        log_probabilities.transpose(0, 1),
        codes,
        widths * 8 // height,
        lengths,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    return (losses / lengths).mean()


def read(log_probabilities: Tensor, widths: Tensor, height: int) -> list[list[int]]:
    """The likeliest path of each word, without repeats and blanks: characters' numbers."""
    texts = []
    for path, own in zip(
        log_probabilities.argmax(-1).tolist(), (widths * 8 // height).tolist(), strict=True
    ):
        path = path[:own]
        changes = (b for a, b in zip([BLANK, *path], path, strict=False) if b != a)
        texts.append([number for number in changes if number != BLANK])
    return texts
