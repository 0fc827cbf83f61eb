"""Checkpoints: safetensors and JSON, written whole or not at all, verified when read.

    checkpoints/step-000000500/
        model.safetensors        both players and the averaged generator
        train_state.safetensors  optimisers and running sums
        state.json               counters and times
        manifest.json            SHA-256 and length of each of the above

A checkpoint is written to a temporary folder, every file and the folder are fsynced, and only then
is it renamed into place: a folder named ``step-…`` is complete, whatever the machine did meanwhile.
The manifest still says so, because disks lie too. Nothing here can execute anything.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from gansmith.errors import GansmithError

MANIFEST = "manifest.json"
LONGEST_MANIFEST = 2**20  # bytes
NAME = re.compile(r"step-(\d{9,})")
RING = 3  # sound checkpoints that are kept to go back to


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on: tensors by file name and key, and plain values."""

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    state: Mapping[str, Any]
    path: Path | None = field(default=None, compare=False)


class DamagedError(GansmithError):
    """A checkpoint or a model folder that is not what its manifest says."""


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write `checkpoint` under `folder`; returns its path. OSError if the disk won't take it."""
    target = path_of(folder, checkpoint.step)
    files = {f"{name}.safetensors": encode(tensors) for name, tensors in checkpoint.tensors.items()}
    files["state.json"] = json.dumps(dict(checkpoint.state), indent=1).encode()
    write_folder(target, files)
    return target


def load(path: Path) -> Checkpoint:
    """Read and verify one checkpoint folder. Raises DamagedError with the reason."""
    files = read_folder(path)
    try:
        tensors = {
            name.removesuffix(".safetensors"): load_tensors(content)
            for name, content in files.items()
            if name.endswith(".safetensors")
        }
        state = json.loads(files["state.json"])
        step = state["step"]
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedError(f"{path}: not a checkpoint that gansmith wrote ({error})") from None
    if not isinstance(step, int):
        raise DamagedError(f"{path}: state.json gives no step")
    return Checkpoint(step, tensors, state, path)


def say_aside(line: str) -> None:
    """Tell the person without disturbing what a program prints."""
    print(f"gansmith: {line}", file=sys.stderr)


def newest(folder: Path, say: Callable[[str], None] = say_aside) -> Checkpoint | None:
    """The newest checkpoint that is whole; damaged ones are said and passed over."""
    for path in reversed(paths(folder)):
        try:
            return load(path)
        except DamagedError as error:
            say(f"passing over a damaged checkpoint: {error}")
    return None


def paths(folder: Path) -> list[Path]:
    """The checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(
        (p for p in folder.iterdir() if NAME.fullmatch(p.name) and p.is_dir()), key=step_of
    )


def path_of(folder: Path, step: int) -> Path:
    return folder / f"step-{step:09d}"


def step_of(path: Path) -> int:
    """The step in a name such as ``step-000000500``."""
    return int(path.stem.removeprefix("step-"))


def prune(folder: Path, keep: int) -> None:
    """Leave the last `keep` checkpoints, the last few sound ones, and the best."""
    present = paths(folder)
    ring = [path_of(folder, step) for step, _ in islice(sound(folder), RING)]
    kept = {*present[-keep:], *ring, best(folder)}
    for path in present:
        if path not in kept:
            shutil.rmtree(path, ignore_errors=True)


def best(folder: Path) -> Path | None:
    """The checkpoint with the best (lowest) score; None where none has one."""
    scored = [path for path in paths(folder) if _score(path) < math.inf]
    return min(scored, key=_score, default=None)


def sound(folder: Path) -> Iterator[tuple[int, int]]:
    """The steps of checkpoints that are worth going back to, newest first, and how many steps of
    training are in each: fewer, where a repair threw some away."""
    for path in reversed(paths(folder)):
        state = _read_state(path)
        lost = state.get("lost", 0)
        if state.get("sound") is True and isinstance(lost, int):
            yield step_of(path), step_of(path) - lost


def clean(folder: Path) -> None:
    """Remove what an interrupted write left. Only the holder of the run's lock may call this."""
    if folder.is_dir():
        for path in folder.glob(".tmp-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def write_folder(
    target: Path, files: Mapping[str, bytes], beside: Mapping[str, bytes] | None = None
) -> None:
    """Make `target` hold exactly `files` and their manifest, atomically; and `beside` them others,
    that people may change."""
    temporary = target.parent / f".tmp-{target.name}-{os.getpid()}"
    try:
        temporary.mkdir(parents=True)
        for name, content in {**files, **(beside or {})}.items():
            _write_synced(temporary / name, content)
        _write_synced(temporary / MANIFEST, _manifest(files))
        _sync_folder(temporary)
        _rename(temporary, target)
        _sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def read_folder(path: Path, limit: int = 64 * 2**30) -> dict[str, bytes]:
    """The files that the manifest of `path` lists, verified. Raises DamagedError."""
    files: dict[str, bytes] = {}
    for name, entry in _read_manifest(path).items():
        file = path / name
        try:
            if _length(file) != entry["bytes"] or entry["bytes"] > limit:
                raise DamagedError(f"{path}: {name} has not the length its manifest gives")
            files[name] = file.read_bytes()
        except OSError as error:
            raise DamagedError(f"{path}: {name} can't be read ({error.strerror})") from None
        _verify(files[name], entry, f"{path}: {name}")
    return files


