"""A generator as a function of plain tensors, for whoever runs it without gansmith."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.models import draw_latent
from gansmith.models.layout import label_rows, widths_for

CLOSE = 1e-5  # as far as what another program makes may be from what torch makes, of a range of 1
TRACED, LETTERS = 3, 5  # rows and characters of what it is traced with: sizes that stand for any
TRIED = ((1, 1), (2, 12), (9, 5), (32, 7))  # rows and characters of what it is tried with

Run = Callable[[dict[str, Tensor]], Sequence[np.ndarray | Tensor]]


class Maker(nn.Module):
    """Latents (N, Z) and, where there are classes, labels (N,) → pictures (N, C, H, W) in [-1, 1],
    or points (N, D) in the data's own units."""

    mean: Tensor
    std: Tensor

    def __init__(self, model: Model):
        super().__init__()
        self.network, self.points = model.network, model.spec.kind == "points"
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(getattr(model.spec, name), dtype=torch.float32))

    def forward(self, latent: Tensor, labels: Tensor | None = None) -> Tensor:
        made: Tensor = self.network(latent, labels)
        return made * self.std + self.mean if self.points else made


class Writer(nn.Module):
    """Latents (N, Z) and characters' numbers in the alphabet (N, L), from 1, then zeros → words
    (N, 1, H, W), ink -1 and paper 1, and the width of each, (N,), beyond which there is only paper."""

    def __init__(self, model: Model):
        super().__init__()
        self.network, self.spec = model.network, model.spec

    def forward(self, latent: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        widths = widths_for(codes, latent, self.spec)
        return 1 - 2 * self.network(latent, label_rows(widths, codes)), widths


@dataclass(frozen=True)
class Program:
    """What `export` of torch made of a generator, and what its inputs and outputs are called."""

    model: Model
    module: nn.Module
    exported: ExportedProgram
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def examples(self, rows: int, letters: int, seed: int = 0) -> dict[str, Tensor]:
        return examples(self.model, rows, letters, seed)

    def deviation(self, run: Run) -> float:
        """How far what `run` makes is from what torch makes, at most, in shares of the range (of
        points of their deviation). Raises GansmithError where that is more than rounding."""
        scale = max(1.0, *self.model.spec.std) if self.model.spec.kind == "points" else 1.0
        found = []
        for seed, (rows, letters) in enumerate(TRIED):
            given = self.examples(rows, letters, seed)
            with torch.no_grad():
                expected = self.module(**given)
            for a, b in zip(as_tuple(expected), run(given), strict=True):
                if a.shape != tuple(b.shape):
                    raise GansmithError(f"expected {tuple(a.shape)}, found {tuple(b.shape)}")
                found.append((a - torch.as_tensor(b)).abs().max() / scale)
        most = float(torch.stack(found).max())  # not a number, if one is not
        if not most <= CLOSE:
            raise GansmithError(
                f"what was exported makes other things than torch: expected a difference of at most "
                f"{CLOSE}, found {most:.2g}; nothing was written"
            )
        return most


def trace(model: Model) -> Program:
    """The generator with any number of rows and, of words, of characters."""
    written = model.spec.kind == "words"
    module = (Writer(model) if written else Maker(model)).eval()
    given = examples(model, TRACED, LETTERS)
    rows, letters = Dim("rows", min=1), Dim("letters", min=1)
    dynamic = {name: {0: rows} | ({1: letters} if name == "codes" else {}) for name in given}
    with torch.no_grad():
        exported = torch.export.export(module, (), given, dynamic_shapes=dynamic)
    outputs = {"words": ("words", "widths"), "points": ("points",)}
    return Program(
        model, module, exported, tuple(given), outputs.get(model.spec.kind, ("pictures",))
    )


def examples(model: Model, rows: int, letters: int, seed: int = 0) -> dict[str, Tensor]:
    """Inputs as somebody could give them."""
    generator = torch.Generator().manual_seed(seed)
    given = {"latent": draw_latent(model.config, rows, torch.device("cpu"), generator)}
    if model.spec.script is not None:
        known = len(model.spec.script.alphabet)
        given["codes"] = torch.randint(1, known + 1, (rows, letters), generator=generator)
        for row in range(1, rows):  # words of one batch are not all equally long
            given["codes"][row, 1 + row % letters :] = 0
    elif model.spec.classes:
        given["labels"] = torch.randint(model.spec.class_count, (rows,), generator=generator)
    return given


def as_tuple(made: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return made if isinstance(made, tuple) else (made,)
