"""The network of `metrics.classifier`: small enough for minutes on a processor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gansmith.metrics.features import to_floats

GREY, COLOUR = (24, 48, 96, 128), (32, 64, 128, 128, 256)  # channels of each convolution
# Of the logits: the maxima are so large that a learning rate good for the convolutions throws the
# last layer about (100 MNIST digits, 400 steps: the loss from 0.3 to 2.3 at once, in one seed of two).
SCALE = 1 / 8
HALVING = (0, 1, 3)  # the convolutions after which the picture is halved; never the last


class ConvNet(nn.Module):
    """uint8 (n, C, H, W) → features (n, D) and logits (n, classes), for pictures of any size.

    Convolutions 3×3 (5×5 first) with batch norm and ReLU, and the last channels' maxima are the
    features. Pooling comes before batch norm, where it saves three quarters of the latter's work.
    """

    def __init__(self, channels: int, classes: int):
        super().__init__()
        widths = GREY if channels == 1 else COLOUR
        layers: list[nn.Module] = [nn.BatchNorm2d(channels, affine=False)]
        for number, width in enumerate(widths):
            size = 5 if number == 0 else 3
            before = channels if number == 0 else widths[number - 1]
            layers.append(nn.Conv2d(before, width, size, padding=size // 2, bias=False))
            if number < 2 or (number == 3 and len(widths) > 4):
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return self.classify(to_floats(pictures))

    def classify(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From float32 (n, C, H, W) in [-1, 1], as `to_floats` gives them."""
        features = self.body(x.contiguous(memory_format=torch.channels_last)).amax((2, 3))
        return features, self.head(features) * SCALE


def new_network(channels: int, classes: int) -> ConvNet:
    """A fresh one, laid out in memory as is fastest: its numbers depend on that layout."""
    network = ConvNet(channels, classes)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return network
