"""Every kind of picture, and 500 damaged ones: decoded or skipped, never anything else."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image

from gansmith.data import inspect_source, open_source, prepare

# pytest shows again what the package has Pillow keep to itself.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")

SIZES = [(1, 1), (3, 200), (200, 3), (17, 31)]
MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["1", "L", "RGB", "CMYK", "YCbCr"],
    "GIF": ["1", "L", "P", "RGB", "RGBA"],
    "WEBP": ["RGB", "RGBA", "L"],
    "BMP": ["1", "L", "P", "RGB", "RGBA"],
    "TIFF": ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F", "I;16"],
    "PPM": ["1", "L", "RGB", "I"],
}
UNSUPPORTED = {"LAB"}  # Pillow has no way from it to RGB without a colour profile


def picture(mode: str, size: tuple[int, int]) -> Image.Image:
    width, height = size
    values = np.random.default_rng(width).integers(0, 256, (height, width, 4), dtype=np.uint8)
    if mode == "I;16":
        return Image.fromarray(values[..., 0].astype(np.uint16) * 257)
    if mode in ("I", "F"):
        return Image.fromarray(values[..., 0]).convert(mode)
    if mode in ("LAB", "PA"):
        return Image.frombytes(mode, size, values[..., : len(mode)].tobytes())
    image = Image.fromarray(values)
    return image.convert("L").convert("1") if mode == "1" else image.convert(mode)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def kinds() -> Iterator[tuple[str, bytes]]:
    """Every mode in every format that has it, in odd sizes and with a camera's orientation."""
    for format, modes in MODES.items():
        for mode in modes:
            for size in SIZES:
                content = encoded(picture(mode, size), format)
                yield f"{format}-{mode.replace(';', '')}-{size[0]}x{size[1]}", content
    for format in ("JPEG", "PNG", "TIFF", "WEBP"):
        for orientation in (*range(10), 65535):
            exif = Image.Exif()
            exif[0x0112] = orientation
            yield f"exif-{format}-{orientation}", encoded(picture("RGB", (9, 5)), format, exif=exif)
    frames = [picture("RGB", (9 + n, 9 + n)) for n in range(3)]
    for format in ("GIF", "WEBP", "PNG", "TIFF"):
        same = [frame.resize((9, 9)) for frame in frames]
        yield f"animated-{format}", encoded(same[0], format, save_all=True, append_images=same[1:])
    yield "tiff-pages", encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        yield f"tiff-{compression}", encoded(frames[0], "TIFF", compression=compression)
    yield "progressive", encoded(frames[0], "JPEG", progressive=True)
    yield "palette-transparent", encoded(picture("P", (9, 9)), "PNG", transparency=b"\0\x80\xff")
    yield "grey-keyed", encoded(picture("L", (9, 9)), "PNG", transparency=3)
    yield "trailing-rubbish", encoded(frames[0], "PNG") + b"rubbish" * 10


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width: int, height: int, depth: int, colour: int, *chunks: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def broken() -> Iterator[tuple[str, bytes]]:
    """Files that no decoder should get through."""
    whole = encoded(picture("RGB", (64, 64)), "PNG")
    data = chunk(b"IDAT", zlib.compress(bytes(100)))
    yield "empty", b""
    yield "one-byte", b"\x89"
    yield "text", b"this is no picture"
    yield "html", b"<html><body>404</body></html>"
    yield "signature-only", whole[:8]
    yield "png-no-data", png(8, 8, 8, 2)
    yield "png-bomb", png(60000, 60000, 8, 0, data)
    yield "png-zero-size", png(0, 8, 8, 0, data)
    yield "png-negative", png(2**31, 2**31, 8, 0, data)
    yield "png-bad-depth", png(8, 8, 7, 0, data)
    yield "png-short-data", png(64, 64, 8, 2, data)
    yield "png-text-bomb", png(8, 8, 8, 0, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))))
    yield (
        "postscript",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
    )
    yield "svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    yield "ppm-huge", b"P6 99999999 99999999 255\n"
    yield "ppm-no-numbers", b"P6 a b c\n"
    yield "gif-no-frame", b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b";"
    yield "bmp-header-only", b"BM" + bytes(52)
    yield "tiff-loop", b"II*\0" + struct.pack("<IHHHIII", 8, 1, 254, 4, 1, 0, 8)
    yield "webp-header-only", b"RIFF\x10\0\0\0WEBPVP8 "
    for format in ("JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM"):
        content = encoded(picture("RGB", (64, 64)), format)
        yield f"half-{format}", content[: len(content) // 2]


def written(root: Path, files: Iterator[tuple[str, bytes]]) -> Path:
    root.mkdir()
    for name, content in files:
        (root / f"{name}.png").write_bytes(content)
    return root


def test_200_kinds_are_decoded(tmp_path: Path) -> None:
    source = open_source(written(tmp_path / "kinds", kinds()))
    assert len(source) >= 200
    dataset = prepare(source, height=16, width=24, max_skipped=1.0)
    odd = [s for s in dataset.skipped if not any(mode in s.name for mode in UNSUPPORTED)]
    assert odd == []
    found = inspect_source(source, contact_sheet=tmp_path / "sheet.png")
    assert found.usable == len(dataset)
    kept = prepare(source, height=16, width=24, channels="alpha", max_skipped=1.0)
    assert kept.skipped == dataset.skipped
    assert kept.values.shape == (len(dataset), 4, 16, 24)


def test_broken_files_are_skipped(tmp_path: Path) -> None:
    good = ((f"good-{n}", encoded(picture("L", (9, 9)), "PNG")) for n in range(4))
    source = open_source(
        written(tmp_path / "broken", (pair for p in (good, broken()) for pair in p))
    )
    dataset = prepare(source, height=8, width=8, max_skipped=1.0)
    assert {skipped.name for skipped in dataset.skipped} == {f"{n}.png" for n, _ in broken()}
    assert all(skipped.reason for skipped in dataset.skipped)


@pytest.mark.parametrize("part", range(5))
def test_500_damaged_pictures(tmp_path: Path, part: int) -> None:
    dice = random.Random(part)
    whole = [content for name, content in kinds() if "200" not in name]
    pictures = ((f"{n:03}", damaged(dice, dice.choice(whole))) for n in range(100))
    source = open_source(written(tmp_path / "damaged", pictures))
    channels: Literal["alpha", "colour"] = "alpha" if part % 2 else "colour"
    dataset = prepare(source, height=16, width=16, channels=channels, max_skipped=1.0)
    assert len(dataset) + len(dataset.skipped) == 100
    assert inspect_source(source).count == 100


def damaged(dice: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    kind = dice.randrange(4)
    if kind == 0:
        return content[: dice.randrange(len(content))]
    if kind == 1:  # in the headers, where it hurts most
        for _ in range(dice.randint(1, 3)):
            changed[dice.randrange(min(64, len(changed)))] = dice.randrange(256)
    elif kind == 2:
        for _ in range(dice.randint(1, 10)):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    else:
        place = dice.randrange(len(changed))
        changed[place:place] = dice.randbytes(dice.randint(1, 40))
    return bytes(changed)
