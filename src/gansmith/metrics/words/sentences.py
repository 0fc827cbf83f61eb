"""What was found of made words, as plain sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gansmith.metrics.protocol import Figure
from gansmith.metrics.words.borders import SUSPICIOUS
from gansmith.metrics.words.hands import FEWEST_WORDS, FEWEST_WRITERS, Hands
from gansmith.metrics.words.referee import STEPS

NAMED = 5  # characters
ALIKE = (0.8, 1.2)  # of the real spread: about as many hands


def said(
    details: Mapping[str, Any], figures: Mapping[str, Figure], hands: Hands | None, steps: int
) -> tuple[str, ...]:
    """Everything that the table of figures can't say."""
    return (
        _referee(details["unseen"], figures["cer"], steps),
        _lengths(details["legibility"]),
        _characters(details["legibility"]["worst"]),
        _between_writers(details["fid_between_writers"], figures["fid"]),
        _hands(hands),
        _borders(details["borders"]),
    )


def _referee(unseen: Mapping[str, Any], cer: Figure, steps: int) -> str:
    short = f", fewer than the usual {STEPS:,}" if steps < STEPS else ""
    return (
        f"The referee, trained for {steps:,} steps{short}, misreads {cer.floor:.1%} of the characters "
        f"of {unseen['words']:,} real words that it never saw ({unseen['source']}): what it misreads "
        "of made ones is to be seen beside that."
    )


def _lengths(found: Mapping[str, Any]) -> str:
    real = found["by_length"]["real"]
    parts = [
        f"{name} characters {row['cer']:.1%} ({_share(real.get(name, {}).get('cer'))})"
        for name, row in found["by_length"]["made"].items()
    ]
    kinds = {"training_texts": "of training texts", "new_texts": "of new ones"}
    by_kind = [f"{said} {found[kind]['cer']:.1%}" for kind, said in kinds.items() if kind in found]
    return f"CER by length, of real words in brackets: {', '.join(parts)}; {', '.join(by_kind)}."


def _characters(worst: list[Mapping[str, Any]]) -> str:
    if not worst:
        return "No character was written often enough to say which are misread most."
    parts = [
        f"{row['character']} {row['made']:.0%} ({_share(row['real'])})" for row in worst[:NAMED]
    ]
    return f"Misread most, of real words in brackets: {', '.join(parts)}."


def _between_writers(between: float | None, fid: Figure) -> str:
    said = (
        "FID's floor is between two halves of the real words, each with words by all writers; what is "
        "made says what one half says, and is compared with the other"
    )
    if between is None:
        return f"{said}."
    return f"{said}. Between the words of half the writers and those of the others it is {between:.2f}."


def _hands(hands: Hands | None) -> str:
    if hands is None:
        return (
            f"The spread of hands was not measured: fewer than {FEWEST_WRITERS} writers of "
            f"{FEWEST_WORDS} words or more are known."
        )
    least, most = ALIKE
    ratios = {name: spread.ratio for name, spread in hands.spreads.items()}
    groups = {
        "as much as writers": [n for n, r in ratios.items() if least <= r <= most],
        "too little": [n for n, r in ratios.items() if r < least],
        "too much": [n for n, r in ratios.items() if r > most],
    }
    parts = [
        f"{how} in {', '.join(f'{name} ({ratios[name]:.2f})' for name in names)}"
        for how, names in groups.items()
        if names
    ]
    return (
        f"Made hands differ {'; '.join(parts)}. That is the spread of {hands.writers} styles over that "
        f"of as many writers with the same texts, {least} to {most} being alike, and the figure is the "
        "mean: look at each."
    )


def _borders(found: Mapping[str, Mapping[str, float]]) -> str:
    told = found["all"]
    parts = {"paper": "paper", "frame": "the frame", "frame_with_ink": "the frame with its ink"}
    by_part = ", ".join(f"{said} {found[name]['value']:.1%}" for name, said in parts.items())
    text = (
        "By paper and borders alone, made and real words are told apart "
        f"{told['value']:.1%} ± {told['error']:.1%} of the time, real from other real ones "
        f"{told['floor']:.1%} (by {by_part})."
    )
    if told["value"] <= SUSPICIOUS:
        return text
    return (
        f"{text} What surrounds the writing gives it away: other judges may look at that, too, and a "
        "recogniser trained on both kinds may learn it."
    )


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
