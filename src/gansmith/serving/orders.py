"""What a client may ask for, and as what it comes back."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from gansmith.imaging import grid, png_bytes, to_picture
from gansmith.serving.studio import Example
from gansmith.writing import stack

Label = Annotated[str, Field(max_length=200)] | Annotated[int, Field(ge=0, lt=2**31)]
Format = Literal["png", "npz", "json"]
TYPES: dict[Format, str] = {
    "png": "image/png",
    "npz": "application/x-npz",
    "json": "application/json",
}


@dataclass(frozen=True)
class Limits:
    """How much one may ask for, and how much may wait."""

    n: int = 256  # examples of one order
    text: int = 200  # characters
    body: int = 65_536  # bytes
    waiting: int = 2048  # rows: pictures, or single words


class Order(BaseModel):
    """Body of a request. Of words `text` is needed, and `n` is in how many styles."""

    model_config = ConfigDict(extra="forbid", strict=True)

    n: Annotated[int, Field(ge=1, description="How many.")] = 1
    seed: Annotated[
        int, Field(ge=0, lt=2**63, description="Example i of a seed is always the same.")
    ] = 0
    labels: Annotated[
        Label | Annotated[list[Label], Field(max_length=1000)] | None,
        Field(description="Classes to make in turn, by name or number."),
    ] = None
    text: Annotated[str | None, Field(description="What to write.")] = None
    format: Annotated[
        Format | None,
        Field(
            description="A sheet as PNG, arrays as NumPy's .npz, or JSON with a PNG in base64 each."
        ),
    ] = None


def encode(examples: Sequence[Example], form: Format) -> bytes:
    """The answer's body."""
    return {"png": _sheet, "npz": _arrays, "json": _told}[form](examples)


def _told(examples: Sequence[Example]) -> bytes:
    labels = [e.label for e in examples] if examples[0].label is not None else None
    each = [
        {"png": base64.b64encode(_png(e.values)).decode()}
        if e.values.dtype == np.uint8
        else {"point": e.values.tolist()}
        for e in examples
    ]
    return json.dumps({"count": len(each), "examples": each, "labels": labels}).encode()


def _png(values: np.ndarray) -> bytes:
    return png_bytes(to_picture(values))


def _sheet(examples: Sequence[Example]) -> bytes:
    """One picture as it is; several on a grid, lines below each other."""
    if examples[0].is_line:
        return png_bytes(stack([to_picture(e.values) for e in examples]))
    if len(examples) == 1:
        return _png(examples[0].values)
    return png_bytes(grid(np.stack([e.values for e in examples])))


def _arrays(examples: Sequence[Example]) -> bytes:
    """`images` (N, H, W, C) or `points` (N, D), and `labels`; lines, of many sizes, are `line_0` …"""
    buffer = io.BytesIO()
    values = [e.values for e in examples]
    if examples[0].is_line:
        arrays = {f"line_{n}": v for n, v in enumerate(values)}
    else:
        arrays = {"points" if values[0].ndim == 1 else "images": np.stack(values)}
    if examples[0].label is not None:
        arrays["labels"] = np.array([e.label for e in examples])
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
