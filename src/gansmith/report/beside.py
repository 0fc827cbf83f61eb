"""The section that says how near generated examples come to real ones."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from gansmith.metrics.protocol import FIGURES, Balance, Evaluation, show
from gansmith.report.painters import read_picture
from gansmith.report.parts import card, details, section, table
from gansmith.report.plots import Themed
from gansmith.report.story import Story

MOST_CLASSES = 40
LONGEST_NAME = 24
PAIRS_BYTES, MIXED_BYTES = 200_000, 300_000
TITLE = "Beside real data"

MEANINGS = {
    "fid": "Fréchet distance of the features' means and spreads. Lower is better; the floor says "
    "what is low. Few examples push it up, the floor too.",
    "fid_infinity": "FID as it would be with infinitely many generated examples.",
    "kid": "Kernel distance of the features. For examples as good as real ones it is nought, give "
    "or take chance, however many there are.",
    "precision": "The share of generated examples that lie where real ones do: fidelity.",
    "recall": "The share of real examples that lie where generated ones do: variety.",
    "density": "How thickly generated examples lie where real ones do; 1 for fresh real ones.",
    "coverage": "The share of real examples with a generated one close by: variety again, less "
    "moved by outliers.",
    "sliced_wasserstein": "Mean distance of the features along random directions; lower is better.",
    "inception_score": "Whether every example is clearly of one class, and all classes are there. "
    "It looks at no real data: read it last.",
    "agreement": "The share that the classifier reads as the class that was asked for.",
    "cer": "What a recogniser, trained on real words alone, gets wrong of the characters that were "
    "asked for. The floor is what it gets wrong of real words that it never saw.",
    "wer": "The share of words in which it gets anything wrong.",
    "cer_same": "The same where what is made says what those real words say.",
    "hands": "How far styles lie apart over how far writers do, in slant, ink, width and the like. "
    "Near 1 is as many hands as there really are.",
    "borders": "How often made words are told from real ones by their paper and borders alone: half "
    "the time is guessing. Above 0.6 something but the writing gives them away.",
}


def section_of(story: Story) -> str:
    """The section as markup; nothing where the run was never evaluated."""
    if story.damaged:
        text = "evaluation.json can't be read; gansmith evaluate makes it again."
        return section(TITLE, text, "")
    if story.evaluation is None:
        return ""
    return section(TITLE, _how(story.evaluation, story), _content(story.evaluation, story))


def _how(found: Evaluation, story: Story) -> str:
    text = (
        f"{found.protocol}. The floor is the same figure for real examples beside other real ones."
    )
    if found.step == story.step:
        return text
    return (
        f"{text} Measured at step {found.step:,}; the run is at step {story.step:,}, and "
        "gansmith evaluate measures it anew."
    )


def _content(found: Evaluation, story: Story) -> str:
    heads = ("figure", "generated", "floor: real")
    meanings = "".join(
        f"<dt>{escape(FIGURES[name][0])}</dt><dd>{escape(text)}</dd>"
        for name, text in MEANINGS.items()
        if name in found.figures
    )
    parts = [
        table(heads, map(_row, found.rows()), "figures"),
        details("What the figures mean", f'<dl class="meanings">{meanings}</dl>'),
        *(f"<p>{escape(remark)}</p>" for remark in found.remarks()),
        f'<div class="columns">{"".join(_cards(found, story))}</div>',
    ]
    return "".join(parts)


def _row(row: tuple[str, str, str, str]) -> str:
    name, value, floor, times = map(escape, row)
    below = f"<small>{times}</small>" if times else ""
    return f"<tr><th>{name}</th><td>{value}{below}</td><td>{floor}</td></tr>"


def _cards(found: Evaluation, story: Story) -> Iterable[str]:
    if found.balance and 1 < len(found.balance.classes) <= MOST_CLASSES:
        yield _classes(found.balance)
    pairs = read_picture(story.path / "closest-pairs.png") if found.memorisation else None
    if pairs is not None:
        caption = (
            "The generated pictures that lie nearest to a training picture, each on the left of a "
            "pair, and that training picture on its right. Pairs that are all but equal are copies."
        )
        alt = "generated pictures beside training pictures"
        yield card(Themed(pairs, pairs), alt, caption, PAIRS_BYTES)
    mixed = read_picture(story.path / "real-or-made.png") if found.details else None
    if mixed is not None:
        caption = (
            "Real and made words, mixed, each text once of both. Which are which stands in "
            "evaluation.json, under made_on_sheet."
        )
        yield card(Themed(mixed, mixed), "real and made words, mixed", caption, MIXED_BYTES)


def _classes(balance: Balance) -> str:
    """A row a class: its two shares as bars and as numbers, and the FID within it."""
    most = max(*balance.shares, *balance.real_shares, 1e-9)
    none = (None,) * len(balance.classes)
    within, floor = balance.fid or none, balance.fid_floor or none
    columns = (balance.classes, balance.shares, balance.real_shares, within, floor)
    rows = (
        f"<tr><th>{escape(_brief(name))}</th><td>{_bars(made / most, real / most)}</td>"
        f"<td>{made:.1%}</td><td>{real:.1%}</td>"
        f"<td>{show('fid', fid)}</td><td>{show('fid', low)}</td></tr>"
        for name, made, real, fid, low in zip(*columns, strict=True)
    )
    caption = (
        "The classes' shares: of the generated examples, as the classifier reads them, in orange "
        "above, and of the real ones in blue below. FID is within the class, and its floor that of "
        "real ones: few examples push up both."
    )
    shown = table(("class", "", "made", "real", "FID", "floor"), rows, "classes")
    return f'<figure class="card">{shown}<figcaption>{caption}</figcaption></figure>'


def _brief(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def _bars(made: float, real: float) -> str:
    """Of lengths from 0 to 1, as wide as there is room."""
    bars = "".join(
        f'<rect class="{name}" y="{y}" width="{100 * length:.2f}" height="6"></rect>'
        for name, y, length in (("made", 0, made), ("real", 8, real))
    )
    start = '<svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">'
    return f"{start}{bars}</svg>"
