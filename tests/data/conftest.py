"""Pictures and files to try the data package on; every test gets a cache of its own."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("GANSMITH_CACHE", str(folder))
    monkeypatch.delenv("GANSMITH_MIRROR", raising=False)
    return folder


@pytest.fixture
def encode() -> Callable[..., bytes]:
    def encode(image: Image.Image | np.ndarray, format: str = "PNG", **options: Any) -> bytes:
        image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        file = io.BytesIO()
        image.save(file, format, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def some_pictures() -> np.ndarray:
    """uint8 12×10×8×3, all different, in colour."""
    return np.random.default_rng(0).integers(0, 256, (12, 10, 8, 3), dtype=np.uint8)


@pytest.fixture
def picture_folder(tmp_path: Path, some_pictures: np.ndarray, encode: Callable[..., bytes]) -> Path:
    """Twelve PNG pictures in one folder for each of the classes "cat" and "dog"."""
    root = tmp_path / "animals"
    for number, picture in enumerate(some_pictures):
        path = root / ("cat", "dog")[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(picture))
    return root
