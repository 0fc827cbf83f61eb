"""What the report says, as plain text: whoever puts it into a page must escape it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from gansmith.config import Config
from gansmith.metrics.protocol import show
from gansmith.report.story import Story

# What each game's losses mean, for someone who reads a curve of them.
LOSSES = {
    "non-saturating": (
        "Each player's loss is the other's gain, so neither should win. In a stable run the "
        "discriminator's stays near 1 (about 0.5 for real and 0.5 for generated; 1.39 is plain "
        "guessing) and the generator's between 0.5 and 2. Discriminator near 0 with the generator "
        "climbing: nothing more is learnt."
    ),
    "saturating": (
        "The discriminator's stays near 1 in a stable run (1.39 is plain guessing). The "
        "generator's is at most 0 and becomes more negative as it fools the discriminator; flat at "
        "0 means that it has lost and learns no more."
    ),
    "least-squares": (
        "The discriminator's is 0.25 and the generator's 0.125 where real and generated can't be "
        "told apart. Discriminator at 0 with the generator at 0.5: nothing more is learnt."
    ),
    "hinge": (
        "The discriminator's is 2 where real and generated can't be told apart and 0 where it has "
        "won. The generator's is minus the discriminator's mean score and has no level of its own."
    ),
    "wasserstein": (
        "Minus the discriminator's loss estimates the distance between real and generated, so it "
        "should rise towards 0 from below. The generator's has no level of its own."
    ),
    "relativistic": (
        "Both are 0.69 where real and generated look equally real. The discriminator's usually "
        "lies below, the generator's above; discriminator at 0 means that nothing more is learnt."
    ),
}  # fmt: skip


def what(story: Story) -> str:
    """One sentence: what makes what, from what."""
    spec, config = story.spec, story.config
    things = f"pictures of {config.width}×{config.height}" if config.size else "pictures"
    if spec and len(spec.shape) == 3:
        channels, height, width = spec.shape
        things = f"{'grey' if channels == 1 else 'colour'} pictures of {width}×{height}"
    if story.points:
        things = "points"
    if spec and spec.script:
        letters = len(spec.script.alphabet)
        things = f"words in {letters} characters, {spec.shape[1]} pixels high"
    classes = f" in {spec.class_count} classes" if spec and spec.class_count else ""
    return f"A generator of {things}{classes}"


def name_of(source: str) -> str:
    """The last part of a path, or the name as it is."""
    return Path(source).name or source or "unnamed data"


def besides(config: Config) -> str:
    """What it was given besides, and for what; how much that was, the log says."""
    shown = f" and, for the discriminator alone, the unlabelled words of {config.unlabelled}"
    written = f" (asked to write the texts of {config.lexicon}, too)"
    return shown * bool(config.unlabelled) + written * bool(config.lexicon)


def state(story: Story) -> str:
    if story.finished:
        return ""
    if not story.step:
        return " Nothing has been recorded of its training yet."
    return f" It is not finished: the last record is of step {story.step:,}."


def tiles(story: Story) -> Iterable[tuple[str, str, str]]:
    """Name, figure and a remark of what matters most."""
    if story.seconds:
        yield "trained for", duration(story.seconds), f"{story.step:,} steps"
    if story.images:
        yield f"{story.noun} seen", f"{story.images:,}", f"batches of {story.config.batch_size:,}"
    if story.images_per_second:
        rate = story.images_per_second
        figure = f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
        yield "speed", f"{figure}/s", f"{story.noun} a second"
    if story.spells:
        since = f"since step {story.verdict.since:,}" if story.verdict.since else ""
        yield "health", story.verdict.condition, since
    if "score" in story.curves:
        yield "score", f"{story.curves['score'].y[-1]:.4g}", "distance to real, lower is better"
    if story.evaluation and (fid := story.evaluation.figures.get("fid")):
        yield "FID", show("fid", fid.value), f"real beside real: {show('fid', fid.floor)}"


def commands(story: Story) -> list[tuple[str, str]]:
    """What to do next: a reason and a command for each."""
    run = shlex.quote(place(story.path))
    target = "points.npz" if story.points else "made"
    made = [("Make 1,000 more:", f"gansmith generate {run} -n 1000 --out {target}")]
    if story.config.model == "words":
        made = [
            ("Write something:", f"gansmith write {run} TEXT --styles 5 --out line.png"),
            ("Make a data set:", f"gansmith dataset {run} --lexicon FILE -n 10000 --out made"),
        ]
    if not story.evaluation:
        made.append(("Measure it beside real data:", f"gansmith evaluate {run}"))
    reason = "Go on where it stopped:" if story.step else "Start it:"
    resume = [(reason, f"gansmith train --resume --out {run}")]
    return made if story.finished else resume + made if story.step else resume


def place(path: Path) -> str:
    """The folder as one would type it here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def sheet(story: Story) -> str:
    """How the samples are laid out."""
    if story.points:
        return "Generated points (orange) over real ones (blue); the noise is the same every time."
    classes = story.spec.classes if story.spec else None
    if classes and 1 < len(classes) <= 16:
        return f"A column a class: {', '.join(classes)}. The noise is the same every time."
    if story.config.model == "words":
        return "A text a row, a style a column; not chosen, and the same every time."
    return "Not chosen: the noise is the same every time."


