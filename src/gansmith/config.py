"""One typed, validated configuration; a recipe is a function that returns one."""

from __future__ import annotations

import difflib
import json
import re
import reprlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gansmith.errors import GansmithError

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, le=1)]
Weight = Annotated[float, Field(ge=0)]
Size = Annotated[str, Field(pattern=r"^[1-9]\d{0,3}(x[1-9]\d{0,3})?$", coerce_numbers_to_str=True)]

MOST_PROBLEMS = 50  # named in one error
_brief = reprlib.Repr()  # a value in an error: short, however large or deep it is
_brief.maxstring = 200

Augmentation = Literal["flip", "affine", "brightness", "saturation", "contrast", "shift", "cutout"]
LIMITS = ("minutes", "epochs", "images")
Loss = Literal[
    "non-saturating", "saturating", "least-squares", "hinge", "wasserstein", "relativistic"
]


class Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


class DataConfig(Section):
    """How pictures become tensors."""

    fit: Literal["crop", "pad"] = "crop"
    channels: Literal["auto", "grey", "colour", "alpha"] = "auto"
    background: str = "white"
    max_skipped: Share = 0.05
    memory_gb: Annotated[float, Field(gt=0)] = 4.0
    disk_gb: Annotated[float, Field(gt=0)] = 20.0  # for what is kept of shards
    # These two change the real pictures alone, so the generator learns to make mirrored or tilted
    # ones: they leak. `augment` below applies to both players and does not.
    flip: bool = False
    affine: bool = False


