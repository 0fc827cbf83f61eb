"""Pictures as data URIs of bounded size: the page carries all that it shows."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image

from gansmith.imaging import png_bytes
from gansmith.report.plots import Themed

QUALITIES = (88, 78, 66)
SMALL = 500  # pixels: what is narrower is shown enlarged, with its pixels kept sharp


def picture(pair: Themed, alt: str, widest: int, budget: int) -> str:
    """An <img>, or a <picture> where dark pages get another one. `budget` in bytes each."""
    small = ' class="small"' if pair.light.width < SMALL else ""
    width, height = pair.light.size
    image = (
        f'<img{small} src="{_data_uri(pair.light, widest, budget)}" alt="{escape(alt)}"'
        f' width="{width}" height="{height}">'
    )
    if pair.dark is pair.light:
        return image
    dark = _data_uri(pair.dark, widest, budget)
    return (
        f'<picture><source srcset="{dark}" media="(prefers-color-scheme: dark)">{image}</picture>'
    )


def _data_uri(image: Image.Image, widest: int, budget: int) -> str:
    kind, content = compress(image, widest, budget)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def compress(image: Image.Image, widest: int, budget: int) -> tuple[str, bytes]:
    """As PNG if that is small enough, else as JPEG, else reduced: ("png" | "jpeg", bytes)."""
    image = _reduced(image, widest)
    content = png_bytes(image)
    if len(content) <= budget:
        return "png", content
    for quality in QUALITIES:
        content = _jpeg(image, quality)
        if len(content) <= budget:
            return "jpeg", content
    return compress(image, image.width * 3 // 4, budget) if image.width > 64 else ("jpeg", content)


def _reduced(image: Image.Image, widest: int) -> Image.Image:
    if image.width <= widest:
        return image
    size = (widest, max(1, round(image.height * widest / image.width)))
    plain = image.convert("RGB") if image.mode == "P" else image
    return plain.resize(size, Image.Resampling.LANCZOS)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    plain = image if image.mode == "L" else image.convert("RGB")
    plain.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
