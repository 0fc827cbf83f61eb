"""How a run's health went: one verdict after the other, each with a picture of its moment."""

from __future__ import annotations

from html import escape

from gansmith.report.embed import picture
from gansmith.report.film import Frame, Reel
from gansmith.report.parts import details, section
from gansmith.report.story import Spell, Story

MOST = 12  # spells that are shown; the worst and the last of them, if there are more
PICTURE_BYTES = 40_000


def section_of(story: Story, reel: Reel) -> str:
    """Nothing where nothing was judged."""
    if not story.spells:
        return ""
    now = story.verdict
    repairs = sum(bool(spell.treatment) for spell in story.spells)
    said = now.words()
    text = f"{said[0].upper()}{said[1:]}. {now.meaning}"
    if now.severity and now.advice:
        text += f" {now.advice}"
    if repairs:
        times = "once" if repairs == 1 else f"{repairs} times"
        text += f" It was repaired {times} on the way."
    rows = "".join(
        _row(spell, _nearest(spell, reel), story.noun) for spell in _chosen(story.spells)
    )
    content = f'<ol class="spells">{rows}</ol>'
    if len(story.spells) == 1 or not any(spell.verdict.severity for spell in story.spells):
        content = details("How it came to that", content)
    return section("Its health", text, content)


def _chosen(spells: tuple[Spell, ...]) -> list[Spell]:
    ranked = sorted(spells[:-1], key=lambda spell: -spell.verdict.severity)
    kept = {id(spell) for spell in [*ranked[: MOST - 1], spells[-1]]}
    return [spell for spell in spells if id(spell) in kept]


def _nearest(spell: Spell, reel: Reel) -> Frame | None:
    """The samples from within the spell: the last of one that went well, else the first."""
    within = [f for f in reel.frames if spell.start <= f.images <= spell.end]
    if not within:
        return None
    return within[0] if spell.verdict.severity else within[-1]


def _row(spell: Spell, frame: Frame | None, noun: str) -> str:
    verdict = spell.verdict
    severity = verdict.severity.name.lower()
    since = f"from step {min(verdict.since, verdict.step):,}"
    lines = [f"<strong>{escape(verdict.condition)}</strong> <small>{since}</small>"]
    if verdict.evidence:
        lines.append(f"<span>{escape('; '.join(verdict.evidence))}</span>")
    if spell.treatment:
        lines.append(f"<span>Repair: {escape(spell.treatment)}</span>")
    shown = ""
    if frame is not None:
        alt = f"samples after {frame.images:,} {noun}"
        shown = picture(frame.picture, alt, 400, PICTURE_BYTES)
    return f'<li class="{severity}">{shown}<div>{"<br>".join(lines)}</div></li>'
