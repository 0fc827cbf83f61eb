"""A data set's README.md: what Hugging Face reads at its top, and what people read below."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from gansmith.cards import figure_lines, measured_at, plain, quoted
from gansmith.synthetic.manifest import NOT_REAL, Made

SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B")
NAMED_CLASSES = 20
DATA_FILES = {
    "folder": "train/**",
    "parquet": "data/train-*.parquet",
    "webdataset": "train-*.tar",
}
CHANNELS = {1: "grey", 3: "colour", 4: "colour and transparency"}
FORMS = {
    "folder": (
        "PNG files in a folder a class below `train/`, whose readers number the classes in the "
        "folders' alphabetical order. The folders' names are the classes' made safe; "
        "`manifest.json` has both.",
        "PNG files in `train/`.",
    ),
    "parquet": (
        "Parquet files in `data/`, with the columns `image` (PNG) and `label`.",
        "Parquet files in `data/`, with the column `image` (PNG).",
    ),
    "webdataset": (
        "WebDataset shards: `KEY.png` and `KEY.cls`, the class's number, in tar files.",
        "WebDataset shards: `KEY.png` in tar files.",
    ),
}
LIMITS = """\
- No picture here is real. What is measured with this data set alone holds for the generator, not for
  the world: test on real data whatever you train on it.
- A label is what the generator was asked for. Nobody looked whether the picture shows it.
- A generator covers less than its training data: rare kinds are missing or too much alike. It passes
  on what was uneven in its training data and adds artefacts of its own.
- Synthetic is not the same as anonymous: a generator may give back pictures it was trained on, all
  the more the fewer there were.
- {counts}
- Training generators on the output of generators makes them worse with every round: keep data such
  as this marked as what it is.
