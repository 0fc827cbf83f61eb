"""A model's README.md: what it makes, how to have it make that, and what it was found to be worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gansmith.cards import figure_lines, measured_at, plain, quoted
from gansmith.data.words.rendered import word_list
from gansmith.generate import Model
from gansmith.imaging import grid, png_bytes
from gansmith.origin import source_of, terms_of
from gansmith.scribe import Scribe
from gansmith.writing import stack

SHEET = "samples.png"
SHOWN, COLUMNS, LINES = 64, 10, 8
NAMED_CLASSES = 20
TAGS = ("gan", "gansmith", "synthetic")
PIPELINES = {"pictures": "unconditional-image-generation", "words": "text-to-image"}
LIMITS = """\
- Nothing that it makes is real: what is measured with that alone holds for the generator, not for the
  world.
- It covers less than its training data: what was rare there is missing or too much alike.
- Synthetic is not the same as anonymous: a generator may give back what it was trained on, all the more
  the less that was.
"""


def card(model: Model, run: str | None, figures: Any, picture: bool, hub: bool) -> str:
    """README.md, with what Hugging Face reads at its top if it is for the `hub`."""
    return "\n".join([*(_front_matter(model) if hub else ()), *_text(model, run, figures, picture)])


def sheet(model: Model) -> bytes | None:
    """What it makes, as a PNG: seed 0, not chosen. None of points."""
    if model.spec.kind == "points":
        return None
    if model.spec.script is not None:
        scribe = Scribe(model)
        return png_bytes(
            stack([scribe.line(_text_to_write(scribe), scribe.style(n)) for n in range(LINES)])
        )
    classes = model.spec.classes or ()
    columns = len(classes) if 1 < len(classes) <= COLUMNS else None
    made = model.generate((columns or 8) * 8, labels=classes[:SHOWN] or None)
    return png_bytes(grid(made.images, columns))


def _front_matter(model: Model) -> Iterator[str]:
    """YAML; every string that is not ours is quoted the JSON way, which YAML reads as well."""
    yield from ("---", "library_name: gansmith", "license: other")
    if pipeline := PIPELINES.get(model.spec.kind):
        yield f"pipeline_tag: {pipeline}"
    yield from ("tags:", *(f"- {tag}" for tag in TAGS), f"- {quoted(model.config.recipe)}")
    yield from ("---", "")


def _text(model: Model, run: str | None, figures: Any, picture: bool) -> Iterator[str]:
    source, spec = plain(source_of(model.config)), model.spec
    yield f"# A generator of {source}\n"
    yield f"{_made(model)} Recipe {plain(model.config.recipe)}, step {model.step:,}"
    yield f"of {plain(run) if run else 'a run'}; {_count(model):,} weights. Trained with gansmith.\n"
    if picture:
        yield f"![what it makes]({SHEET})\n\n*Seed 0, not chosen.*\n"
    if spec.classes:
        more = f" and {len(spec.classes) - NAMED_CLASSES:,} more"
        named = ", ".join(map(plain, spec.classes[:NAMED_CLASSES]))
        yield f"Classes: {named}{more * (len(spec.classes) > NAMED_CLASSES)}.\n"
    yield "## Use\n\n```python\nimport gansmith"
    if spec.script is not None:
        yield "from gansmith.scribe import Scribe"
    yield f'\nmodel = gansmith.load("this-folder")\n{_use(model)}\n```\n'
    yield "Example *i* of a seed is always the same. No file here can execute anything.\n"
    yield "## What it is worth\n"
    yield from figure_lines(figures, f"Measured{_other_step(figures, model)}", "evaluation.json")
    yield f"## Limits\n\n{LIMITS}\n## Terms\n"
    yield f"Training data: {source}. Its terms: {terms_of(model.config)}."
    yield "Questions about them pass on to this generator and to what it makes.\n"


def _made(model: Model) -> str:
    channels, *place = model.spec.shape
    if model.spec.kind == "points":
        return f"Points of {channels} numbers."
    if model.spec.script is not None:
        return f"Handwritten words, {place[0]} pixels high, of {_alphabet(model)}."
    return f"Pictures of {place[1]}×{place[0]} pixels."


def _alphabet(model: Model) -> str:
    assert model.spec.script is not None
    return plain("".join(model.spec.script.alphabet))


def _use(model: Model) -> str:
    if model.spec.script is not None:
        text = _text_to_write(Scribe(model))
        return f"scribe = Scribe(model)\nline = scribe.line({text!r}, scribe.style(7))  # PIL's"
    n = 16 if model.spec.kind == "pictures" else 1000
    shape = ", ".join(map(str, (n, *model.example_shape)))
    labels = ", labels=0" if model.spec.classes else ""
    kind = np.dtype(model.dtype).name
    return f"made = model.generate({n}, seed=7{labels}).images  # {kind} ({shape})"


def _text_to_write(scribe: Scribe) -> str:
    """A few words that it can write; of an alphabet without such words, its first characters."""
    known = [word for word in word_list() if len(word) > 5 and scribe.can_write(word)]
    return " ".join(known[:: max(1, len(known) // 3)][:3]) or "".join(scribe.script.alphabet[:8])


def _other_step(figures: Any, model: Model) -> str:
    step = measured_at(figures, model.step)
    return (
        "" if step is None else f" at step {step:,}, while these weights are of step {model.step:,}"
    )


def _count(model: Model) -> int:
    return sum(weights.numel() for weights in model.network.parameters())
