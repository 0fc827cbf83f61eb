"""Crafted models, loaded one after the other in a process that notes what they make it do.

python -m tests.hostile_models DIR
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import random
import struct
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.run import model_files
from tests.builders import config, pictures, points, points_config, weights, words, words_config

Files = dict[str, bytes]
MANIFEST = "manifest.json"


def whole() -> Files:
    """A model's files, as they should be."""
    of = config(), pictures()
    return with_manifest(model_files(*of, weights(*of), 5, None))


def with_manifest(files: Files) -> Files:
    kept = {name: content for name, content in files.items() if name != MANIFEST}
    entries = {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in kept.items()
    }
    return {**kept, MANIFEST: json.dumps(entries).encode()}


def changed(keys: str, value: Any) -> Files:
    """With another value in model.json; its manifest says that this is as it should be."""
    files = whole()
    told = json.loads(files["model.json"])
    *way, last = keys.split(".")
    place = told
    for key in way:
        place = place[key]
    place[last] = value
    return with_manifest({**files, "model.json": json.dumps(told).encode()})


def mutated(seed: int) -> Files:
    """A few bytes of one file are others, and the manifest agrees or does not."""
    draw, files = random.Random(seed), whole()
    name = draw.choice(sorted(files))
    content = bytearray(files[name])
    kind = draw.randrange(3)
    if kind == 0:  # in the part that is text, where the structure is
        for _ in range(draw.randint(1, 20)):
            content[draw.randrange(min(len(content), 600))] ^= 1 << draw.randrange(8)
    elif kind == 1:
        del content[draw.randrange(len(content)) :]
    else:
        at = draw.randrange(len(content))
        content[at:at] = draw.randbytes(draw.randint(1, 400))
    files[name] = bytes(content)
    agrees = name != MANIFEST and draw.random() < 0.8
    return with_manifest(files) if agrees else files


def weights_of(
    header: dict[str, Any] | bytes, data: bytes = b"", claimed: int | None = None
) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if claimed is None else claimed) + text + data


def odd_weights() -> Iterator[bytes]:
    name = "layers.0.weight"
    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    yield b""
    yield b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR."  # a pickle
    yield b"PK\x03\x04" + bytes(100)
    yield weights_of({}, claimed=2**63)
    yield weights_of({}, claimed=2**40)
    yield weights_of(b"{" * 5000)
    yield weights_of(b'{"a":' * 5000)
    yield weights_of({name: {**tensor, "data_offsets": [0, 2**50]}}, bytes(4))
    yield weights_of({name: {**tensor, "data_offsets": [8, 4]}}, bytes(8))
    yield weights_of({name: {**tensor, "shape": [2**62, 2**62]}}, bytes(4))
    yield weights_of({name: {**tensor, "shape": [-1]}}, bytes(4))
    yield weights_of({name: {**tensor, "dtype": "OBJECT"}}, bytes(4))
    yield weights_of({name: tensor}, bytes(4))
    yield weights_of({"__class__": tensor}, bytes(4))
    yield weights_of({"x" * 100_000: tensor}, bytes(4))
    yield weights_of(
        {str(n): {**tensor, "shape": [0], "data_offsets": [0, 0]} for n in range(9999)}
    )


def odd_descriptions() -> Iterator[bytes]:
    yield b""
    yield b"null"
    yield b"[]"
    yield b"[" * 100_000
    yield b'{"a":' * 100_000
    yield b"9" * 100_000
    yield b'{"step": 5}'
    yield b"\xff\xfe\x00"
    yield b"!!python/object/apply:os.system ['touch pwned']"
    yield b'{"step": NaN, "config": {}, "spec": {}}'


def odd_values() -> Iterator[tuple[str, Any]]:
    for key in ("generator_filters", "latent_size"):
        for value in (10**6, 2**31, 2**62, 10**30, -1, 0, "many", None, [4], 1e300):
            yield f"config.{key}", value
    for value in ("0", "-3", "64 ", "../64", [], "64x64x64", "1" * 10_000, {"a": 1}, True):
        yield "config.size", value
    for value in (
        [1, 2**31, 2**31],
        [2**40, 16, 16],
        [1, 16],
        [],
        [1, 16, 16, 16],
        "1x1",
        [0, 0, 0],
    ):
        yield "spec.shape", value
    for value in ("pickle", "words", "points", None, 3, "../x", "compact", ["dcgan"]):
        yield "config.model", value
    for value in (["a"] * 5, [str(n) for n in range(200_000)], ["x" * 10**6], "abc", [1, 2], {}):
        yield "spec.classes", value
    for value in ("5", -1.5, None, [], {}):
        yield "step", value
    yield "config.unknown", "__import__('os').system('touch pwned')"
    yield "config", []
    yield "spec", "x"
    yield "spec.kind", "words"
    yield "spec.kind", "points"


def folders() -> Iterator[tuple[str, Callable[[Path], None]]]:
    def written(files: Files) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            path.mkdir()
            for name, content in files.items():
                (path / name).write_bytes(content)

        return write

    for seed in range(60):
        yield f"mutated {seed}", written(mutated(seed))
    for n, content in enumerate(odd_weights()):
        yield f"weights {n}", written(with_manifest({**whole(), "model.safetensors": content}))
    for n, content in enumerate(odd_descriptions()):
        yield f"description {n}", written(with_manifest({**whole(), "model.json": content}))
    for n, (keys, value) in enumerate(odd_values()):
        yield f"value {n} {keys}", written(changed(keys, value))
    for kind, of in (("words", (words_config(), words())), ("points", (points_config(), points()))):
        mixed = with_manifest(
            {**whole(), "model.json": model_files(*of, weights(*of), 5, None)["model.json"]}
        )
        yield f"another's weights, {kind}", written(mixed)
    for n, name in enumerate(("../secret", "/etc/passwd", "a/b", "..", "", "model.json\0", "C:x")):
        entry = {name: {"bytes": 3, "sha256": "0" * 64}}
        yield f"manifest {n}", written({**whole(), MANIFEST: json.dumps(entry).encode()})
    for n, make in enumerate((_linked, _piped, _nested, _endless, _huge)):
        yield f"special {n}", make


