"""The Inception-v3 that FID is measured with: the TensorFlow graph of 2015-12-05.

Szegedy et al. 2016 ("Rethinking the Inception Architecture"), §6 and figures 5 to 7, as Heusel et
al. 2017 use it. Published figures depend on what this graph does unlike the paper's network: an
average pool leaves the padding out of its mean, the last block takes the maximum instead of the
average, there are 1008 classes, and pictures are resized as TensorFlow 1 resized them. The names of
the weights are those that the PyTorch conversions of the graph share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gansmith.errors import GansmithError

SIDE = 299
FEATURES = 2048
CLASSES = 1008
RESIZE = f"bilinear (TensorFlow 1) to {SIDE}x{SIDE}"


@dataclass(frozen=True)
class Conv:
    """A convolution with batch norm and ReLU; the padding keeps the size unless it is "valid"."""

    name: str
    width: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    valid: bool = False


def average(x: Tensor) -> Tensor:
    """3×3 mean that leaves the padding out: at an edge it is the mean of six, in a corner of four."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def maximum(x: Tensor) -> Tensor:
    """3×3 maximum, size kept."""
    return F.max_pool2d(x, 3, stride=1, padding=1)


def halve(x: Tensor) -> Tensor:
    """3×3 maximum at every other place, unpadded."""
    return F.max_pool2d(x, 3, stride=2)


# A branch is a chain of steps; a tuple within it is a fork, whose results are joined.
Step = Conv | tuple[Conv, ...] | Callable[[Tensor], Tensor]
Branch = list[Step]


def _block_a(pooled: int) -> list[Branch]:
    """Figure 5: 5×5, and two 3×3 in its place."""
    return [
        [Conv("branch1x1", 64)],
        [Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, (5, 5))],
        [
            Conv("branch3x3dbl_1", 64),
            Conv("branch3x3dbl_2", 96, (3, 3)),
            Conv("branch3x3dbl_3", 96, (3, 3)),
        ],
        [average, Conv("branch_pool", pooled)],
    ]


def _block_b() -> list[Branch]:
    """From 35×35 to 17×17."""
    return [
        [Conv("branch3x3", 384, (3, 3), stride=2, valid=True)],
        [
            Conv("branch3x3dbl_1", 64),
            Conv("branch3x3dbl_2", 96, (3, 3)),
            Conv("branch3x3dbl_3", 96, (3, 3), stride=2, valid=True),
        ],
        [halve],
    ]


def _block_c(inner: int) -> list[Branch]:
    """Figure 6: 7×7 as rows and columns."""
    row, column = (1, 7), (7, 1)
    return [
        [Conv("branch1x1", 192)],
        [
            Conv("branch7x7_1", inner),
            Conv("branch7x7_2", inner, row),
            Conv("branch7x7_3", 192, column),
        ],
        [
            Conv("branch7x7dbl_1", inner),
            Conv("branch7x7dbl_2", inner, column),
            Conv("branch7x7dbl_3", inner, row),
            Conv("branch7x7dbl_4", inner, column),
            Conv("branch7x7dbl_5", 192, row),
        ],
        [average, Conv("branch_pool", 192)],
    ]


def _block_d() -> list[Branch]:
    """From 17×17 to 8×8."""
    return [
        [Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, (3, 3), stride=2, valid=True)],
        [
            Conv("branch7x7x3_1", 192),
            Conv("branch7x7x3_2", 192, (1, 7)),
            Conv("branch7x7x3_3", 192, (7, 1)),
            Conv("branch7x7x3_4", 192, (3, 3), stride=2, valid=True),
        ],
        [halve],
    ]


def _block_e(pool: Callable[[Tensor], Tensor]) -> list[Branch]:
    """Figure 7: the coarsest, where branches fork."""
    row, column = (1, 3), (3, 1)
    return [
        [Conv("branch1x1", 320)],
        [
            Conv("branch3x3_1", 384),
            (Conv("branch3x3_2a", 384, row), Conv("branch3x3_2b", 384, column)),
        ],
        [
            Conv("branch3x3dbl_1", 448),
            Conv("branch3x3dbl_2", 384, (3, 3)),
            (Conv("branch3x3dbl_3a", 384, row), Conv("branch3x3dbl_3b", 384, column)),
        ],
        [pool, Conv("branch_pool", 192)],
    ]


