"""A zip or tar archive of pictures, read member by member and never unpacked to disk.

An archive comes from a stranger: one that names a place outside itself, or holds links, devices
or more than anyone's data set, is refused as a whole.
"""

from __future__ import annotations

import bz2
import gzip
import io
import itertools
import lzma
import stat
import tarfile
import zipfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from gansmith.data.folder import arrange
from gansmith.data.pictures import MAX_BYTES
from gansmith.data.source import Item, Skipped, Source
from gansmith.errors import GansmithError

MAX_TOTAL_BYTES = 10 * 10**9
MAX_MEMBERS = 1_000_000


class ArchiveSource(Source):
    """What zip and tar share: listing once, then reading the pictures in the archive's order."""

    def __init__(self, path: Path) -> None:
        self.name = path.name.split(".")[0]
        self.path = path
        with complaints(self.path):
            members = list(itertools.islice(self._list(), MAX_MEMBERS + 1))
        if len(members) > MAX_MEMBERS:
            raise GansmithError(f"Expected at most {MAX_MEMBERS:,} members in {path}; it has more.")
        names = dict.fromkeys(name for name, is_file in members if is_file)
        self._layout = arrange(names, where=f"the archive {path}")
        self.classes = self._layout.classes

    def __len__(self) -> int:
        return len(self._layout.labels)

    def read(self, step: int = 1) -> Iterator[Item | Skipped]:
        wanted = dict(itertools.islice(self._layout.labels.items(), 0, None, step))
        total = 0
        with complaints(self.path):
            for name, content in self._members(wanted):
                if isinstance(content, Skipped):
                    yield content
                    continue
                total += len(content)
                if total > MAX_TOTAL_BYTES:
                    raise _too_large(self.path, MAX_TOTAL_BYTES)
                yield Item(name, content, wanted[name])

    def files(self) -> dict[str, Path]:
        return {"archive": self.path}

    @abstractmethod
    def _list(self) -> Iterator[tuple[str, bool]]:
        """Yield every member's name and whether it is a regular file, refusing what is hostile."""

    @abstractmethod
    def _members(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes | Skipped]]:
        """Yield the content of each wanted member once, in the archive's order."""


class ZipSource(ArchiveSource):
    """A zip archive."""

    def _list(self) -> Iterator[tuple[str, bool]]:
        with zipfile.ZipFile(self.path) as archive:
            for member in archive.infolist():
                # The upper half of external_attr is the Unix mode, 0 where another system wrote it.
                kind = stat.S_IFMT(member.external_attr >> 16)
                special = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
                check_member(member.filename, special, self.path)
                if member.flag_bits & 1:
                    raise GansmithError(f"{self.path} is encrypted; give an archive that is not.")
                yield member.filename, not member.is_dir()

    def _members(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes | Skipped]]:
        with zipfile.ZipFile(self.path) as archive:
            for name in wanted:
                try:
                    with archive.open(name) as member:
                        yield name, read_member(member, name)
                except GeneratorExit:
                    raise
                except Exception as error:
                    yield name, Skipped(name, f"damaged in the archive ({error})")


class TarSource(ArchiveSource):
    """A tar archive, plain or compressed with gzip, bzip2 or xz."""

    def _list(self) -> Iterator[tuple[str, bool]]:
        with open_tar(self.path) as archive:
            for member in each_member(archive):
                special = not (member.isfile() or member.isdir())
                check_member(member.name, special, self.path)
                yield member.name, member.isfile()

    def _members(self, wanted: Iterable[str]) -> Iterator[tuple[str, bytes | Skipped]]:
        missing = set(wanted)
        with open_tar(self.path) as archive:
            for member in each_member(archive):
                if member.name in missing and member.isfile():
                    missing.remove(member.name)
                    with cast(IO[bytes], archive.extractfile(member)) as content:
                        yield member.name, read_member(content, member.name)


