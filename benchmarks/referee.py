"""One judge for generators of several sizes: the data set's own classifier, at its own size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gansmith.data import Dataset, Source, prepare
from gansmith.generate import Model
from gansmith.metrics.classifier import classifier_space
from gansmith.metrics.distances import fid
from gansmith.metrics.evaluation import as_tensor, split
from gansmith.metrics.features import FeatureSpace

MADE = 10_000


class Referee:
    """FID of generated pictures against real ones that were prepared for the same network.

    Protocol: `MADE` generated pictures (at most half as many as there are real ones) against the
    training set but for as many, in the features of one classifier that was trained on the whole
    training set at its own size. Pictures of another size, generated and real alike, are brought to
    that by averaging. The floor is the same metric for the real ones that were left out; a
    conditional generator is asked for their `labels`, so that the classes weigh the same in both.
    """

    def __init__(self, real: Dataset, space: FeatureSpace, side: tuple[int, int]):
        self.space, self.side = space, side
        self.count = min(MADE, len(real) // 2)
        sides = split(len(real), self.count, seed=0)
        self.held, self.reference = (
            self.features(real.values[rows]) for rows in (sides.held, sides.reference)
        )
        self.floor = fid(self.held, self.reference)
        self.labels = None if real.labels is None else real.labels[sides.held].tolist()

    def features(self, pictures: Tensor) -> Tensor:
        return self.space.embed(self.resized(pictures)).features

    def resized(self, pictures: Tensor) -> Tensor:
        if tuple(pictures.shape[2:]) == self.side:
            return pictures
        parts = torch.split(pictures, 1000)
        return torch.cat(
            [F.interpolate(p.float(), self.side, mode="area").round().byte() for p in parts]
        )

    def ask(self, model: Model) -> Tensor:
        """As many of the model's pictures as the judge wants, of the classes it wants."""
        labels = self.labels if model.spec.classes else None
        return as_tensor(model.generate(self.count, seed=1, labels=labels))

    def fid(self, pictures: Tensor) -> float:
        return fid(self.features(pictures), self.reference)


def own_size(source: Source) -> tuple[Dataset, FeatureSpace, tuple[int, int]]:
    """The data at their own size, their classifier, and that size."""
    real = prepare(source, height=None, width=None)
    height, width = real.values.shape[2:]
    return real, classifier_space(real, say=print), (height, width)
