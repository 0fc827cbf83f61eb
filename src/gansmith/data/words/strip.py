"""Many words in one array, none of which takes more room than it is wide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gansmith.data.source import Array


@dataclass(frozen=True)
class Strip:
    """Words of one height, one after the other.

    Attributes:
        columns: uint8 (ΣW, H), dark on white: a row for each column of each word.
        widths: int64 (N,), how many columns are each word's own.
    """

    columns: Tensor
    widths: Tensor

    @staticmethod
    def of(words: Iterable[Array]) -> Strip:
        """Of words uint8 (H, W), each as wide as it is; at least one."""
        columns = [torch.from_numpy(np.ascontiguousarray(word.T)) for word in words]
        return Strip(torch.cat(columns), torch.tensor([len(part) for part in columns]))

    def __len__(self) -> int:
        return len(self.widths)

    def __getitem__(self, rows: Tensor) -> Tensor:
        """Words with these numbers (n,), as uint8 (n, 1, H, W): W the widest's, paper beyond."""
        widths = self.widths[rows]
        place = torch.arange(max(widths.tolist(), default=0), device=widths.device)
        inside = place < widths[:, None]
        at = torch.where(inside, self._starts[rows, None] + place, 0)
        found = self.columns[at].masked_fill_(~inside[..., None], 255)
        return found.transpose(1, 2)[:, None].contiguous()

    @cached_property
    def _starts(self) -> Tensor:
        return self.widths.cumsum(0) - self.widths