def read_tar_members(path: Path, names: set[str]) -> dict[str, bytes]:
    """Read some members of a tar, found by the last part of their names.

    Raises the many exceptions of a damaged archive.
    """
    found: dict[str, bytes] = {}
    with open_tar(path) as archive:
        for member in each_member(archive):
            name = PurePosixPath(member.name).name
            if name in names and member.isfile():
                with cast(IO[bytes], archive.extractfile(member)) as content:
                    found[name] = content.read(MAX_BYTES)
    return found


@contextmanager
def open_tar(path: Path, most: int | None = None) -> Iterator[tarfile.TarFile]:
    """A tar, plain or compressed, of which no more than `most` bytes are unpacked: if None, as much
    as a data set has, and its members' headers."""
    if most is None:
        most = MAX_TOTAL_BYTES + 1024 * MAX_MEMBERS
    with _decompressed(path) as raw:
        # The mode without compression, because _Bounded has to see what comes out of it.
        bounded = cast(IO[bytes], _Bounded(raw, path, most))
        with tarfile.open(fileobj=bounded, mode="r:") as archive:
            yield archive


class _Bounded(io.RawIOBase):
    """A reader that goes no further than `most` and never takes more than a picture at once.

    A header may claim any length for a name or comment, and ``tarfile`` would read that at once.
    """

    def __init__(self, raw: IO[bytes], path: Path, most: int) -> None:
        self._raw, self._path, self._most = raw, path, most
        self.last = b""  # what was read last

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_BYTES:
            raise GansmithError(f"{self._path} holds a member larger than {MAX_BYTES >> 20} MB.")
        self.last = self._raw.read(size)
        if self._raw.tell() > self._most:
            raise _too_large(self._path, self._most)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence != 0 or offset > self._most:
            raise _too_large(self._path, self._most)
        return self._raw.seek(offset)

    def tell(self) -> int:
        return self._raw.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def each_member(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Of what `open_tar` opened. Raises the many exceptions of a damaged archive."""
    while (member := archive.next()) is not None:
        cast(Any, archive).members.clear()  # which it would keep, a kilobyte for each
        yield member
    # After the first member, tarfile takes damage for the end; the true end is a block of zeros.
    if cast(_Bounded, archive.fileobj).last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it ends or breaks in the middle")


def _decompressed(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if start.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(path, "rb"))
    if start.startswith(b"\xfd7zXZ"):
        return cast(IO[bytes], lzma.open(path, "rb"))
    return path.open("rb")


def read_member(member: IO[bytes], name: str) -> bytes | Skipped:
    # In pieces, because the length in the header is a claim.
    pieces, size = [], 0
    while piece := member.read(2**20):
        size += len(piece)
        if size > MAX_BYTES:
            return Skipped(name, f"larger than {MAX_BYTES >> 20} MB")
        pieces.append(piece)
    return b"".join(pieces)


def check_member(name: str, special: bool, path: Path) -> None:
    """Raise a GansmithError for a member that points outside, is a link or a device."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        raise GansmithError(
            f"{path} is refused: its member {name[:100]!r} points outside the archive."
        )
    if special:
        raise GansmithError(f"{path} is refused: its member {name[:100]!r} is a link or a device.")


def _too_large(path: Path, most: int) -> GansmithError:
    most = min(most, MAX_TOTAL_BYTES)
    shown = f"{most // 10**9} GB" if most >= 10**9 else f"{-(-most // 10**6)} MB"
    return GansmithError(f"Expected at most {shown} in {path}; it unpacks to more.")


@contextmanager
def complaints(path: Path) -> Iterator[None]:
    """Say of a damaged archive that it is one."""
    # The standard library's readers answer such with a dozen kinds of exceptions.
    try:
        yield
    except GansmithError:
        raise
    except Exception as error:
        raise GansmithError(
            f"Expected a whole zip or tar archive, but {path} can't be read: "
            f"{error or type(error).__name__}. Copy or download it again."
        ) from None
