"""A trained generator for others: a slim model folder, one for the Hugging Face Hub, ONNX, or a
program of torch's own. Written whole or not at all, and only if it makes what torch makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gansmith.checkpoint import write_folder
from gansmith.errors import GansmithError
from gansmith.generate import Model, load
from gansmith.origin import evaluation_of, run_of, source_of
from gansmith.run import clear_errors, model_files
from gansmith.sharing.card import SHEET, card, sheet
from gansmith.sharing.files import write_onnx, write_torch_export

AGAIN = "choose another --out"
FILES: dict[str, tuple[str, Callable[[Model, Path], float]]] = {
    "onnx": (".onnx", write_onnx),
    "torch-export": (".pt2", write_torch_export),
}
FOLDERS = ("safetensors", "hf")
FORMATS = (FOLDERS[0], *FILES, FOLDERS[1])


@dataclass(frozen=True)
class Exported:
    """What was written. `differs`: how far what it makes was from what torch makes, at most, in
    shares of the range; None where it is torch that runs it."""

    path: Path
    to: str
    bytes: int
    differs: float | None = None


def export(
    run: Model | str | Path, out: str | Path | None = None, to: str = "safetensors"
) -> Exported:
    """Write a trained generator for others to use.

    Args:
        run: a run, one of its checkpoints, a model folder, or a generator.
        out: the folder (new or empty) or, for "onnx" and "torch-export", the file to write; named
            after the run in the folder that one is in, if None.
        to: "safetensors", a model folder that `gansmith.load` reads; "hf", the same, ready for the
            Hugging Face Hub (see `push`); "onnx", one file for onnxruntime and others; or
            "torch-export", a file for `torch.export.load`.

    Raises:
        GansmithError: no such format or generator, `out` is taken, a library is missing, or what was
            exported does not make what torch makes.
    """
    if to not in FORMATS:
        raise GansmithError(f"--to: expected {', '.join(FORMATS)}, found {to!r}")
    place = None if isinstance(run, Model) else run_of(Path(run))
    model = run if isinstance(run, Model) else load(run, "cpu")
    suffix = FILES[to][0] if to in FILES else f"-{to}"
    target = Path(out) if out else Path(f"{place.name if place else 'generator'}{suffix}")
    with clear_errors(target, AGAIN):
        if to in FOLDERS:
            _write_folder(model, place, target, hub=to == "hf")
            return Exported(target, to, sum(p.stat().st_size for p in target.iterdir()))
        if target.is_dir() or target.suffix != suffix:
            raise GansmithError(f"--out: expected a name ending in {suffix}, found {target}")
        target.parent.mkdir(parents=True, exist_ok=True)
        differs = FILES[to][1](model, target)
    return Exported(target, to, target.stat().st_size, differs)


def _write_folder(model: Model, place: Path | None, out: Path, hub: bool) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise GansmithError(f"--out {out}: expected a new or an empty folder; {AGAIN}")
    config = model.config.with_(
        source=source_of(model.config), unlabelled=None, lexicon=None, data_dir=None
    )  # where things lay on somebody's disk is nobody else's business
    weights = model.network.state_dict()
    files = model_files(config, model.spec, weights, model.step, model.digest)
    figures = evaluation_of(place)
    picture = sheet(model)
    text = card(model, place.name if place else None, figures, picture is not None, hub)
    write_folder(out, files, {"README.md": text.encode()} | ({SHEET: picture} if picture else {}))
