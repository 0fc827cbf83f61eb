"""Do words of other alphabets train as French ones do, whatever the seed? Digits, and Greek.

    python -m benchmarks.alphabets learn --out DIR [--minutes 5]
    python -m benchmarks.alphabets seeds --out DIR [--seeds 20] [--images 8000]

Greek is drawn here, with the DejaVu fonts that matplotlib brings along, slanted, stretched and blurred
by sixty "writers"; digits are the package's own `digit-strings`. Nothing is said but the source.
`learn` trains one run of each and has it read by a referee trained on its real words; `seeds` trains
many short ones and looks at every number that they recorded.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import gansmith
from benchmarks import record
from gansmith.errors import GansmithError

GREEK = Path(__file__).with_name("greek.txt")
FONTS = ("DejaVuSans", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Italic", "DejaVuSansMono")
COUNT, WRITERS = 3000, 60
SIZE = 64  # points


def draw_greek(folder: Path) -> Path:
    """`COUNT` words as pictures with a table of what they say; done once."""
    table = folder / "metadata.jsonl"
    if table.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    lines, words = [], GREEK.read_text(encoding="utf-8").split()
    for index in range(COUNT):
        draw = np.random.Generator(np.random.Philox(key=[0, index]))
        text, writer = str(draw.choice(words)), int(draw.integers(WRITERS))
        by_hand(text, writer, draw).save(folder / f"{index:04}.png")
        said = {"file_name": f"{index:04}.png", "text": text, "writer": f"writer {writer}"}
        lines.append(json.dumps(said, ensure_ascii=False))
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def by_hand(text: str, writer: int, draw: np.random.Generator) -> Image.Image:
    """A word in a writer's font, weight, slant and width, dark on white."""
    own = np.random.Generator(np.random.Philox(key=[1, writer]))
    name = str(own.choice(FONTS))
    weight, slant, stretch = (
        int(own.integers(0, 3)),
        own.normal(0, 0.15),
        math.exp(own.normal(0, 0.15)),
    )
    dark = own.uniform(0.7, 1.0) * draw.uniform(0.9, 1.0)
    font = ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf", SIZE
    )
    left, top, right, bottom = (round(x) for x in font.getbbox(text, stroke_width=weight))
    ink = Image.new("L", (right - left + 2 * SIZE, bottom - top + 2 * SIZE))
    place = (SIZE - left, SIZE - top)
    ImageDraw.Draw(ink).text(place, text, 255, font, stroke_width=weight)
    slant += draw.normal(0, 0.02)
    wide = round(ink.width * stretch)
    middle = slant * ink.height / 2
    matrix = (1 / stretch, slant / stretch, -middle / stretch, 0, 1, 0)
    ink = ink.transform(
        (wide, ink.height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    ink = ink.filter(ImageFilter.GaussianBlur(1.0))
    return ink.point(lambda v: 255 - round(dark * v)).crop(ink.getbbox())


def sources(out: Path) -> dict[str, str]:
    return {"digits": "digit-strings", "greek": str(draw_greek(out / "greek-words"))}


def learn(options: argparse.Namespace) -> dict[str, Any]:
    """One run of each alphabet, and how well it is read."""
    found: dict[str, Any] = {}
    for name, source in sources(options.out).items():
        run = options.out / name
        gansmith.train(
            source, recipe="words", out=run, resume=True, minutes=options.minutes, device="cpu"
        )
        made = gansmith.evaluate(run, referee_steps=options.referee_steps, say=print)
        found[name] = {
            "step": made.step,
            "cer": made.figures["cer"].value,
            "cer_of_real": made.figures["cer"].floor,
            "fid": made.figures["fid"].value,
            "fid_floor": made.figures["fid"].floor,
        }
        print(name, found[name], flush=True)
    return found


def seeds(options: argparse.Namespace) -> dict[str, Any]:
    """Short runs of each alphabet by turns, and whether any number of theirs was not finite."""
    found: list[dict[str, Any]] = []
    kinds = list(sources(options.out).items())
    for seed in range(options.seeds):
        name, source = kinds[seed % len(kinds)]
        run = options.out / f"seed-{seed}"
        settings = {"images": options.images, "seed": seed, "on_failure": "warn", "device": "cpu"}
        with contextlib.suppress(GansmithError):  # it ends so where a figure is not a number
            gansmith.train(source, recipe="words", out=run, resume=True, **settings)
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        numbers = [v for row in rows for v in numbers_in(row)]
        found.append(
            {
                "seed": seed,
                "alphabet": name,
                "steps": rows[-1]["step"],
                "not_finite": sum(not math.isfinite(v) for v in numbers)
                + sum(len(row.get("not_finite", ())) for row in rows),
                "reads_at": next((row["step"] for row in rows if "loss_read" in row), None),
                "loss_r": rows[-1].get("loss_r"),
            }
        )
        print(found[-1], flush=True)
    return {"runs": found, "not_finite": sum(run["not_finite"] for run in found)}


def numbers_in(value: Any) -> Iterator[float]:
    """All numbers of a record, however deep."""
    if isinstance(value, dict):
        for part in value.values():
            yield from numbers_in(part)
    elif isinstance(value, int | float):
        yield float(value)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["learn", "seeds"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--referee-steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--images", type=int, default=8000)
    options = parser.parse_args(arguments)
    result = {"learn": learn, "seeds": seeds}[options.what](options)
    config = {k: v for k, v in vars(options).items() if k != "out"}
    print(record.write(f"alphabets-{options.what}", config, result))


if __name__ == "__main__":
    main()
