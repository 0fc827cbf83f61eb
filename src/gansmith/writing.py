"""A text to a picture or a film: what `gansmith write` does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from gansmith import checkpoint
from gansmith.checkpoint import write_atomically
from gansmith.data.source import Array
from gansmith.data.words import read_word
from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.imaging import png_bytes
from gansmith.models import words
from gansmith.models.words import padded
from gansmith.report.film import gif
from gansmith.run import clear_errors
from gansmith.scribe import PAPER, Scribe

FRAMES = 48  # of a walk there and back
AGAIN = "choose another --out"
# Times its guess that a style is put from the usual: hands that imitate writers then lie about as far
# apart as those do (docs/log.md).
FARTHER = 2.0


def write_text(
    run: Path,
    text: str,
    out: Path,
    *,
    style_seed: int = 0,
    styles: int = 1,
    to: int | None = None,
    like: Sequence[Path] = (),
    replace: str | None = None,
    device: str = "auto",
) -> None:
    """Write `text` to `out`: in the style of `style_seed`, in `styles` of them, in that of the
    words `like`, or on the way `to` that of another seed. Raises GansmithError."""
    film = to is not None
    if out.suffix.lower() != (".gif" if film else ".png"):
        raise GansmithError(
            f"--out: expected a name ending in {'.gif' if film else '.png'}, found {out.name}"
        )
    if bool(like) + film + (styles > 1) > 1:
        raise GansmithError("give one of --styles, --to and --like, not several")
    scribe = Scribe(load(run, device))
    (text,) = scribe.check([text], replace)
    if to is not None:
        frames = [scribe.line(text, latent) for latent in walk(scribe, style_seed, to)]
        content = gif(on_one_size(frames))
    else:
        latents = [scribe.style(style_seed + n) for n in range(styles)]
        if like:
            read = [read_word(path, scribe.height) for path in like]
            latents = [style_like(discriminator_of(scribe, run), read)]
        content = png_bytes(stack([scribe.line(text, latent) for latent in latents]))
    with clear_errors(out, AGAIN):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, content)


def walk(scribe: Scribe, start: int, end: int) -> list[Tensor]:
    """Latents from one seed's style to another's and back, along the sphere (White 2016)."""
    a, b = scribe.style(start), scribe.style(end)
    there = [slerp(a, b, n / (FRAMES // 2)) for n in range(FRAMES // 2 + 1)]
    return there + there[-2:0:-1]


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """The latent a `share` of the way from `a` to `b`, no nearer to the origin than they are."""
    cosine = torch.nn.functional.cosine_similarity(a, b, dim=0).clamp(-1, 1)
    angle = math.acos(float(cosine))
    if angle < 1e-4:
        return a + share * (b - a)
    first, second = math.sin((1 - share) * angle), math.sin(share * angle)
    between: Tensor = (first * a + second * b) / math.sin(angle)
    return between


@torch.no_grad()
def style_like(discriminator: words.Discriminator, examples: Sequence[Array]) -> Tensor:
    """(Z,): the style that example words seem to be written in, uint8 (H, w) each, dark on white.

    The mean of what the discriminator guesses, `FARTHER` times as far out, but no farther than styles
    are: a guess is the mean of all styles that could be meant, and nearer to the usual than they.
    """
    found = []
    for example in examples:
        ink = torch.from_numpy(example).float().div(-255).add(1)
        width = padded(torch.tensor([ink.shape[1]]), discriminator.height)
        word = torch.nn.functional.pad(ink, (0, width - ink.shape[1]))[None, None]
        _, seen = discriminator.look(word, torch.tensor([[ink.shape[1], 1]]))
        found.append(seen[0])
    mean = FARTHER * torch.stack(found).mean(0)
    style: Tensor = mean * (math.sqrt(len(mean)) / mean.norm().clamp_min(1e-6)).clamp(max=1)
    return style


def discriminator_of(scribe: Scribe, run: Path) -> words.Discriminator:
    """That of the run's newest checkpoint: a model folder has none."""
    saved = checkpoint.load(run) if (run / "state.json").is_file() else None
    saved = saved or checkpoint.newest(run / "checkpoints")
    if saved is None:
        raise GansmithError(f"--like needs a run with a checkpoint, found none in {run}")
    network = words.Discriminator(scribe.model.config, scribe.model.spec)
    prefix = "discriminator."
    weights = {
        key.removeprefix(prefix): tensor
        for key, tensor in saved.tensors.get("model", {}).items()
        if key.startswith(prefix)
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise GansmithError(f"{saved.path}: not a discriminator of words ({error})") from None
    return network.eval().requires_grad_(False)


def stack(lines: Sequence[Image.Image]) -> Image.Image:
    """Lines below each other, on paper."""
    width, height = max(line.width for line in lines), sum(line.height for line in lines)
    sheet = Image.new("L", (width, height), PAPER)
    top = 0
    for line in lines:
        sheet.paste(line, (0, top))
        top += line.height
    return sheet


def on_one_size(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Every frame on paper as large as the largest."""
    width, height = max(f.width for f in frames), max(f.height for f in frames)
    sheets = [Image.new("L", (width, height), PAPER) for _ in frames]
    for sheet, frame in zip(sheets, frames, strict=True):
        sheet.paste(frame, (0, (height - frame.height) // 2))
    return sheets
