"""CIFAR-10 in both forms its authors publish: binary, and Python batches.

https://www.cs.toronto.edu/~kriz/cifar.html describes them. Python batches are serialised objects,
and unpacking those the usual way runs whatever code the file asks for. ``parse_python_batch``
instead walks through the file's instructions itself, knows the few that build dictionaries, lists,
strings, numbers and one array, and refuses everything else.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gansmith.data.archive import read_tar_members
from gansmith.data.source import Array
from gansmith.errors import GansmithError

CLASSES = [
    *["airplane", "automobile", "bird", "cat", "deer"],
    *["dog", "frog", "horse", "ship", "truck"],
]
_BATCHES = {"train": [f"data_batch_{n}" for n in range(1, 6)], "test": ["test_batch"]}
_RECORD = 1 + 3 * 32 * 32  # one byte of label, then the red, green and blue planes


def find_cifar10(folder: Path, split: str) -> dict[str, Path] | None:
    """Find CIFAR-10 in a folder in any of its forms: the files by name, or None."""
    batches = _BATCHES[split]
    for form, suffix in (("bin", ".bin"), ("py", "")):
        for root in (folder, folder / f"cifar-10-batches-{form}"):
            paths = {batch: root / f"{batch}{suffix}" for batch in batches}
            if all(path.is_file() for path in paths.values()):
                return paths
    for archive in ("cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"):
        if (folder / archive).is_file():
            return {"archive": folder / archive}
    return None


def read_cifar10(files: dict[str, Path], split: str) -> tuple[Array, Array]:
    """Return images uint8 N×32×32×3 and labels uint8 N from what ``find_cifar10`` found."""
    try:
        contents = _contents(files, split)
        records = [_parse(content) for content in contents]
    except Exception as error:  # a damaged archive or batch fails in a dozen ways
        where = next(iter(files.values()))
        raise GansmithError(
            f"Expected whole CIFAR-10 files, but {where} can't be read: "
            f"{error or type(error).__name__}. Download it again."
        ) from None
    together = np.concatenate(records)
    images = together[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), together[:, 0]


def _contents(files: dict[str, Path], split: str) -> list[bytes]:
    if "archive" not in files:
        return [path.read_bytes() for path in files.values()]
    batches = _BATCHES[split]
    members = read_tar_members(
        files["archive"], {f"{batch}{suffix}" for batch in batches for suffix in ("", ".bin")}
    )
    if len(members) != len(batches):
        raise ValueError(f"expected the batches {', '.join(batches)}, found {len(members)}")
    return [members[name] for name in sorted(members)]


def _parse(content: bytes) -> Array:
    """Return one batch as uint8 N×3073: label, then the planes."""
    if content.startswith(b"\x80"):  # the instruction that opens a Python batch; no label is 128
        return parse_python_batch(content)
    if not content or len(content) % _RECORD:
        raise ValueError(f"{len(content):,} bytes is no multiple of {_RECORD}")
    return np.frombuffer(content, dtype=np.uint8).reshape(-1, _RECORD)


def parse_python_batch(content: bytes) -> Array:
    """Return one Python batch as uint8 N×3073, having executed nothing in it."""
    batch = _Reader().read(content)
    data = batch["data"]
    labels = np.asarray(batch["labels"], dtype=np.uint8)
    if not isinstance(data, np.ndarray) or data.shape != (len(labels), _RECORD - 1):
        raise ValueError("its data do not have one row of 3,072 bytes a label")
    return np.concatenate([labels[:, None], data], axis=1)


class _Global(str):
    """The name of something to call. Only its name: nothing is looked up."""


class _Mark:
    """Where a list, tuple or group of keys begins on the stack."""


class _Reader:
    """A stack machine for the instructions that Python 2 wrote into CIFAR-10's batches."""

    ARRAYS = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
    NAMES = frozenset({*ARRAYS, "numpy ndarray", "numpy dtype"})
    NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "INT", "LONG1"})
    STRINGS = frozenset({"BINSTRING", "SHORT_BINSTRING", "BINUNICODE"})
    CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}  # noqa: RUF012
    TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}  # noqa: RUF012

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, content: bytes) -> dict[str, Any]:
        for instruction, argument, _ in pickletools.genops(content):
            self._step(instruction.name, argument)
        (result,) = self._stack
        if not isinstance(result, dict):
            raise ValueError("it does not hold a dictionary")
        return result

    def _step(self, name: str, argument: Any) -> None:
        if name in self.NUMBERS or name in self.STRINGS:
            self._stack.append(argument)
        elif name in self.CONSTANTS:
            self._stack.append(self.CONSTANTS[name])
        elif name in self.TUPLES:
            self._stack.append(tuple(self._take(self.TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name not in ("PROTO", "STOP"):
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        if name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE", "MARK"):
            kinds = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "MARK": _Mark}
            self._stack.append(kinds[name]())
        elif name == "TUPLE":
            self._stack.append(tuple(self._since_mark()))
        elif name == "APPEND":
            (value,) = self._take(1)
            self._stack[-1].append(value)
        elif name == "APPENDS":
            values = self._since_mark()
            self._stack[-1].extend(values)
        elif name == "SETITEM":
            self._stack[-1].update(_pairs(self._take(2)))
        elif name == "SETITEMS":
            pairs = _pairs(self._since_mark())
            self._stack[-1].update(pairs)
        elif name == "GLOBAL" and argument in self.NAMES:
            self._stack.append(_Global(argument))
        elif name == "REDUCE":
            callee, arguments = self._take(2)
            self._stack.append(_Unfinished(callee, arguments))
        elif name == "BUILD":
            unfinished, state = self._take(2)
            self._finish(unfinished, state)
        else:
            raise ValueError(f"it asks for {name} {argument or ''}, which no CIFAR-10 file does")

    def _finish(self, unfinished: Any, state: Any) -> None:
        if not isinstance(unfinished, _Unfinished):
            raise ValueError("it sets the state of something that is no array")
        finished: Any = unfinished
        if unfinished.callee in self.ARRAYS:
            _, shape, dtype, _, values = state
            finished = _array(shape, dtype, values)
        self._stack.append(finished)
        for key, value in self._memo.items():
            if value is unfinished:
                self._memo[key] = finished

    def _take(self, count: int) -> list[Any]:
        taken = self._stack[-count:]
        if len(taken) < count:
            raise ValueError("it takes what was never given")
        del self._stack[-count:]
        return taken

    def _since_mark(self) -> list[Any]:
        start = max(n for n, value in enumerate(self._stack) if isinstance(value, _Mark))
        values = self._stack[start + 1 :]
        del self._stack[start:]
        return values


class _Unfinished:
    """An array or its type, called for but not yet given its state."""

    def __init__(self, callee: Any, arguments: Any) -> None:
        if not isinstance(callee, _Global):
            raise ValueError("it calls something that is no name")
        self.callee, self.arguments = callee, arguments


def _array(shape: Any, dtype: Any, values: str) -> Array:
    if not isinstance(dtype, _Unfinished) or dtype.arguments[0] != "u1":
        raise ValueError("its array does not hold bytes")
    return np.frombuffer(values.encode("latin-1"), dtype=np.uint8).reshape(shape)


def _pairs(values: list[Any]) -> Iterable[tuple[str, Any]]:
    return zip(values[::2], values[1::2], strict=True)
