"""Archives: the same as the folder they were made of, and no way out of them."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gansmith.data import Item, Skipped, archive, open_source
from gansmith.errors import GansmithError


def zipped(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for picture in sorted(root.rglob("*.*")):
            file.write(picture, picture.relative_to(root.parent))
    return path


def tarred(root: Path, path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]
        file.add(root, root.name)
    return path


def raw_tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as file:
        for info, content in members:
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "no-suffix"])
def test_same_as_the_folder(picture_folder: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"animals.{kind}"
    if kind == "zip":
        zipped(picture_folder, path)
    else:
        tarred(picture_folder, path, "w:" + (kind[4:] if "." in kind else ""))
    source = open_source(path)
    expected = {item.name: item for item in open_source(picture_folder)}
    found = {item.name.removeprefix("animals/"): item for item in source}
    assert source.classes == ["cat", "dog"]
    assert len(source) == 12
    assert found.keys() == expected.keys()
    for name, item in found.items():
        other = expected[name]
        assert isinstance(item, Item)
        assert isinstance(other, Item)
        assert (item.content, item.label) == (other.content, other.label)
    assert len(list(source.read(step=5))) == 3


@pytest.mark.parametrize(
    "name", ["../out.png", "/etc/out.png", "a/../../b.png", "C:\\x.png", "..\\x"]
)
def test_names_outside_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr(name, b"x")
    raw_tar(tmp_path / "bad.tar", (tarfile.TarInfo(name), b"x"))
    for path in ("bad.zip", "bad.tar"):
        with pytest.raises(GansmithError, match="points outside"):
            open_source(tmp_path / path)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("a.png")
    info.type, info.linkname = kind, "/etc/passwd"
    with pytest.raises(GansmithError, match="a link or a device"):
        open_source(raw_tar(tmp_path / "bad.tar", (info, b"")))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_in_zip_are_refused(tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("a.png")
    info.create_system, info.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(GansmithError, match="a link or a device"):
        open_source(tmp_path / "bad.zip")


def test_too_many_members(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [
        zipped(picture_folder, tmp_path / "a.zip"),
        tarred(picture_folder, tmp_path / "a.tar", "w"),
    ]
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    for path in paths:
        with pytest.raises(GansmithError, match="at most 5 members"):
            open_source(path)


def test_bytes_are_counted_as_they_come(
    picture_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(zipped(picture_folder, tmp_path / "a.zip"))
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1000)
    with pytest.raises(GansmithError, match="unpacks to more"):
        list(source)


def test_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10**6)
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 2 * 10**6)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", bytes(5 * 10**6))
    (item,) = open_source(tmp_path / "bomb.zip")
    assert isinstance(item, Skipped)
    assert "larger than" in item.reason
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as tar:
        for name in ("a.png", "b.png"):
            info = tarfile.TarInfo(name)
            info.size = 5 * 10**6
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(GansmithError, match="unpacks to more"):
        open_source(tmp_path / "bomb.tar.gz")


def test_a_header_that_claims_gigabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 10**6)
    info = tarfile.TarInfo("comment")
    info.type, info.size = tarfile.XHDTYPE, 10**7  # read whole by tarfile, at once
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(info.tobuf() + bytes(10**7 + 1024)))
    with pytest.raises(GansmithError, match="larger than"):
        open_source(tmp_path / "a.tar.gz")


def test_damaged_archives(picture_folder: Path, tmp_path: Path) -> None:
    for path in (
        zipped(picture_folder, tmp_path / "a.zip"),
        tarred(picture_folder, tmp_path / "a.tar", "w"),
        tarred(picture_folder, tmp_path / "a.tar.gz", "w:gz"),
        tarred(picture_folder, tmp_path / "a.tar.xz", "w:xz"),
    ):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(GansmithError):
            list(open_source(path))


def test_one_damaged_member_is_skipped(picture_folder: Path, tmp_path: Path) -> None:
    path = zipped(picture_folder, tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[150] ^= 255
    path.write_bytes(content)
    items = list(open_source(path))
    assert [type(item) for item in items].count(Skipped) == 1
    assert len(items) == 12


def test_encrypted_zip_is_refused(picture_folder: Path, tmp_path: Path) -> None:
    path = zipped(picture_folder, tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(GansmithError, match="encrypted"):
        open_source(path)


def test_nested_archives_are_not_opened(
    picture_folder: Path, tmp_path: Path, encode: Callable[..., bytes]
) -> None:
    inner = zipped(picture_folder, tmp_path / "inner.zip")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as file:
        file.write(inner, "inner.zip")
    with pytest.raises(GansmithError, match="found none among 1 files"):
        open_source(tmp_path / "outer.zip")