"""

WORD_FORMS = {
    "imagefolder": ("PNG files in `train/` and `train/metadata.jsonl`", "train/**"),
    "parquet": ("Parquet files in `data/`, columns `image` and `text`", "data/train-*.parquet"),
    "pairs": ("`x.png` beside `x.gt.txt` in `train/`, as kraken and Calamari take them", None),
    "pylaia": ("`imgs/`, `train.txt` and `syms.txt`, as PyLaia takes them", None),
    "webdataset": ("WebDataset shards: `KEY.png` and `KEY.txt` in tar files", "train-*.tar"),
}
WORD_LIMITS = """\
- No word here was written by a person. Test a recogniser on real words, whatever it learnt from.
- A text is what the generator was asked for. Nobody looked whether the picture shows it.
- Hands are fewer and more alike than real ones; rare characters are the least certain.
- Synthetic is not the same as anonymous: a generator may give back what it was trained on.
"""


def card(made: Made, sheet: str) -> str:
    """README.md, with the picture `sheet` (a path within the data set)."""
    return "\n".join([_front_matter(made), *_text(made, sheet)])


def word_card(made: Made, sheet: str) -> str:
    """The same of a data set of words."""
    form, files = WORD_FORMS[made.layout]
    lines = ["---", f"pretty_name: {quoted(_title(made))}", "license: other"]
    lines += ["task_categories:", "- image-to-text", "size_categories:", f"- {_size(made.count)}"]
    lines += ["tags:", "- synthetic", "- handwriting", "- gan", "- gansmith"]
    if files:
        lines += ["configs:", "- config_name: default", "  data_files:", "  - split: train"]
        lines += [f"    path: {quoted(files)}"]
    lines += ["---", "", f"# {plain(_title(made))}\n"]
    lines += [f"{made.count:,} synthetic words, {made.shape[0]} pixels high: {form}.\n"]
    lines += [f"![the first of them]({sheet})\n", *_origin(made, "--lexicon FILE ")]
    lines += ["## Limits\n", WORD_LIMITS, "## Terms\n"]
    lines += [f"{NOT_REAL}\n\nTraining data: {plain(made.source)}. Its terms: {made.source_terms}."]
    return "\n".join(lines)


def _front_matter(made: Made) -> str:
    """YAML; every string that is not ours is quoted the JSON way, which YAML reads as well."""
    tasks = ["image-classification"] * bool(made.classes) + ["unconditional-image-generation"]
    lines = ["---", f"pretty_name: {quoted(_title(made))}", "license: other"]
    lines += ["task_categories:", *(f"- {task}" for task in tasks)]
    lines += ["size_categories:", f"- {_size(made.count)}"]
    lines += ["tags:", "- synthetic", "- gan", "- gansmith"]
    lines += ["dataset_info:", "  features:", *_features(made)]
    lines += ["configs:", "- config_name: default", "  data_files:", "  - split: train"]
    lines += [f"    path: {quoted(DATA_FILES[made.layout])}"]
    if made.layout == "folder":  # or a single class would be taken for none
        lines += [f"  drop_labels: {'false' if made.classes else 'true'}"]
    return "\n".join([*lines, "---", ""])


def _features(made: Made) -> Iterator[str]:
    tar = made.layout == "webdataset"
    # Whoever reads folders numbers them in their alphabetical order.
    names = sorted(made.folders) if made.layout == "folder" else made.classes or ()
    yield from (f"  - name: {'png' if tar else 'image'}", "    dtype: image")
    if made.classes:
        yield from (f"  - name: {'cls' if tar else 'label'}", "    dtype:", "      class_label:")
        yield "        names:"
        yield from (f"          '{label}': {quoted(name)}" for label, name in enumerate(names))
    if tar:
        for name in ("__key__", "__url__"):
            yield from (f"  - name: {name}", "    dtype: string")


def _text(made: Made, sheet: str) -> Iterator[str]:
    height, width, channels = made.shape
    classes = made.classes or ()
    each = f", {made.per_class:,} of each of {len(classes):,} classes" if classes else ""
    yield f"# {plain(_title(made))}\n"
    yield f"{made.count:,} synthetic pictures{each}: {width}×{height}, {CHANNELS[channels]}.\n"
    yield f"![the first of them]({sheet})\n"
    if classes:
        more = f" and {len(classes) - NAMED_CLASSES:,} more" * (len(classes) > NAMED_CLASSES)
        yield f"Classes: {', '.join(map(plain, classes[:NAMED_CLASSES]))}{more}.\n"
    yield f"{FORMS[made.layout][0 if classes else 1]}\n"
    yield "`manifest.json` lists every file with its SHA-256. `datasets.load_dataset` takes this"
    yield "folder as it is.\n"
    yield from _origin(made)
    yield "## What it is worth\n"
    measured = f"Measured on the generator, not on this very sample of it{_other_step(made)}"
    yield from figure_lines(made.figures, measured, "manifest.json")
    yield "## Limits\n"
    yield LIMITS.format(counts=_counts(made))
    yield "## Terms\n"
    yield f"{NOT_REAL}\n\nTraining data: {plain(made.source)}. Its terms: {made.source_terms}."


def _origin(made: Made, options: str = "") -> Iterator[str]:
    yield "## How it was made\n"
    run = f"the run {plain(made.run)}" if made.run else "a run"
    yield f"By the generator of {run} at step {made.step:,} (recipe {made.config.recipe},"
    yield f"training data {plain(made.source)}); its weights have the SHA-256 `{made.sha256}`.\n"
    yield f"```sh\n{command(made, options)}\n```\n"
    yield "This makes the same pictures again, with the versions that `manifest.json` gives the same"
    yield "bytes. Picture *i* of a class and seed is the same however many are made.\n"


def command(made: Made, options: str = "") -> str:
    """What makes the data set again."""
    how_many = f"--per-class {made.per_class}" if made.classes else f"-n {made.count}"
    run = shlex.quote(" ".join((made.run or "RUN").split()))
    form = f"--seed {made.seed} --layout {made.layout}" + " --processes N" * made.by_range
    return f"gansmith dataset {run} {options}{how_many} {form} --out FOLDER"


def _other_step(made: Made) -> str:
    """What to say where the figures are of an earlier or later state of the generator."""
    step = measured_at(made.figures, made.step)
    if step is None:
        return ""
    return f", and at step {step:,}, while these pictures come from step {made.step:,}"


def _counts(made: Made) -> str:
    if made.classes:
        return "The classes are equally frequent because that was asked for."
    return "There are no labels: the generator was trained without any."


def _title(made: Made) -> str:
    return f"Synthetic {made.source}"


def _size(count: int) -> str:
    """0 to 999 is the first name, each further digit the next."""
    return SIZES[min(max(len(str(count)) - 3, 0), len(SIZES) - 1)]
