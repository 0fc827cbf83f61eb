"""A model folder packed into a tar, as SageMaker keeps models: read in memory, written nowhere."""

from __future__ import annotations

from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, cast

from gansmith.checkpoint import MANIFEST, verified
from gansmith.data.archive import check_member, each_member, open_tar
from gansmith.errors import GansmithError

ENDINGS = (".tar", ".tar.gz", ".tgz")
FILES = (MANIFEST, "model.json", "model.safetensors")
MEMBERS = 10_000
# Weights are noise and hardly get smaller; what unpacks to more than this was made to.
RATIO, SPARE = 20, 10**7


def is_packed(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def read_packed(path: Path) -> dict[str, bytes]:
    """The verified files of a model that lie at the top of a tar or in one folder there.

    Other members are passed over. Raises a GansmithError where there is no such model, where it is
    damaged, and where the tar holds links, devices, or names that point outside.
    """
    try:
        found = _read(path)
    except GansmithError:
        raise
    except Exception as error:  # a damaged archive gives a dozen kinds
        reason = str(error) or type(error).__name__
        raise GansmithError(f"{path}: expected a whole tar of a model ({reason})") from None
    if not found:
        raise GansmithError(f"{path}: expected a model folder in it, found none")
    return verified(found, path)


def _read(path: Path) -> dict[str, bytes]:
    most = RATIO * path.stat().st_size + SPARE
    found: dict[str, bytes] = {}
    with open_tar(path, most) as archive:
        members = each_member(archive)
        for member in islice(members, MEMBERS):
            check_member(member.name, not (member.isfile() or member.isdir()), path)
            place = PurePosixPath(member.name)
            if place.name not in FILES or len(place.parts) > 2 or not member.isfile():
                continue
            if place.name in found:
                raise GansmithError(f"{path}: expected one model, found {place.name} twice")
            if member.size > most:
                raise GansmithError(f"{path}: {member.name} is larger than the archive can hold")
            found[place.name] = cast(IO[bytes], archive.extractfile(member)).read()
        if next(members, None) is not None:
            raise GansmithError(f"{path}: expected at most {MEMBERS:,} members, found more")
    return found
