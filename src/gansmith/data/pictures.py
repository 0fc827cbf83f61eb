"""One picture: from whatever a person has to a uint8 array of the size and channels wanted."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from PIL import Image, ImageColor, UnidentifiedImageError, features

from gansmith.data import transparency
from gansmith.data.source import Array
from gansmith.errors import GansmithError

MAX_PIXELS = 50_000_000
MAX_BYTES = 512 * 2**20  # of one encoded picture: 50 megapixels at 8 bytes, and some

# Decoders that are widely used and widely attacked, hence well kept; above all no PostScript,
# which would start another program.
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
SUFFIXES = frozenset(
    f".{suffix}"
    for suffixes in ("png apng jpg jpeg jpe jfif gif", "webp bmp tif tiff avif", "ppm pgm pbm pnm")
    for suffix in suffixes.split()
)

# Pillow's own alarm about pictures that unpack to gigabytes is an error here. Ours rings earlier,
# this one also covers what a decoder meets only while unpacking.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
# What it only mutters about is either no matter (broken EXIF data) or ends in an error anyway.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF orientation -> what turns the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Shape:
    """What every picture is brought to.

    ``fit`` says what happens to another aspect: "crop" keeps the centre, "pad" keeps everything
    and fills up with ``background``, on which transparent pictures are flattened too. With 4
    channels transparency stays; what fills up is transparent, and ``background`` the colour of
    whatever is.
    """

    height: int
    width: int
    channels: int  # 1 grey, 3 colour, 4 colour and alpha
    fit: Literal["crop", "pad"] = "crop"
    background: str = "white"

    @property
    def bytes_each(self) -> int:
        return self.channels * self.height * self.width


def decode(content: bytes | Array, shape: Shape) -> Array:
    """Return the picture as uint8 C×H×W. Raises anything; see ``reason_for``."""
    with open_picture(content) as opened:
        _draft(opened, shape)
        fitted = fit_picture(upright(_in_channels(opened, shape), opened), shape)
    pixels: Array = np.asarray(fitted, dtype=np.uint8)
    if shape.channels == 4:
        pixels = transparency.without_hidden(pixels, shape.background)
    return pixels[None] if shape.channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def open_picture(content: bytes | Array) -> Image.Image:
    """Open a picture without decoding it, refusing unknown formats and more than 50 megapixels."""
    if isinstance(content, np.ndarray):
        return Image.fromarray(content)
    if not content:
        raise GansmithError("the file is empty")
    picture = Image.open(io.BytesIO(content), formats=_known_formats())
    if picture.width * picture.height > MAX_PIXELS:
        raise GansmithError(
            f"{picture.width}×{picture.height} pixels is more than {MAX_PIXELS // 10**6} megapixels"
        )
    return picture


def load(picture: Image.Image) -> Image.Image:
    """Decode to 8 bits a channel, in whatever mode and with whatever transparency."""
    picture.load()
    deep = picture.mode.startswith("I") or picture.mode == "F"
    return Image.fromarray(_deep_to_8_bit(picture)) if deep else picture


def flatten(picture: Image.Image, background: str, grey: bool) -> Image.Image:
    """Decode to 8-bit grey ("L") or colour ("RGB"), transparent parts laid on ``background``."""
    picture = load(picture)
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, background)
        picture = Image.alpha_composite(ground, with_alpha)
    mode = "L" if grey else "RGB"
    if picture.mode not in ("L", "RGB", "1"):  # by way of RGB, as not every mode has a way to grey
        picture = picture.convert("RGB")
    return picture if picture.mode == mode else picture.convert(mode)


def upright(picture: Image.Image, original: Image.Image) -> Image.Image:
    """Turn ``picture`` as the EXIF data of ``original`` (the camera) asks."""
    turn = _UPRIGHT.get(_orientation(original))
    return picture if turn is None else picture.transpose(turn)


def size_upright(picture: Image.Image) -> tuple[int, int]:
    """Return (width, height) as seen once turned upright, without decoding."""
    width, height = picture.size
    turned = _orientation(picture) >= 5 and picture.format != "TIFF"  # Pillow turns those itself
    return (height, width) if turned else (width, height)


def fit_picture(picture: Image.Image, shape: Shape) -> Image.Image:
    """Resize to the height and width of ``shape``, then crop the centre or pad."""
    wanted = (shape.width, shape.height)
    if picture.size == wanted:
        return picture
    if shape.fit == "pad":
        return _pad(picture, shape)
    # The largest box of the wanted aspect around the centre, in fractions of source pixels, is
    # what gets resampled: no rounding to whole pixels in between.
    scale = min(picture.width / shape.width, picture.height / shape.height)
    # (Rounding may leave the side that fits a hair below zero.)
    left = max(0.0, (picture.width - shape.width * scale) / 2)
    top = max(0.0, (picture.height - shape.height * scale) / 2)
    box = (left, top, picture.width - left, picture.height - top)
    return _resize(picture, wanted, scale, box)


def is_grey(content: bytes | Array) -> bool:
    """Whether the picture has no colour to speak of: scanner and JPEG noise are tolerated.

    A small coloured part counts as colour, so the judgement is on the most colourful half percent.
    """
    with open_picture(content) as opened:
        opened.draft(None, (256, 256))
        if opened.mode in ("1", "L", "LA", "F") or opened.mode.startswith("I"):
            return True
        return looks_grey(flatten(opened, "white", grey=False))


def looks_grey(picture: Image.Image) -> bool:
    """The same of a decoded RGB picture."""
    size = (min(picture.width, 256), min(picture.height, 256))
    pixels = np.asarray(picture.resize(size, Image.Resampling.BOX), dtype=np.int16)
    spread = pixels.max(axis=-1) - pixels.min(axis=-1)
    return bool(spread.mean() <= 2 and np.quantile(spread, 0.995) <= 16)


def check_background(background: str) -> None:
    """Raise ``GansmithError`` unless ``background`` names a colour."""
    try:
        ImageColor.getrgb(background)
    except ValueError:
        raise GansmithError(
            f"Expected a colour such as white, black or #ff8800 as background, but got "
            f"{background!r}."
        ) from None


def reason_for(error: Exception) -> str:
    """Say in plain words why a picture could not be read."""
    if isinstance(error, GansmithError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture of a known kind ({', '.join(_known_formats())})"
    if isinstance(error, MemoryError):
        return "does not fit in memory"
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return f"more than {MAX_PIXELS // 10**6} megapixels"
    message = str(error).strip() or type(error).__name__
    if "truncated" in message or "Truncated" in message:
        return "the file is cut short"
    return f"damaged ({message.splitlines()[0][:120]})"


@cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    usable = [name for name in FORMATS if name in Image.OPEN]
    return tuple(name for name in usable if name != "AVIF" or features.check("avif"))


def _in_channels(opened: Image.Image, shape: Shape) -> Image.Image:
    if shape.channels == 4:
        return transparency.with_alpha(load(opened))
    return flatten(opened, shape.background, grey=shape.channels == 1)


def _draft(picture: Image.Image, shape: Shape) -> None:
    # JPEG can decode straight to 1/2, 1/4 or 1/8 of its size, several times faster. Twice the
    # wanted size is kept so that our own filter decides how the result looks.
    side = 2 * max(shape.height, shape.width)
    picture.draft(None, (side, side))


def _deep_to_8_bit(picture: Image.Image) -> Array:
    """Scale 16-bit, 32-bit and floating point grey to uint8 H×W."""
    values = np.asarray(picture).astype(np.float64)
    if not np.isfinite(values).all():
        raise GansmithError("holds values that are not numbers")
    low, high = _nominal_range(values, sixteen_bit=picture.mode != "F" and _says_16_bit(picture))
    return np.rint((values - low) * (255 / (high - low))).astype(np.uint8)


def _says_16_bit(picture: Image.Image) -> bool:
    return picture.mode.startswith("I;16") or picture.format in ("PNG", "PPM")


def _nominal_range(values: Array, sixteen_bit: bool) -> tuple[float, float]:
    """The range that black to white stands for; where a file doesn't say, the nearest usual one."""
    if sixteen_bit:
        return 0, 65535
    low, high = float(values.min()), float(values.max())
    for white in (1, 255, 65535):
        if low >= 0 and high <= white:
            return 0, white
    return low, high