class Config(Section):
    """Everything that decides a run. Names are the field's own."""

    recipe: str = "custom"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    # the players
    model: Literal["compact", "dcgan", "dcgan-keras", "mlp", "words"] = "dcgan"
    size: Size | None = "64"  # "64" or "56x64", width × height; None for points
    latent_size: Count = 100
    latent: Literal["normal", "uniform"] = "normal"
    latent_spread: Annotated[float, Field(gt=0, le=10)] = 1.0  # of those trained on; of samples: 1
    conditional: Literal["auto", "yes", "no"] = "no"
    generator_filters: Count = 64
    discriminator_filters: Count = 64
    norm: Literal["batch", "none"] = "batch"
    d_norm: Literal["batch", "none"] | None = None  # None: as `norm`
    bn_scale: Literal["learned", "fixed"] = "learned"
    bn_statistics: Literal["all", "own"] = "all"  # of several processes' pictures, or each its own
    conditional_norm: bool = False  # compact's generator: batch norm by class (docs/log.md)
    init: Literal["dcgan", "keras", "torch"] = "dcgan"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    # the game
    loss: Loss = "non-saturating"
    r1: Weight = 0.0
    r2: Weight = 0.0
    penalty_every: Count = 1
    gradient_penalty: Weight = 0.0
    d_steps: Count = 1
    batches: Literal["separate", "mixed"] = "separate"
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    noisy_labels: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    instance_noise: Weight = 0.0  # standard deviation at the start …
    instance_noise_kimg: Weight = 0.0  # … falling to zero over so many thousand images; 0: constant
    mismatch: Weight = 0.0  # of real pictures under wrong labels, as fakes for the discriminator …
    mismatch_kimg: Weight = 0.0  # … halved every so many thousand images; 0: constant
    augment: tuple[Augmentation, ...] = ()
    augment_p: Share = 0.8  # above 0.8 the generator can no longer tell them from the data
    augment_target: Share = 0.0  # of D's sign on real pictures (ADA), augment_p the most; 0: always
    augment_kimg: Annotated[float, Field(gt=0)] = 100.0  # thousand images from odds of 0 to 1

    # words: the recogniser, and what the generator is made to write while it trains
    recogniser_filters: Count = 16
    recogniser_lr: Rate = 1e-3
    reading: Weight = 2.0  # weight of being read, beside that of being taken for real
    reading_from: Weight = 2.0  # the recogniser's loss a character below which it is listened to
    style: Weight = 3.0  # weight of a style's being found again in what is written in it
    recombined: Share = 0.5  # of the texts: the beginning of one and the end of another
    copybook: Literal["no", "auto", "yes"] = "no"  # rendered words, to learn to read from besides

    # the optimisers
    batch_size: Annotated[int, Field(ge=2)] = 64
    lr: Rate = 2e-4
    d_lr: Rate | None = None  # None: as `lr`
    lr_decay: Share = 0.0  # over the last such share of the run both rates fall to nothing
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.5
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.999
    clip: Weight = 0.0  # longest that a player's gradient may be; 0: as long as it is
    balance: Literal["none", "rate", "r1"] = "none"  # adapt D's learning rate or R1, so that it …
    balance_target: Share = 0.85  # … tells such a share of pairs of real and generated apart
    ema_kimg: Weight = 10.0  # half-life in thousands of images at batch 32; 0: no averaging

    on_failure: Literal["repair", "stop", "warn"] = "repair"  # when a run fails (docs/health.md)
    repairs: Annotated[int, Field(ge=0, le=100)] = 6  # at most, before it stops
    held_out: Annotated[float, Field(ge=0, le=0.5)] = 0.05  # share of the data kept from training

    # how long, and what is written when (all in steps)
    minutes: Annotated[float, Field(gt=0)] | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    images: Count | None = None
    log_every: Count = 20
    sample_every: Count = 200
    checkpoint_every: Count = 500
    keep: Count = 2
    evaluate_every: Count | None = None  # None: as often as a twentieth of the work allows
    evaluate_n: Annotated[int, Field(ge=16, le=100_000)] = 1000  # examples generated for it
    evaluate_space: Literal["random", "classifier"] = "random"
    samples: Annotated[int, Field(ge=1, le=1024)] = 64

    # from what, and where
    source: str = ""
    unlabelled: str | None = None  # words without texts, which the discriminator is shown besides
    lexicon: str | None = None  # a file of texts, which are to be written besides
    data_dir: str | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    data: DataConfig = DataConfig()

    @model_validator(mode="after")
    def _agree(self) -> Config:
        problems = []
        if sum(limit is not None for limit in (self.minutes, self.epochs, self.images)) > 1:
            problems.append("give one of minutes, epochs and images, not several")
        if self.gradient_penalty and self.loss != "wasserstein":
            problems.append("gradient_penalty belongs to the wasserstein loss")
        if self.gradient_penalty and (self.d_norm or self.norm) == "batch":
            problems.append("gradient_penalty is one picture's: use d_norm=none, not batch norm")
        if self.loss == "relativistic" and (self.label_smoothing or self.noisy_labels):
            problems.append(
                "label_smoothing and noisy_labels have no meaning in a relativistic loss"
            )
        if self.model == "mlp" and (self.augment or self.data.flip or self.data.affine):
            problems.append("augment, data.flip and data.affine are for pictures, not for points")
        if self.copybook != "no" and self.model != "words":
            problems.append("copybook: only words have a recogniser that could learn from one")
        problems += self._problems_of_words() if self.model == "words" else []
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems_of_words(self) -> list[str]:
        """Keys that other networks have and the words' have not."""
        usual = {
            **{"batches": "separate", "conditional": "no", "gradient_penalty": 0},
            **{"mismatch": 0, "instance_noise": 0, "r2": 0, "dropout": 0, "latent": "normal"},
            **{"d_steps": 1, "label_smoothing": 0, "noisy_labels": 0},
        }
        problems = [
            f"{key}: the words' networks have no such switch"
            for key, value in usual.items()
            if getattr(self, key) != value
        ]
        if set(self.augment) - {"affine"}:
            problems.append("augment: words know affine alone (slant, size, wavering, weight)")
        if self.size not in ("32", "64"):
            problems.append(f"size: expected 32 or 64, how high words are, found {self.size}")
        return problems

    @property
    def width(self) -> int | None:
        return int(self.size.split("x")[0]) if self.size else None

    @property
    def height(self) -> int | None:
        return int(self.size.split("x")[-1]) if self.size else None

    def with_(self, **changes: Any) -> Config:
        """A copy with some fields changed, validated again."""
        return build({**self.model_dump(), **changes})

    def to_json(self) -> str:
        return self.model_dump_json(indent=2) + "\n"


class Script(Section):
    """What a generator of words can write, and how wide (see `models.layout`)."""

    alphabet: Annotated[tuple[str, ...], Field(min_length=1, max_length=20_000)]
    widths: tuple[Annotated[float, Field(gt=0, le=1e4)], ...]  # of each character, in pixels
    paces: Annotated[tuple[float, ...], Field(min_length=2)]  # quantiles of the logarithm of pace
    steady: Annotated[float, Field(ge=0, le=1)] = 0.3  # of its variance, what lies between hands
    bleached: bool = False  # whether paper is white wherever no stroke is near

    @model_validator(mode="after")
    def _agree(self) -> Script:
        if len(self.widths) != len(self.alphabet) or len(set(self.alphabet)) < len(self.alphabet):
            raise ValueError("expected one width for each of so many different characters")
        return self