def _linked(path: Path) -> None:
    _put(path, whole())
    (path / "model.safetensors").rename(path.parent / "elsewhere")
    (path / "model.safetensors").symlink_to(path.parent / "elsewhere")


def _piped(path: Path) -> None:
    _put(path, whole())
    (path / "model.json").unlink()
    os.mkfifo(path / "model.json")
    (path / "state.json").write_text("{}")


def _nested(path: Path) -> None:
    _put(path, whole())
    (path / "model.safetensors").unlink()
    (path / "model.safetensors").mkdir()


def _endless(path: Path) -> None:
    _put(path, whole())
    (path / "model.safetensors").unlink()
    (path / "model.safetensors").symlink_to("/dev/zero")


def _huge(path: Path) -> None:
    """A manifest that claims what the file, full of holes, has: 100 GB."""
    files = whole()
    entries = json.loads(files[MANIFEST])
    entries["model.safetensors"]["bytes"] = 100 * 2**30
    _put(path, {**files, MANIFEST: json.dumps(entries).encode()})
    with (path / "model.safetensors").open("r+b") as file:
        file.truncate(100 * 2**30)


def _put(path: Path, files: Files) -> None:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)


def member(name: str, content: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def tar_of(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def archives() -> Iterator[tuple[str, bytes]]:
    good = [member(name, content) for name, content in whole().items()]
    whole_tar = tar_of(good)
    for n, name in enumerate(("../out", "/tmp/out", "a/../../out", "..", "C:/out", "..\\out")):
        yield f"outside {n}", tar_of([*good, member(name, b"x")])
    for kind in (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    ):
        yield (
            f"special {kind!r}",
            tar_of([*good, member("model/x", type=kind, linkname="/etc/passwd")]),
        )
    yield (
        "link for weights",
        tar_of(
            [m for m in good if m[0].name != "model.safetensors"]
            + [member("model.safetensors", type=tarfile.SYMTYPE, linkname="/etc/passwd")]
        ),
    )
    yield "twice", tar_of([*good, member("model/model.json", b"{}")])
    yield "too deep", tar_of([member(f"a/b/c/{info.name}", content) for info, content in good])
    yield "empty", tar_of([])
    yield "nothing", b""
    yield "no tar", b"hello" * 1000
    yield "a zip", b"PK\x03\x04" + bytes(2000)
    yield "a pickle", b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR."
    yield "cut", whole_tar[:2000]
    yield "cut, packed", gzip.compress(whole_tar)[:-2000]
    yield "packed badly", gzip.compress(whole_tar)[:100] + bytes(200)
    yield "many", gzip.compress(tar_of([member(f"x{n}") for n in range(20_000)]))
    yield "bomb", gzip.compress(tar_of([member("model.json", bytes(2 * 10**8))]))
    yield "bomb beside", gzip.compress(tar_of([member("x", bytes(2 * 10**8)), *good]))
    claims = member("model.json", b"{}")[0]
    claims.size = 2**33
    yield "a claim", claims.tobuf() + bytes(1024)
    yield "a long name", tar_of([member("x" * 10**6 + "/../y"), *good])
    lacking = {name: content for name, content in whole().items() if name != "model.safetensors"}
    yield "without weights", tar_of([member(*item) for item in lacking.items()])
    unlisted = {name: content for name, content in whole().items() if name != MANIFEST}
    yield "without a manifest", tar_of([member(*item) for item in unlisted.items()])
    damaged = {**whole(), "model.safetensors": bytes(1000)}
    yield "damaged", tar_of([member(*item) for item in damaged.items()])
    for seed in range(12):
        draw, content = random.Random(seed), bytearray(whole_tar)
        for _ in range(5):
            content[draw.randrange(1024)] ^= 1 << draw.randrange(8)
        yield f"mutated {seed}", bytes(content)


def main(folder: Path) -> None:
    cases: list[tuple[str, Path]] = []
    for name, write in folders():
        path = folder / f"{len(cases):03d}"
        write(path)
        cases.append((name, path))
    for name, content in archives():
        path = folder / f"{len(cases):03d}.tar.gz"
        path.write_bytes(content)
        cases.append((name, path))
    _put(folder / "good", whole())
    (folder / "good.tgz").write_bytes(
        gzip.compress(tar_of([member(f"model/{n}", c) for n, c in whole().items()]))
    )
    for good in ("good", "good.tgz"):  # so that what is imported late is imported
        load(folder / good, "cpu").generate(1)
    done: list[str] = []
    sys.addaudithook(lambda event, given: done.append(_told(event, given)))
    found = []
    for name, path in cases:
        done.clear()
        begun = time.process_time()
        try:
            load(path, "cpu")
            said = None
        except GansmithError as error:
            said = str(error)
        found.append((name, said, time.process_time() - begun, [d for d in done if d]))
    print(json.dumps(found))


def _told(event: str, given: tuple[Any, ...]) -> str:
    """What a model must not have it do; nothing of what it may."""
    if event == "open":
        path, mode, flags = given
        writing = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return f"writes {path} {mode}" if writing else ""
    bad = ("os.system", "subprocess.Popen", "os.exec", "exec", "compile", "pickle.find_class")
    bad += ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link", "socket.connect")
    return event if event in bad else ""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
