"""The network of `metrics.classifier`: small enough for minutes on a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gansmith.metrics.features import to_floats

GREY, COLOUR = (24, 48, 96, 128), (32, 64, 128, 128, 256)  # channels of each convolution
FEATURES = 128
HALVING = (0, 1, 3)  # the convolutions after which the picture is halved; never the last


class ConvNet(nn.Module):
    """uint8 (n, C, H, W) → features (n, D) and logits (n, classes), for pictures of any size.

    Convolutions 3×3 (5×5 first) with batch norm and ReLU, then a layer over the last channels'
    maxima, whose outputs are the features: batch norm gives every one of them unit size, which
    KID's kernel expects and FID's figures are easier to compare by. Pooling comes before batch
    norm, where it saves three quarters of the latter's work.
    """

    def __init__(self, channels: int, classes: int):
        super().__init__()
        widths = GREY if channels == 1 else COLOUR
        layers: list[nn.Module] = [nn.BatchNorm2d(channels, affine=False)]
        for number, width in enumerate(widths):
            size = 5 if number == 0 else 3
            before = channels if number == 0 else widths[number - 1]
            layers.append(nn.Conv2d(before, width, size, padding=size // 2, bias=False))
            if number in HALVING and number < len(widths) - 1:
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Linear(widths[-1], FEATURES, bias=False),
            nn.BatchNorm1d(FEATURES, affine=False),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return self.classify(to_floats(pictures))

    def classify(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From float32 (n, C, H, W) in [-1, 1], as `to_floats` gives them."""
        seen = self.body(x.contiguous(memory_format=torch.channels_last)).amax((2, 3))
        features = self.hidden(seen)
        return features, self.head(features)


def new_network(channels: int, classes: int) -> ConvNet:
    """A fresh one, laid out in memory as is fastest: its numbers depend on that layout."""
    network = ConvNet(channels, classes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return network
