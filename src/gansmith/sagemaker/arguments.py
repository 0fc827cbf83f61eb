"""What a job asks for: hyper-parameters and a command line, the tutorials' names and our own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gansmith.config import parse_settings
from gansmith.data import DOWNLOADS, is_name
from gansmith.errors import GansmithError
from gansmith.sagemaker.contract import OWN, Contract

# The DCGAN tutorials' names, and ours. Whoever uses the first four means their network.
TUTORIAL = {
    **{"nz": "latent_size", "ngf": "generator_filters", "ndf": "discriminator_filters"},
    **{"nc": "channels", "dataset": "source", "learning_rate": "lr"},
    **{"log_interval": "log_every", "sample_interval": "sample_every"},
}
THEIR_NETWORK = ("nz", "ngf", "ndf", "nc")
# What the tutorials' scripts can be told, and what is so anyway, or has no meaning here.
MEANINGLESS = ("test_batch_size", "workers", "pin_memory", "save_model", "num_gpus")
PLACES = ("model_dir", "output_dir", "checkpoint_dir")
COLOURS = {"1": "grey", "3": "colour", "4": "alpha"}
YES, NO = ("true", "1", "yes"), ("false", "0", "no", "")
USUAL = ("training", "train")  # of several channels, the one with the data


@dataclass(frozen=True)
class Asked:
    """What to train on, and how; and where else than usual things should lie."""

    source: str
    settings: dict[str, Any]
    recipe: str | None = None
    names_recipe: bool = False  # or is it meant by the tutorials' names
    places: Mapping[str, Path] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()  # names that mean nothing here


def read_arguments(contract: Contract, arguments: Sequence[str]) -> Asked:
    """The job's hyper-parameters, those in ``--hps``, and what the command line says: the later of
    them count. Names have hyphens or underscores, values are text or not, nothing is no value.

    Raises a GansmithError where one can't be meant so, or there is nothing to train on.
    """
    line = _options(arguments)
    typed = contract.hyperparameters
    given = _plain(typed) | _plain(_hps(line.pop("hps", "")))
    # Toolkits repeat all hyper-parameters there, lists and sections in forms of their own.
    parts = {_key(key) for key, value in typed.items() if isinstance(value, (list, dict))}
    given |= {k: v for k, v in _plain(line).items() if k.partition(".")[0] not in parts}
    given = {key: text for key, text in given.items() if not key.startswith(OWN)}
    theirs = any(key in given for key in THEIR_NETWORK)
    passed_over = tuple(key for key in MEANINGLESS if given.pop(key, None) is not None)
    places = {key: Path(text) for key in PLACES if (text := given.pop(key, ""))}
    places = {key: path for key, path in places.items() if not str(path).startswith("s3:")}
    named = {TUTORIAL.get(key, key): text for key, text in given.items() if text != ""}
    names_recipe = "recipe" in named
    recipe = named.pop("recipe", None) or ("dcgan" if theirs else None)
    if _is_yes("cuda", named.pop("cuda", "yes")) is False:
        named["device"] = "cpu"
    if colours := named.pop("channels", None):
        named["data.channels"] = COLOURS.get(colours, colours)
    for key in ("unlabelled", "lexicon"):
        if key in named:
            named[key] = _in_channel(contract, named[key])
    source, data_dir = _source(contract, named.pop("source", ""), named.pop("data_dir", ""))
    settings = parse_settings(f"{key}={text}" for key, text in named.items())
    if data_dir:
        settings["data_dir"] = data_dir
    return Asked(source, settings, recipe, names_recipe, places, passed_over)


def _options(arguments: Iterable[str]) -> dict[str, str]:
    """``--a-b 1 --c=2 --d`` → ``{"a_b": "1", "c": "2", "d": "true"}``."""
    found: dict[str, str] = {}
    waiting: str | None = None
    for word in arguments:
        if word.startswith("--"):
            key, equals, text = word[2:].partition("=")
            waiting = None if equals else _key(key)
            found[_key(key)] = text if equals else "true"
        elif waiting is not None:
            found[waiting], waiting = word, None
        else:
            raise GansmithError(f"expected --name value, found {word!r}")
    return found


def _plain(given: Mapping[str, Any]) -> dict[str, str]:
    """Every value as text, as `--set` takes it; those of sections as ``section.key``."""
    found: dict[str, str] = {}
    for name, value in given.items():
        key, read = _key(name), _read(value)
        if isinstance(read, dict):
            found |= {f"{key}.{_key(inner)}": _text(part) for inner, part in read.items()}
        else:
            found[key] = _text(read)
    return found


def _read(value: Any) -> Any:
    """A text that is JSON's for a text, a list or a section, as that: so the SDK and the v3 driver
    write them."""
    if isinstance(value, str) and value.strip()[:1] in ('"', "[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _hps(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise GansmithError(f"--hps: expected a JSON object, found {text[:100]!r}")
    return found


def _key(name: str) -> str:
    return name.strip().replace("-", "_")


def _is_yes(name: str, text: str) -> bool:
    if text.lower() in YES:
        return True
    if text.lower() in NO:
        return False
    raise GansmithError(f"{name}: expected true or false, found {text!r}")


def _source(contract: Contract, source: str, data_dir: str) -> tuple[str, str]:
    """What to train on, and the folder that has its files where it is a name that we know."""
    if source and is_name(source):
        known = source.partition(":")[0] in DOWNLOADS
        return source, data_dir or _usual(contract) if known else ""
    if source:
        return _in_channel(contract, source), ""
    alone = next(iter(contract.channels.values())) if len(contract.channels) == 1 else ""
    if channel := data_dir or _usual(contract) or alone:
        return _content(Path(channel)), ""
    names = ", ".join(contract.channels)
    raise GansmithError(
        "expected something to train on: a channel named training, or the hyper-parameter dataset "
        f"(a known name, such as mnist, or a channel's); found {names or 'no channel'}"
    )


def _usual(contract: Contract) -> str:
    """The channel with the data, where it is called as ever."""
    return next((str(contract.channels[name]) for name in USUAL if name in contract.channels), "")


def _in_channel(contract: Contract, text: str) -> str:
    """A channel's content by its name, else the text itself: ``more`` or ``more/words.parquet``."""
    name, _, rest = text.partition("/")
    if name not in contract.channels:
        return text
    folder = contract.channels[name]
    return _content(folder / rest if rest else folder)


def _content(folder: Path) -> str:
    """The folder, or the one file in it."""
    inside = [p for p in folder.iterdir() if not p.name.startswith(".")] if folder.is_dir() else []
    alone = len(inside) == 1 and inside[0].is_file()
    return str(inside[0] if alone else folder)