def caption(name: str, story: Story) -> str:
    """How to read a plot, and what this run's shows."""
    words = {
        "losses": LOSSES[story.config.loss],
        "discriminator": _discriminator(story),
        "reading": (
            "The recogniser's loss (CTC) a character. It learns from real words, and from rendered "
            "ones where there is a copybook; here it reads real ones, distorted. On generated ones it "
            "should fall as far or farther: what is written is what was asked for. It is listened "
            "to once it reads, so that curve begins later."
        ),
        "variety": (
            "The mean distance between two generated examples over that between two real ones, with "
            "the same noise every time. Near the dashed 1 is good; falling towards 0 is a mode "
            "collapse: everything becomes alike."
        ),
        "heart": (
            "How much more real the discriminator finds the real examples it is trained on than some "
            "that are kept from it. Near 0 is good; above 1 it knows them by heart, and teaches the "
            "generator little more. More pictures, or augmentation, would help."
        ),
        "augmentation": (
            "How often the discriminator is shown each change of the pictures, real and generated: "
            "more while it knows the real ones by heart, less while it does not. At its most "
            f"({story.config.augment_p:g}) for long, more pictures would help."
        ),
        "score": _score(story),
        "throughput": "A level line is good; dips are other work on the machine, or saving.",
    }[name]
    return f"{words} {_readings(name, story)}".strip()


def _discriminator(story: Story) -> str:
    sure = "How much the discriminator takes real (D(x)) and generated (D(G(z))) examples for real"
    if story.config.loss not in ("non-saturating", "saturating", "least-squares"):
        sure = "The discriminator's scores of real and generated examples, squashed to 0…1"
    return (
        f"{sure}. Both move around the dashed 0.5 in a stable run, D(x) somewhat above it. One at "
        "1 and the other at 0: the discriminator has won, and the generator gets no more help."
    )


def _readings(name: str, story: Story) -> str:
    """What this run's curves come to."""
    if name == "score":
        return " ".join(filter(None, (_best(story), _cost(story))))
    names = {
        "losses": {"discriminator": "loss_d", "generator": "loss_g"},
        "discriminator": {"D(x)": "d_real", "D(G(z))": "d_fake"},
        "variety": {"as they are": "spread", "as D sees them": "feature_spread"},
        "heart": {"the gap": "held_gap"},
        "reading": {"real": "loss_r", "generated": "loss_read"},
    }.get(name, {})
    means = [f"{k} {story.curves[v].tail:.2f}" for k, v in names.items() if v in story.curves]
    return f"Over the last fifth here: {', '.join(means)}." if means else ""


def _score(story: Story) -> str:
    if not story.protocol:  # the run is older than the note of it
        return (
            "Sliced Wasserstein distance between 256 generated and 256 real examples. It should "
            "fall and then level off; compare it only between runs on the same data and size."
        )
    others = " Earlier scores, of another protocol, are left out." if story.other_scores else ""
    return (
        f"{story.protocol}. It should fall and then level off; compare it only with scores of "
        f"this very protocol, on the same data and size.{others}"
    )


def _best(story: Story) -> str:
    score, place = story.curves["score"], story.best
    said = f"The ring marks the best: {score.y[place]:.3g} after {score.x[place]:,.0f} {story.noun}"
    kept = story.best_checkpoint
    return f"{said}, kept in {kept}." if kept else f"{said}."


def _cost(story: Story) -> str:
    """What scoring took of the run's time."""
    spent = story.evaluation_seconds
    if not 0 < spent <= story.seconds:
        return ""
    said = f"{spent:.1f} s" if spent < 60 else duration(spent)
    return f"Scoring took {said}, {spent / story.seconds:.1%} of the run."
