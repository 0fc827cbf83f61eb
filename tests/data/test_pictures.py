"""One picture: closed forms for every step from a file to pixels."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from gansmith.data import pictures
from gansmith.data.pictures import MAX_PIXELS, Shape, decode, is_grey, reason_for
from gansmith.errors import GansmithError

Encode = Callable[..., bytes]


def grey(height: int, width: int, **options: str) -> Shape:
    return Shape(height, width, 1, **options)  # type: ignore[arg-type]


def colour(height: int, width: int, **options: str) -> Shape:
    return Shape(height, width, 3, **options)  # type: ignore[arg-type]


def test_same_size_is_untouched(encode: Encode, some_pictures: np.ndarray) -> None:
    decoded = decode(encode(some_pictures[0]), colour(10, 8))
    assert np.array_equal(decoded, some_pictures[0].transpose(2, 0, 1))
    assert np.array_equal(decode(some_pictures[0], colour(10, 8)), decoded)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_16_bit_is_scaled_by_257(encode: Encode, format: str) -> None:
    values = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    decoded = decode(encode(values, format), grey(16, 16))
    assert np.array_equal(decoded[0], np.arange(256).reshape(16, 16))


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_float_is_scaled_from_the_nearest_usual_range(encode: Encode, white: int) -> None:
    values = np.linspace(0, white, 256, dtype=np.float32).reshape(16, 16)
    decoded = decode(encode(values, "TIFF"), grey(16, 16))
    assert np.array_equal(decoded[0], np.arange(256).reshape(16, 16))


def test_float_beyond_is_stretched_and_nan_refused(encode: Encode) -> None:
    values = np.array([[-10, 0], [10, 30]], dtype=np.float32)
    assert decode(encode(values, "TIFF"), grey(2, 2)).tolist() == [[[0, 64], [128, 255]]]
    values[0, 0] = np.nan
    with pytest.raises(GansmithError, match="not numbers"):
        decode(encode(values, "TIFF"), grey(2, 2))


@pytest.mark.parametrize(
    ("background", "expected"), [("white", 255), ("black", 0), ("#336699", 0x33)]
)
def test_alpha_is_laid_on_the_background(encode: Encode, background: str, expected: int) -> None:
    picture = np.zeros((4, 4, 4), dtype=np.uint8)
    picture[0, 0] = (10, 20, 30, 255)
    decoded = decode(encode(picture), colour(4, 4, background=background))
    assert decoded[:, 0, 0].tolist() == [10, 20, 30]
    assert decoded[0, 1:].tolist() == np.full((3, 4), expected).tolist()


def test_half_alpha_is_half_way(encode: Encode) -> None:
    decoded = decode(encode(Image.new("LA", (4, 4), (0, 128))), grey(4, 4))
    assert abs(int(decoded[0, 0, 0]) - 127) <= 1


def test_transparent_palette_and_colour_key(encode: Encode) -> None:
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    assert decode(encode(palette), colour(4, 4))[:, 0, 0].tolist() == [200, 100, 50]
    assert decode(encode(palette, transparency=1), colour(4, 4)).min() == 255
    keyed = encode(Image.new("RGB", (4, 4), (1, 2, 3)), transparency=(1, 2, 3))
    assert decode(keyed, colour(4, 4)).min() == 255


def test_cmyk(encode: Encode) -> None:
    ink = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    red, green, blue = decode(encode(ink, "JPEG", quality=100), colour(16, 16))[:, 8, 8].tolist()
    assert red < 8
    assert min(green, blue) > 247


def test_first_frame_of_an_animation(encode: Encode) -> None:
    frames = [Image.new("RGB", (4, 4), c) for c in ("red", "green")]
    for format in ("GIF", "WEBP", "PNG"):
        data = encode(frames[0], format, save_all=True, append_images=frames[1:])
        assert decode(data, colour(4, 4))[:, 0, 0].tolist() == pytest.approx([255, 0, 0], abs=8)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation(encode: Encode, orientation: int, format: str) -> None:
    upright = np.kron(np.array([[0, 80, 160], [40, 120, 240]]), np.ones((8, 8)))
    upright = upright.astype(np.uint8)
    # How a camera stores what is upright, from the definition of the tag (EXIF 2.3, table 4.6.4).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: upright.T[::-1],
        7: upright.T[::-1, ::-1],
        8: upright.T[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "lossless": True} if format == "WEBP" else {}
    options |= {"quality": 100} if format == "JPEG" else {}
    data = encode(np.ascontiguousarray(stored), format, exif=exif, **options)
    decoded = decode(data, grey(16, 24))
    assert np.abs(decoded[0].astype(int) - upright).max() <= 6
    with pictures.open_picture(data) as opened:
        assert pictures.size_upright(opened) == (24, 16)


def test_crop_keeps_the_centre() -> None:
    picture = np.zeros((30, 90), dtype=np.uint8)
    picture[:, 30:60] = 255
    assert decode(picture, grey(30, 30)).min() == 255
    assert decode(picture.T.copy(), grey(30, 30)).min() == 255
    assert decode(picture, grey(10, 10))[..., 1:-1].min() >= 254


def test_crop_of_another_aspect() -> None:
    ramp = np.tile(np.arange(0, 240, 2, dtype=np.uint8), (60, 1))  # 60×120
    decoded = decode(ramp, grey(60, 80))
    assert np.array_equal(decoded[0], ramp[:, 20:100])


def test_pad_keeps_everything_on_the_background() -> None:
    picture = np.full((10, 20, 3), 7, dtype=np.uint8)
    decoded = decode(picture, colour(20, 20, fit="pad", background="#0000ff"))
    assert decoded[:, 5:15].min() == decoded[:, 5:15].max() == 7
    for rows in (slice(0, 5), slice(15, 20)):
        assert decoded[:, rows].reshape(3, -1).mean(axis=1).tolist() == [0, 0, 255]


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (3, 2), (257, 31)])
@pytest.mark.parametrize("fit", ["crop", "pad"])
def test_odd_sizes(size: tuple[int, int], fit: str) -> None:
    decoded = decode(np.full(size, 99, dtype=np.uint8), grey(16, 24, fit=fit, background="#636363"))
    assert decoded.shape == (1, 16, 24)
    assert decoded.min() == decoded.max() == 99


def test_large_jpeg_is_reduced_well(encode: Encode) -> None:
    ramp = np.tile(np.linspace(0, 255, 1024), (1024, 1)).astype(np.uint8)
    decoded = decode(encode(ramp, "JPEG", quality=95), grey(32, 32))
    expected = np.linspace(255 / 64, 255 - 255 / 64, 32)
    assert np.abs(decoded[0] - expected).max() < 3


def test_grey_tolerates_noise_but_sees_a_coloured_stroke(encode: Encode) -> None:
    rng = np.random.default_rng(0)
    shade = rng.integers(0, 256, (64, 64, 1), dtype=np.int16)
    noisy = np.clip(shade + rng.integers(-1, 2, (64, 64, 3)), 0, 255).astype(np.uint8)
    assert is_grey(noisy)
    assert is_grey(encode(np.repeat(shade, 3, axis=2).astype(np.uint8), "JPEG"))
    noisy[30, 10:60] = (255, 0, 0)
    assert not is_grey(noisy)


def test_refusals(encode: Encode) -> None:
    picture = encode(Image.effect_noise((64, 64), 50))
    reasons = {
        b"": "empty",
        b"hello": "not a picture of a known kind",
        picture[: len(picture) // 2]: "cut short",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n": "not a picture of a known kind",
        encode(Image.new("1", (8000, 8000))): "megapixels",
    }
    for content, reason in reasons.items():
        with pytest.raises(Exception) as caught:  # noqa: PT011
            decode(content, grey(8, 8))
        assert reason in reason_for(caught.value)


def test_exactly_50_megapixels_is_allowed(encode: Encode) -> None:
    assert MAX_PIXELS == 50_000_000
    largest = encode(Image.new("1", (5000, 10000)))
    assert decode(largest, grey(8, 8)).max() == 0


def test_bomb_warnings_are_errors(encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest sets the filters anew for each test, hence the one of the module again.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    content = encode(Image.new("L", (12, 12)))
    importlib.reload(pictures)
    with pytest.raises(Image.DecompressionBombWarning) as caught:
        pictures.decode(content, grey(8, 8))
    assert "megapixels" in reason_for(caught.value)


def test_every_exception_has_a_reason() -> None:
    for error in (MemoryError(), ValueError(), OSError("x\ny"), ZeroDivisionError("division")):
        assert reason_for(error)
        assert "\n" not in reason_for(error)