_STEM: Branch = [
    Conv("Conv2d_1a_3x3", 32, (3, 3), stride=2, valid=True),
    Conv("Conv2d_2a_3x3", 32, (3, 3), valid=True),
    Conv("Conv2d_2b_3x3", 64, (3, 3)),
    halve,
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, (3, 3), valid=True),
    halve,
]
_BLOCKS: dict[str, list[Branch]] = {
    "Mixed_5b": _block_a(32),
    "Mixed_5c": _block_a(64),
    "Mixed_5d": _block_a(64),
    "Mixed_6a": _block_b(),
    "Mixed_6b": _block_c(128),
    "Mixed_6c": _block_c(160),
    "Mixed_6d": _block_c(160),
    "Mixed_6e": _block_c(192),
    "Mixed_7a": _block_d(),
    "Mixed_7b": _block_e(average),
    "Mixed_7c": _block_e(maximum),
}


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm (ε 0.001), ReLU: (n, C, H, W) → (n, width, H', W')."""

    def __init__(self, channels: int, conv: Conv):
        super().__init__()
        padding = (0, 0) if conv.valid else (conv.kernel[0] // 2, conv.kernel[1] // 2)
        self.conv = nn.Conv2d(channels, conv.width, conv.kernel, conv.stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(conv.width, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches side by side, their results joined: (n, C, H, W) → (n, `channels`, H', W')."""

    def __init__(self, channels: int, branches: list[Branch]):
        super().__init__()
        self._branches = branches
        self.channels = sum(_build(self, channels, branch) for branch in branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([_walk(self, x, branch) for branch in self._branches], 1)


def _build(owner: nn.Module, channels: int, branch: Branch) -> int:
    """Give `owner` the branch's convolutions; returns the channels it ends with."""
    for step in branch:
        convs = (step,) if isinstance(step, Conv) else step if isinstance(step, tuple) else ()
        for conv in convs:
            owner.add_module(conv.name, ConvNorm(channels, conv))
        channels = sum(conv.width for conv in convs) or channels
    return channels


def _walk(owner: nn.Module, x: Tensor, branch: Branch) -> Tensor:
    for step in branch:
        if isinstance(step, Conv):
            x = owner.get_submodule(step.name)(x)
        elif isinstance(step, tuple):
            x = torch.cat([owner.get_submodule(conv.name)(x) for conv in step], 1)
        else:
            x = step(x)
    return x


class InceptionV3(nn.Module):
    """uint8 (n, C, H, W) → features (n, 2048), logits (n, 1008); always in float32.

    Grey is shown as three equal channels, and colour with alpha as it looks on white. The features
    are the last block's means over places ("pool3"). The logits leave out the last layer's bias,
    as those behind every published Inception Score do (Salimans et al. 2016 multiply pool3 with the
    weights alone); `fc.bias` is there because the weights' file has it.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = _build(self, 3, _STEM)
        for name, branches in _BLOCKS.items():
            block = Mixed(channels, branches)
            self.add_module(name, block)
            channels = block.channels
        self.fc = nn.Linear(channels, CLASSES)
        self.eval().requires_grad_(False)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        with _full_precision(pictures.device):
            x = resize_bilinear(in_colour(pictures), SIDE, SIDE)
            return self.look((x - 128) / 128)

    def look(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """float32 (n, 3, H, W) in [-1, 1], 75 pixels a side or more → features and logits."""
        x = _walk(self, x, _STEM)
        for name in _BLOCKS:
            x = self.get_submodule(name)(x)
        features = x.mean((2, 3))
        return features, F.linear(features, self.fc.weight)


def in_colour(pictures: Tensor) -> Tensor:
    """uint8 (n, C, H, W) of grey, colour, or colour and alpha → float32 (n, 3, H, W), 0…255.

    What is transparent shows white, as on a page.
    """
    channels = pictures.shape[1]
    if channels not in (1, 3, 4):
        raise GansmithError(
            f"Inception needs pictures of 1, 3 or 4 channels, but these have {channels}: measure "
            "them in another feature space."
        )
    x = pictures.float()
    if channels == 4:
        alpha = x[:, 3:] / 255
        return x[:, :3] * alpha + 255 * (1 - alpha)
    return x.expand(-1, 3, -1, -1)


def resize_bilinear(x: Tensor, height: int, width: int) -> Tensor:
    """TensorFlow 1's ResizeBilinear, ``align_corners=False``: (n, C, H, W) → (n, C, height, width).

    Place i comes from i · in/out, with neither today's half a pixel nor any averaging: a picture
    made smaller is sampled, one made larger leans to the top left. FID is defined with this.
    """
    return _stretch(_stretch(x, width, 3), height, 2)


def _stretch(x: Tensor, size: int, axis: int) -> Tensor:
    old = x.shape[axis]
    # float32 throughout, as the graph has it, so that places are rounded alike
    places = torch.arange(size, dtype=torch.float32, device=x.device)
    places = places * (torch.tensor(float(old), device=x.device) / size)
    below = places.long().clamp(max=old - 1)
    above = (below + 1).clamp(max=old - 1)
    part = (places - below).reshape(-1, *[1] * (3 - axis))
    low = x.index_select(axis, below)
    return low + (x.index_select(axis, above) - low) * part


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Neither autocast nor TF32 nor bf16, whatever is set: published figures come from float32."""
    backends = cast(Any, torch.backends)  # whose operators are no modules, as type checkers think
    settings = [backends.cudnn.conv, backends.mkldnn.conv]
    settings += [backends.cuda.matmul, backends.mkldnn.matmul]
    before, overall = [s.fp32_precision for s in settings], torch.get_float32_matmul_precision()
    try:
        # For products there are an older and a newer setting, and PyTorch insists that they agree:
        # the older one sets both.
        torch.set_float32_matmul_precision("highest")
        for setting in settings:
            setting.fp32_precision = "ieee"
        with torch.autocast(device.type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(overall)
        for setting, precision in zip(settings, before, strict=True):
            setting.fp32_precision = precision
