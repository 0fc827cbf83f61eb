"""This package as a container takes it: an archive with a program, what it needs, and its source."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from gansmith.errors import GansmithError

EXTRAS = ("hf", "words")  # beside the core: Parquet and data sets of the Hub, rendered words
TRAIN = "from gansmith.sagemaker.entry import main\n\nmain()\n"
INFERENCE = """\
from gansmith.sagemaker.inference import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]
"""
EXTRA = re.compile(r"extra\s*==\s*['\"]([\w-]+)['\"]")


def training_archive() -> bytes:
    """sourcedir.tar.gz: ``train.py``, ``requirements.txt`` and the package, always the same bytes."""
    return packed(_with_package({"train.py": TRAIN, "requirements.txt": requirements()}))


def serving_files() -> dict[str, bytes]:
    """What lies in ``code/`` of a model that AWS's image serves, by path."""
    return _with_package({"inference.py": INFERENCE, "requirements.txt": requirements()})


def requirements() -> str:
    """What the package needs, and EXTRAS, a line each. Raises a GansmithError where it was never
    installed, as its metadata say it."""
    try:
        needed = requires("gansmith") or ()
    except PackageNotFoundError:
        raise GansmithError(
            "what gansmith needs is known only where it was installed: pip install -e ."
        ) from None
    found = []
    for requirement in needed:
        what, _, condition = requirement.partition(";")
        extra = EXTRA.search(condition)
        if extra is None or extra[1] in EXTRAS:
            found.append(what.strip())
    return "".join(f"{line}\n" for line in sorted(set(found)))


def _with_package(own: Mapping[str, str]) -> dict[str, bytes]:
    folder = Path(__file__).parents[1]
    files = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    package = {f"gansmith/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in files}
    return {name: text.encode() for name, text in own.items()} | dict(sorted(package.items()))


def packed(contents: Mapping[str, bytes]) -> bytes:
    """A tar.gz of files by path: the same files, the same bytes."""
    tar, buffer = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        file.write(tar.getvalue())
    return buffer.getvalue()
