"""The page: one HTML file that carries all it shows and fetches nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from gansmith.config import Config
from gansmith.report import beside, sentences, spells
from gansmith.report.embed import picture
from gansmith.report.film import Frame, Reel, evenly
from gansmith.report.parts import card, details, section, table
from gansmith.report.plots import Themed
from gansmith.report.story import Story

STRIP = 12  # frames of the film on the page
HERO_BYTES, STRIP_BYTES, PAIR_BYTES, PLOT_BYTES = 450_000, 90_000, 150_000, 60_000

FILES = {
    "real-and-generated.png": "real examples beside generated ones",
    "samples.gif": "samples of the same noise over time",
    "samples.mp4": "the same as a video",
    "plots/points.png": "nine moments of it on one sheet",
}
OTHERS = {
    "samples/": "every sheet of samples",
    "evaluation.json": "what was measured beside real data",
    "closest-pairs.png": "generated pictures and the training pictures nearest to them",
    "real-or-made.png": "real and made words, mixed: which are which stands in evaluation.json",
    "metrics.jsonl": "every figure, a line a record",
    "checkpoints/": "to go on from",
    "model/": "the generator alone",
}


def build(story: Story, reel: Reel, drawn: Mapping[str, Themed], made: Sequence[str]) -> bytes:
    """The whole page. `made` names the files that lie beside it."""
    style, script = _read("page.css"), _read("page.js")
    subject = sentences.name_of(story.config.source)
    page = Template(_read("page.html")).substitute(
        title=escape(f"{subject} · {story.config.recipe} · gansmith"),
        heading=escape(subject),
        style=style,
        script=script,
        # Only this very script may run, whatever else might find its way into the page.
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        state="finished" if story.finished else "unfinished",
        state_word="finished" if story.finished else "not finished",
        lead=_lead(story),
        tiles="".join(_tile(*tile) for tile in sentences.tiles(story)),
        command="".join(_command(*command) for command in sentences.commands(story)),
        sections="".join(_sections(story, reel, drawn, made)),
        footer="Made from the files in this folder; <code>gansmith report</code> makes it again.",
    )
    return page.encode("utf-8", errors="replace")


def _sections(
    story: Story, reel: Reel, drawn: Mapping[str, Themed], made: Sequence[str]
) -> Iterable[str]:
    if reel.final:
        yield _final(story, reel, reel.final)
        if reel.real:
            yield _pair(reel.real, reel.final, reel.points)
    elif reel.real:
        yield section("The data", "", card(reel.real, "real examples", "", HERO_BYTES, "hero"))
    yield spells.section_of(story, reel)
    yield beside.section_of(story)
    if drawn:
        yield _plots(story, drawn)
    yield _settings(story.config)
    if story.log:
        yield section("Log", "", details("What the run said", f"<pre>{escape(story.log)}</pre>"))
    yield _files(story, made)


def _final(story: Story, reel: Reel, final: Frame) -> str:
    """The newest samples big, the way there behind a slider."""
    frames = evenly(reel.frames, STRIP)
    text = f"After {final.images:,} {story.noun} of training. {sentences.sheet(story)}"
    if len(frames) > 1:
        text += " The slider shows how each place took shape."
    # The newest comes first, so that it is what a page without scripts shows.
    figures = "".join(
        _frame(frame, story.noun, HERO_BYTES if frame is final else STRIP_BYTES)
        for frame in frames[::-1]
    )
    film = f'<div class="frames">{figures}</div>{_slider(len(frames)) if len(frames) > 1 else ""}'
    return section("What it makes", text, f'<div class="film {story.noun}">{film}</div>')


def _frame(frame: Frame, noun: str, budget: int) -> str:
    moment = f"{frame.images:,} {noun}"
    shown = picture(frame.picture, f"samples after {moment}", 1600, budget)
    return f"<figure>{shown}<figcaption>{moment}</figcaption></figure>"


def _slider(count: int) -> str:
    return (
        '<p class="slider" hidden><button type="button" aria-label="play">▶</button>'
        f'<input type="range" min="0" max="{count - 1}" step="1" aria-label="moment">'
        "<output></output></p>"
    )


def _pair(real: Themed, final: Frame, points: bool) -> str:
    text = (
        "Do they lie in the same places, equally dense? Places left out are a mode collapse."
        if points
        else "Look for the same sharpness and the same variety. Generated ones that are all alike "
        "are a mode collapse, and no loss curve shows it as plainly."
    )
    cards = card(real, "real examples", "Real", PAIR_BYTES) + card(
        final.picture, "generated examples", "Generated", PAIR_BYTES
    )
    return section("Real beside generated", text, f'<div class="columns pair">{cards}</div>')


def _plots(story: Story, drawn: Mapping[str, Themed]) -> str:
    cards = "".join(
        card(
            pair,
            f"plot of {name} over {story.noun} seen",
            sentences.caption(name, story),
            PLOT_BYTES,
        )
        for name, pair in drawn.items()
    )
    text = "Thin lines are single records, thick ones their running mean."
    return section("The training in figures", text, f'<div class="columns">{cards}</div>')


def _settings(config: Config) -> str:
    values, defaults = (_flat(c.model_dump(mode="json")) for c in (config, Config()))
    changed = [_row(k, v, defaults[k]) for k, v in values.items() if v != defaults[k]]
    every = [_row(k, v, defaults[k]) for k, v in values.items()]
    heads = ("setting", "here", "default")
    return section(
        "Settings",
        "Only those that differ from the defaults.",
        table(heads, changed) + details(f"All {len(every)} settings", table(heads, every)),
    )


def _files(story: Story, made: Sequence[str]) -> str:
    present = {name: text for name, text in FILES.items() if name in made}
    present |= {name: text for name, text in OTHERS.items() if (story.path / name).exists()}
    rows = [f"<li><code>{name}</code> {text}</li>" for name, text in present.items()]
    if not rows:
        return ""
    return section("Files in this folder", "", f'<ul class="files">{"".join(rows)}</ul>')


def _lead(story: Story) -> str:
    config = story.config
    return (
        f"{escape(sentences.what(story))}, trained on <strong>{escape(config.source or 'unnamed data')}"
        f"</strong>{escape(sentences.besides(config))} with the recipe "
        f"<strong>{escape(config.recipe)}</strong>, seed {config.seed}."
        f"{escape(sentences.state(story))}"
    )


def _tile(name: str, figure: str, remark: str) -> str:
    below = f"<small>{escape(remark)}</small>"
    return f"<div><dt>{escape(name)}</dt><dd>{escape(figure)}{below}</dd></div>\n"


def _command(reason: str, line: str) -> str:
    # Words stay whole: a phone's narrow line must not break "-n" in two.
    parts = " ".join(f"<span>{escape(word)}</span>" for word in line.split(" "))
    return f'<p>{escape(reason)}</p><pre class="command">{parts}</pre>'


def _row(key: str, value: Any, default: Any) -> str:
    here, usual = (escape(_shown(x)) for x in (value, default))
    return f'<tr><th>{escape(key)}</th><td>{here}</td><td class="default">{usual}</td></tr>'


def _shown(value: Any) -> str:
    if value is None or value == "" or value == []:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names, as `--set` takes them."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        flat |= _flat(value, f"{prefix}{key}.") if inner else {prefix + key: value}
    return flat


def _read(name: str) -> str:
    return resources.files("gansmith.report").joinpath(name).read_text("utf-8")
