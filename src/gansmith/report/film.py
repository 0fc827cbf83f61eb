"""Samples over time: frames, the GIF, the MP4, and real beside generated."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from gansmith.imaging import png_bytes
from gansmith.report.painters import Painter, painter
from gansmith.report.plots import Themed
from gansmith.report.story import Sample, Story

T = TypeVar("T")

MOST_FRAMES = 60
MOST_DRAWN = 30  # frames of points: each takes a while to draw
WIDEST, TALLEST = 800, 1000  # pixels of a film
SMALLEST = 400  # what is narrower is enlarged by a whole factor
BAND = 30  # pixels below a picture for its label
LEVELS = 32  # greys of a film: eight times fewer than a sheet has, half the file
HOLD = 2500  # milliseconds for the last frame
FPS = 10  # of the MP4
MP4_SECONDS = 10  # after which ffmpeg is given up: a run told to end has half a minute
PAPER, INK = "#ffffff", "#1d2430"


class Frame(NamedTuple):
    images: int
    picture: Themed


@dataclass(frozen=True)
class Reel:
    """What there is to see of a run. `frames` are in order, and the last is the newest."""

    frames: tuple[Frame, ...]
    real: Themed | None
    points: bool

    @property
    def noun(self) -> str:
        return "points" if self.points else "images"

    @property
    def final(self) -> Frame | None:
        return self.frames[-1] if self.frames else None


def shoot(story: Story) -> Reel:
    """Read or draw at most MOST_FRAMES of a run's samples; damaged ones are left out."""
    brush = painter(story)
    points = bool(story.samples) and story.samples[0].path.suffix == ".npy"
    chosen = evenly(story.samples, MOST_DRAWN if points else MOST_FRAMES)
    real = brush.paint(story.real, real=True) if story.real else None
    return Reel(tuple(_frames(brush, chosen)), real, points)


def _frames(brush: Painter, samples: Sequence[Sample]) -> Iterator[Frame]:
    for sample in samples:
        picture = brush.paint(sample.path)
        if picture is not None:
            yield Frame(sample.images, picture)


def evenly(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, evenly spread, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def files(reel: Reel) -> dict[str, bytes]:
    """The picture files, by their names in the run folder."""
    if not reel.final:
        return {}
    frames = [label(fit(f.picture.light), f"{f.images:,} {reel.noun}") for f in reel.frames]
    frames = [_same_size(frame, frames[-1]) for frame in frames]
    made = {"samples.gif": gif(frames), "samples.mp4": mp4(frames)}
    if reel.real:
        made["real-and-generated.png"] = png_bytes(beside(reel, reel.real, reel.final))
    if reel.points:
        made["plots/points.png"] = png_bytes(montage(evenly(frames, 9), 3))
    return {name: content for name, content in made.items() if content}


def beside(reel: Reel, real: Themed, final: Frame) -> Image.Image:
    left = label(fit(real.light), "real")
    right = label(fit(final.picture.light), f"generated, after {final.images:,} {reel.noun}")
    return montage([left, right], 2)


def fit(picture: Image.Image) -> Image.Image:
    """Enlarged by a whole factor if small, reduced if large; grey stays grey."""
    width, height = picture.size
    if width > WIDEST or height > TALLEST:
        share = min(WIDEST / width, TALLEST / height)
        size = (max(1, round(width * share)), max(1, round(height * share)))
        return _plain(picture).resize(size, Image.Resampling.LANCZOS)
    factor = min(-(-SMALLEST // width), WIDEST // width, max(1, TALLEST // height))
    return _plain(picture).resize((width * factor, height * factor), Image.Resampling.NEAREST)


def label(picture: Image.Image, text: str) -> Image.Image:
    """The picture on a white band that says what it is."""
    width, height = picture.size
    sheet = Image.new(picture.mode, (max(width, 320), height + BAND), PAPER)
    sheet.paste(picture, ((sheet.width - width) // 2, 0))
    font = ImageFont.load_default(17)
    ImageDraw.Draw(sheet).text((sheet.width / 2, height + BAND / 2), text, INK, font, anchor="mm")
    return sheet


def montage(pictures: Sequence[Image.Image], columns: int, gap: int = 16) -> Image.Image:
    """Pictures in rows on white."""
    width, height = (max(p.size[i] for p in pictures) + gap for i in (0, 1))
    rows = -(-len(pictures) // columns)
    mode = "L" if all(p.mode == "L" for p in pictures) else "RGB"
    sheet = Image.new(mode, (columns * width + gap, rows * height + gap), PAPER)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        sheet.paste(picture.convert(mode), (gap + column * width, gap + row * height))
    return sheet


def gif(frames: Sequence[Image.Image]) -> bytes:
    """Six seconds or so, whatever the number of frames, and a rest on the last."""
    pause = min(500, max(100, 6000 // len(frames) // 10 * 10))
    first, *others = (_few_colours(frame) for frame in frames)
    buffer = io.BytesIO()
    durations = [pause] * len(others) + [HOLD]
    first.save(
        buffer, "GIF", save_all=True, append_images=others, duration=durations, loop=0, disposal=1
    )
    return buffer.getvalue()


def mp4(frames: Sequence[Image.Image]) -> bytes | None:
    """The same as a video; None where there is no ffmpeg, or it can't."""
    program = shutil.which("ffmpeg")
    if program is None or len(frames) < 2:
        return None
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples.mp4"
        pixels = b"".join(frame.tobytes() for frame in frames)
        try:
            done = subprocess.run(
                [program, *_mp4_options(frames), str(target)],
                input=pixels,
                capture_output=True,
                timeout=MP4_SECONDS,
            )
            return target.read_bytes() if done.returncode == 0 else None
        except (OSError, subprocess.SubprocessError):
            return None


def _mp4_options(frames: Sequence[Image.Image]) -> list[str]:
    """Raw frames in; six seconds or so and two for the last out, playable everywhere."""
    width, height = frames[0].size
    pixels = "gray" if frames[0].mode == "L" else "rgb24"
    rate = min(FPS, max(2, len(frames) // 6))
    even = "pad=ceil(iw/2)*2:ceil(ih/2)*2"
    return [
        *("-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{width}x{height}"),
        *("-r", str(rate), "-i", "pipe:0"),
        *("-vf", f"{even},tpad=stop_mode=clone:stop_duration=2", "-r", str(FPS)),
        *("-pix_fmt", "yuv420p", "-movflags", "+faststart"),
        *("-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact"),
    ]


def _few_colours(frame: Image.Image) -> Image.Image:
    if frame.mode == "L":
        step = 255 / (LEVELS - 1)
        return frame.point([round(round(v / step) * step) for v in range(256)])
    return frame.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def _plain(picture: Image.Image) -> Image.Image:
    return picture if picture.mode == "L" else picture.convert("RGB")


def _same_size(picture: Image.Image, last: Image.Image) -> Image.Image:
    """A film can't change its size or its colours' kind."""
    if picture.size != last.size:
        picture = picture.resize(last.size)
    return picture if picture.mode == last.mode else picture.convert(last.mode)