def verified(files: Mapping[str, bytes], where: Path) -> dict[str, bytes]:
    """The same of files that are in memory already, their manifest among them."""
    entries = _entries(files.get(MANIFEST, b""), where)
    if missing := entries.keys() - files.keys():
        raise DamagedError(f"{where}: {min(missing)} is missing")
    for name, entry in entries.items():
        _verify(files[name], entry, f"{where}: {name}")
    return {name: files[name] for name in entries}


def with_manifest(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """`files` and their manifest, for whoever packs them."""
    return {**files, MANIFEST: _manifest(files)}


def write_atomically(path: Path, content: bytes) -> None:
    """Replace one file: a reader sees the old or the new, never half."""
    temporary = path.with_name(f".tmp-{path.name}-{os.getpid()}")
    try:
        _write_synced(temporary, content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def encode(tensors: Mapping[str, Tensor]) -> bytes:
    return save_tensors({key: t.detach().cpu().contiguous() for key, t in tensors.items()})


def _manifest(files: Mapping[str, bytes]) -> bytes:
    entries = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    }
    return json.dumps(entries, indent=1).encode()


def _read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    try:
        if _length(path / MANIFEST) > LONGEST_MANIFEST:
            raise OSError(errno.EFBIG, "it is far too long")
        content = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise DamagedError(f"{path}: no readable {MANIFEST} ({error})") from None
    return _entries(content, path)


def _entries(content: bytes, where: Path) -> dict[str, dict[str, Any]]:
    try:
        entries = json.loads(content)
        for name, entry in entries.items():
            # A name is a plain file name: a manifest must not reach outside its folder.
            typed = type(entry["bytes"]) is int and type(entry["sha256"]) is str
            if not (typed and re.fullmatch(r"\w[\w.-]*", name)):
                raise ValueError(f"entry {name!r}")
    except (ValueError, AttributeError, TypeError, KeyError, RecursionError) as error:
        raise DamagedError(f"{where}: no readable {MANIFEST} ({error})") from None
    return dict(entries)


def _verify(content: bytes, entry: Mapping[str, Any], where: str) -> None:
    if len(content) != entry["bytes"] or hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise DamagedError(f"{where} differs from the SHA-256 in its manifest")


def _length(file: Path) -> int:
    """Its size; links, pipes and devices are refused with an OSError, for reading could not end."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a plain file")
    return status.st_size


def _read_state(path: Path) -> dict[str, Any]:
    """A checkpoint's state.json, unverified; nothing where it can't be read."""
    try:
        state = json.loads((path / "state.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def _score(path: Path) -> float:
    """The score a checkpoint was saved with; unreadable or none counts as worst."""
    score = _read_state(path).get("score")
    return score if isinstance(score, float) and math.isfinite(score) else math.inf


def _write_synced(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make a rename durable. Windows can't open a folder, and does not need to."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _rename(temporary: Path, target: Path) -> None:
    """Rename into place; a folder already there is moved aside first and removed after."""
    aside = target.parent / f".tmp-old-{target.name}-{os.getpid()}"
    if target.exists():
        target.rename(aside)
    try:
        temporary.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
