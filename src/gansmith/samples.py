"""Generated examples on disk: a sheet, a folder of PNGs, an .npz or a Parquet file, in flat memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from gansmith.checkpoint import write_atomically
from gansmith.errors import GansmithError
from gansmith.generate import WORDS, Labels, Model, Samples, as_list
from gansmith.imaging import grid, png_bytes, to_picture
from gansmith.run import clear_errors

AGAIN = "make room or choose another place, and run it again: the same seed gives the same"
ROW_GROUP = 1024
GRID_MOST = 10_000
LONGEST_NAME = 60  # characters of a folder's name: at most 240 bytes, and file systems take 255
SPLITS = {"train", "test", "val", "valid", "validation"}


def write_grid(model: Model, path: Path, n: int, seed: int = 0, labels: Labels = None) -> None:
    """The first `n` examples of `seed` as one sheet; with `labels`, a column each."""
    _require_pictures(model, path)
    if not 0 < n <= GRID_MOST:
        raise GansmithError(f"--grid: expected 1 to {GRID_MOST:,} pictures on a sheet, found {n:,}")
    if path.suffix.lower() != ".png":
        raise GansmithError(f"--grid: expected a name ending in .png, found {path.name}")
    made = model.generate(n, seed=seed, labels=labels)
    columns = len(as_list(labels))
    with clear_errors(path, AGAIN):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, png_bytes(grid(made.images, columns if columns > 1 else None)))


def write_samples(model: Model, path: Path, n: int, seed: int = 0, labels: Labels = None) -> None:
    """`n` examples of `seed` to a folder, or to the kind of file that the name's ending says."""
    writers: dict[str, Callable[[Model, Path, int, Iterator[Samples]], None]] = {
        "": _write_folder,
        ".npz": _write_npz,
        ".parquet": _write_parquet,
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise GansmithError(f"--out: expected a folder, .npz or .parquet, found {path.name}")
    with clear_errors(path, AGAIN):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(model, path, n, model.stream(n, seed=seed, labels=labels))


def _write_folder(model: Model, path: Path, n: int, blocks: Iterator[Samples]) -> None:
    """000000.png …, in a folder a class where there are classes: what `train` takes as SOURCE."""
    _require_pictures(model, path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise GansmithError(f"--out {path}: expected a new or empty folder; it holds other files")
    digits = max(6, len(str(n)))
    names = folder_names(model.spec.classes or ())
    for number, (image, label) in enumerate(_examples(blocks)):
        folder = path if label is None else path / names[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:0{digits}d}.png").write_bytes(png_bytes(to_picture(image)))


def _write_npz(model: Model, path: Path, n: int, blocks: Iterator[Samples]) -> None:
    """``images`` uint8 (N, H, W, C) — or ``points`` float32 (N, D) — and ``labels`` int64 (N,)."""
    name = "images" if model.spec.kind == "pictures" else "points"
    labels: list[np.ndarray] = []
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            _write_header(member, (n, *model.example_shape), np.dtype(model.dtype))
            for block in blocks:
                member.write(block.images.tobytes())
                labels += [] if block.labels is None else [block.labels]
        if model.spec.classes:
            all_labels = np.concatenate(labels) if labels else np.empty(0, np.int64)
            with archive.open("labels.npy", "w", force_zip64=True) as member:
                _write_header(member, all_labels.shape, all_labels.dtype)
                member.write(all_labels.tobytes())


def _write_parquet(model: Model, path: Path, n: int, blocks: Iterator[Samples]) -> None:
    """The Hugging Face image layout: ``image{bytes, path}``, ``label`` with its names."""
    _require_pictures(model, path)
    rows = (
        parquet_row(f"{number:06d}.png", image, label)
        for number, (image, label) in enumerate(_examples(blocks))
    )
    writer = parquet_writer(model.spec.classes)
    with replacing(path) as file:
        writer(file, rows, ROW_GROUP)


def parquet_writer(
    classes: tuple[str, ...] | None,
    texts: tuple[str, ...] = (),
) -> Callable[[IO[bytes], Iterator[dict[str, Any]], int], None]:
    """What writes rows to a file, in groups of so many; a GansmithError where pyarrow is missing.

    A row has an image, a label where there are `classes`, and `texts` under these names.
    """
    pa, pq = arrow()
    schema = _parquet_schema(pa, classes, texts)

    def write(file: IO[bytes], rows: Iterator[dict[str, Any]], row_group: int) -> None:
        with pq.ParquetWriter(file, schema) as writer:
            while group := list(islice(rows, row_group)):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))

    return write


def arrow() -> tuple[Any, Any]:
    """pyarrow and pyarrow.parquet; a GansmithError where they are missing."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise GansmithError("writing Parquet needs pyarrow; pip install 'gansmith[hf]'") from None
    return pyarrow, pyarrow.parquet


def parquet_row(name: str, image: np.ndarray, label: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {"image": {"bytes": png_bytes(to_picture(image)), "path": name}}
    return row if label is None else {**row, "label": label}


def _parquet_schema(pa: Any, classes: tuple[str, ...] | None, texts: tuple[str, ...]) -> Any:
    fields = [("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())]))]
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    if classes:
        fields.append(("label", pa.int64()))
        features["label"] = {"names": list(classes), "_type": "ClassLabel"}
    for name in texts:
        fields.append((name, pa.string()))
        features[name] = {"dtype": "string", "_type": "Value"}
    description = json.dumps({"info": {"features": features}})
    return pa.schema(fields, metadata={"huggingface": description})


def _examples(blocks: Iterator[Samples]) -> Iterator[tuple[np.ndarray, int | None]]:
    for block in blocks:
        for i, image in enumerate(block.images):
            yield image, None if block.labels is None else int(block.labels[i])


def folder_names(classes: tuple[str, ...]) -> list[str]:
    """The classes' names as names of folders, all different, that can't leave their parent."""
    safe = [_folder_name(name) or f"class-{label}" for label, name in enumerate(classes)]
    if len({name.casefold() for name in safe}) == len(safe):
        return safe
    return [f"{label}-{name}" for label, name in enumerate(safe)]


def _folder_name(name: str) -> str:
    safe = "".join(c if c.isalnum() or c in " -_." else "_" for c in name)
    safe = safe.strip(". ")[:LONGEST_NAME].strip(". ")
    # What readers of such folders take for a split of the data, or pass over.
    return f"class_{safe}" if safe.casefold() in SPLITS or safe.startswith("__") else safe


def _write_header(member: IO[bytes], shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(member, header)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under its name only once it is whole."""
    temporary = path.with_name(f".tmp-{path.name}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _require_pictures(model: Model, path: Path) -> None:
    if model.spec.kind == "words":
        raise GansmithError(WORDS)
    if model.spec.kind != "pictures":
        raise GansmithError(
            f"{path}: this generator makes points, not pictures; use --out FILE.npz"
        )