def _orientation(picture: Image.Image) -> int:
    if picture.format is None:  # made of an array, which has no EXIF data
        return 1
    # Broken EXIF data must not cost a picture whose pixels are fine.
    try:
        return int(picture.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:
        return 1


def _pad(picture: Image.Image, shape: Shape) -> Image.Image:
    scale = max(picture.width / shape.width, picture.height / shape.height)
    width = max(1, min(shape.width, round(picture.width / scale)))
    height = max(1, min(shape.height, round(picture.height / scale)))
    inner = _resize(picture, (width, height), scale)
    ground = _ground(picture.mode, shape)
    ground.paste(inner, ((shape.width - width) // 2, (shape.height - height) // 2))
    return ground


def _ground(mode: str, shape: Shape) -> Image.Image:
    size = (shape.width, shape.height)
    if mode == "RGBA":
        return Image.new(mode, size, (0, 0, 0, 0))
    return Image.new("RGB", size, shape.background).convert(mode)


def _resize(
    picture: Image.Image,
    size: tuple[int, int],
    scale: float,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    def resize(plain: Image.Image) -> Image.Image:
        return plain.resize(size, _filter(scale), box=box, reducing_gap=3.0)

    return transparency.resized(picture, resize) if picture.mode == "RGBA" else resize(picture)


def _filter(scale: float) -> Image.Resampling:
    # Lanczos keeps most detail when reducing; enlarging, it rings around strokes, bicubic less so.
    return Image.Resampling.LANCZOS if scale > 1 else Image.Resampling.BICUBIC