class DataSpec(Section):
    """What a generator makes, and what its numbers mean. Stored with every model.

    Pictures are C×H×W in [-1, 1] = 0…255; points are D numbers, standardised by `mean` and `std`;
    words are 1×H×W in [0, 1], where 1 is ink, and W that of the widest seen.
    """

    kind: Literal["pictures", "points", "words"]
    shape: tuple[Count, ...]
    classes: tuple[str, ...] | None = None  # the labels the generator listens to
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    script: Script | None = None

    @model_validator(mode="after")
    def _agree(self) -> DataSpec:
        if self.kind != "points" and len(self.shape) != 3:
            raise ValueError("shape: expected channels, height and width")
        if (self.kind == "words") != (self.script is not None):
            raise ValueError("script: expected of words, and of nothing else")
        if self.kind == "words" and (self.shape[0] != 1 or self.shape[1] not in (32, 64)):
            raise ValueError("shape: expected one channel and a height of 32 or 64")
        if self.kind == "points" and not ((len(self.mean),) == (len(self.std),) == self.shape):
            raise ValueError("expected one size as shape, and as many means and deviations")
        return self

    @property
    def class_count(self) -> int:
        """0 for an unconditional generator."""
        return len(self.classes) if self.classes else 0


def build(values: Mapping[str, Any]) -> Config:
    """Validate ``values``. Raises one GansmithError that lists every problem at once."""
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        problems = error.errors()
        lines = [_sentence(problem) for problem in problems[:MOST_PROBLEMS]]
        if len(problems) > len(lines):
            lines.append(f"  and {len(problems) - len(lines):,} more")
        raise GansmithError("\n".join(["the configuration can't be used:", *lines])) from None


def from_json(text: str, where: str) -> Config:
    """Read a ``config.json``; ``where`` names it in the error."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GansmithError(f"{where}: expected JSON, found something else ({error})") from None
    if not isinstance(values, dict):
        raise GansmithError(f"{where}: expected a JSON object, found a {type(values).__name__}")
    return build(values)


def parse_settings(settings: Iterable[str]) -> dict[str, Any]:
    """``["lr=1e-3", "data.fit=pad"]`` → ``{"lr": "1e-3", "data": {"fit": "pad"}}``.

    Values stay text: the configuration's types decide what they mean. A list is comma-separated,
    ``none`` unsets.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise GansmithError(f"--set expects key=value, found {setting!r}")
        *sections, field = key.strip().replace("-", "_").split(".")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise GansmithError(f"--set {setting}: {section} is given a value elsewhere")
        place[field] = _value(field, text.strip())
    return values


def merge(base: Config, changes: Mapping[str, Any]) -> Config:
    """`base` with nested `changes`; a new limit (minutes, epochs, images) replaces the old."""
    values = base.model_dump()
    if any(changes.get(limit) is not None for limit in LIMITS):
        values |= dict.fromkeys(LIMITS)
    values |= changes
    if isinstance(changes.get("data"), Mapping):
        values["data"] = {**base.data.model_dump(), **changes["data"]}
    return build(values)


def _value(field: str, text: str) -> Any:
    if text.lower() in ("none", "null"):
        return () if field == "augment" else None
    return tuple(filter(None, re.split(r"[,\s]+", text))) if field == "augment" else text


def _sentence(problem: Any) -> str:
    """One of pydantic's findings in plain words, with the nearest key where one is misspelled."""
    key = ".".join(str(part) for part in problem["loc"] if part != "function-after")
    if problem["type"] == "extra_forbidden":
        return f"  {key}: no such key{_nearest(key)}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be ", "")
    if problem["type"] == "string_pattern_mismatch":
        message = "a size such as 64, or 56x64 (width x height)"
    if not key:
        return f"  {message}"
    return f"  {key}: expected {message}, found {_brief.repr(problem['input'])}"


def _nearest(key: str) -> str:
    section, _, _ = key.rpartition(".")
    fields = DataConfig.model_fields if section == "data" else Config.model_fields
    names = [f"{section}.{name}" if section else name for name in fields]
    close = difflib.get_close_matches(key, names, 1, 0.5)
    return f"; did you mean {close[0]}?" if close else "; `gansmith recipes --keys` lists them"


def keys() -> list[tuple[str, str, str]]:
    """Every key with its kind and default, for people."""
    rows = []
    for prefix, section in (("", Config), ("data.", DataConfig)):
        for name, info in section.model_fields.items():
            if name != "data":
                rows.append((prefix + name, _kind(info.annotation), str(info.default)))
    return rows


def _kind(annotation: Any) -> str:
    options = get_args(annotation)
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, options))
    if get_origin(annotation) is Annotated:
        return _kind(options[0])
    if get_origin(annotation) is tuple:
        return f"list of {_kind(options[0])}"
    return " | ".join(_kind(option) for option in options) if options else annotation.__name__
