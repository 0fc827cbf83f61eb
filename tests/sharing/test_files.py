"""Exported programs beside torch: by onnxruntime, and by torch without gansmith."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gansmith import recipes
from gansmith.config import Config, DataSpec
from gansmith.errors import GansmithError
from gansmith.generate import Model, to_values
from gansmith.models import build_generator
from gansmith.recipes import RECIPES
from gansmith.scribe import Scribe
from gansmith.sharing.files import write_onnx, write_torch_export
from gansmith.sharing.program import CLOSE, trace
from tests.builders import config, model, pictures, points, points_config, words, words_config

onnxruntime = pytest.importorskip("onnxruntime")

CLASSES = ("a", "b", "c")


def of_recipe(name: str) -> Model:
    """A generator of a recipe, of few filters; odd sizes where the network can."""
    a_config = recipes.recipe(name)
    if a_config.model == "words":
        return written(a_config.with_(generator_filters=16))
    if a_config.model == "mlp":
        return model(a_config, points())
    size = a_config.size or "28"
    spec = pictures(3, *(int(side) for side in (size.split("x") * 2)[:2][::-1]))
    return moved(model(a_config.with_(generator_filters=8, size=size), spec))


def written(a_config: Config, alphabet: str = "abcdéfgh") -> Model:
    """Of words, whose paper is bleached; as it is built, since tripled weights triple rounding, too."""
    spec = words(int(a_config.size or 32), alphabet=alphabet)
    assert spec.script is not None
    spec = spec.model_copy(update={"script": spec.script.model_copy(update={"bleached": True})})
    return moved(Model(a_config, spec, build_generator(a_config, spec).state_dict(), 5, "cpu"))


def moved(of: Model) -> Model:
    """With the statistics of batch norm somewhere else than at the start."""
    generator = torch.Generator().manual_seed(1)
    for name, buffer in of.network.named_buffers():
        if buffer.is_floating_point() and not name.endswith("usual"):
            buffer.copy_(buffer + 0.3 * torch.rand(buffer.shape, generator=generator))
    return of


def variants() -> dict[str, Model]:
    compact = config(model="compact", size="20x30", conditional="yes")
    by_class = compact.with_(conditional_norm=True, latent="uniform")
    spec = DataSpec(kind="pictures", shape=(1, 30, 20), classes=CLASSES)
    return {
        "classes, 20x30": moved(model(compact, spec)),
        "classes in the norm": moved(model(by_class, spec)),
        "points with classes": model(points_config(conditional="yes"), points(classes=CLASSES)),
        "words 64 high": written(words_config(size="64")),
    }


@pytest.mark.parametrize("name", [*RECIPES, *variants()])
def test_onnxruntime_makes_what_torch_makes(tmp_path: Path, name: str) -> None:
    of = of_recipe(name) if name in RECIPES else variants()[name]
    out = tmp_path / "g.onnx"
    assert write_onnx(of, out) <= CLOSE
    assert [path.name for path in tmp_path.iterdir()] == ["g.onnx"]  # weights are in it
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    for rows in (1, 6):
        latent = torch.randn(rows, of.config.latent_size)
        given = {"latent": latent.numpy()}
        if of.spec.script:
            continue
        labels = torch.arange(rows) % 3 if of.spec.classes else None
        given |= {} if labels is None else {"labels": labels.numpy()}
        (made,) = session.run(None, given)
        with torch.no_grad():
            expected = of.network(latent, labels).numpy()
        if of.spec.kind == "points":
            expected = expected * np.array(of.spec.std) + np.array(of.spec.mean)
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_onnx_writes_words_as_the_scribe_does(tmp_path: Path) -> None:
    """Any number of them, each of its own width and length."""
    of = written(words_config(), alphabet="abcdeé")
    write_onnx(of, tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx", providers=["CPUExecutionProvider"])
    alphabet = json.loads(session.get_modelmeta().custom_metadata_map["alphabet"])
    assert alphabet == list("abcdeé")
    texts = ["a", "bébé", "aabbccddee", "éé"]
    latents = torch.randn(len(texts), of.config.latent_size)
    codes = np.zeros((len(texts), 10), np.int64)
    for row, text in zip(codes, texts, strict=True):
        row[: len(text)] = [alphabet.index(c) + 1 for c in text]
    made, widths = session.run(None, {"latent": latents.numpy(), "codes": codes})
    for word, row, width in zip(Scribe(of).words(texts, latents), made, widths, strict=True):
        assert word.image.shape[1] == width
        levels = np.round((row[0] + 1) * 127.5)
        assert np.abs(levels[:, :width] - word.image).max() <= 1
        assert (levels[:, width:] == 255).all()


def test_torch_runs_what_it_exported_without_gansmith(tmp_path: Path) -> None:
    of = written(words_config())
    out = tmp_path / "g.pt2"
    assert write_torch_export(of, out) <= CLOSE
    given = trace(of).examples(3, 6)
    save_file(given, tmp_path / "given")
    run = (
        "import sys; sys.modules['gansmith'] = None\n"
        "import torch\n"
        "from safetensors.torch import load_file, save_file\n"
        "program = torch.export.load(sys.argv[1])\n"
        "words, widths = program.module()(**load_file(sys.argv[2]))\n"
        "save_file({'words': words, 'widths': widths}, sys.argv[3])\n"
    )
    command = [sys.executable, "-c", run, *(str(tmp_path / n) for n in ("g.pt2", "given", "made"))]
    subprocess.run(command, check=True, capture_output=True)
    made = load_file(tmp_path / "made")
    expected, expected_widths = trace(of).module(**given)
    assert torch.equal(made["widths"], expected_widths)
    assert (made["words"] - expected).abs().max() <= 1e-5


def test_what_makes_something_else_is_not_written() -> None:
    of = model(points_config(), points())
    program = trace(of)
    made = program.module(**program.examples(1, 1, 0)).detach()
    assert program.deviation(lambda given: [program.module(**given).detach()]) == 0
    with pytest.raises(GansmithError, match=r"expected a difference of at most 1e-05, found 0\.00"):
        program.deviation(lambda given: [program.module(**given).detach() + 0.01])
    with pytest.raises(GansmithError, match="found nan"):
        program.deviation(lambda given: [program.module(**given).detach() * float("nan")])
    with pytest.raises(GansmithError, match=r"expected \(2, 2\), found \(1, 2\)"):
        program.deviation(lambda given: [made])


def test_what_a_program_has_to_be_told_is_written_in_it(tmp_path: Path) -> None:
    of = variants()["classes in the norm"]
    write_onnx(of, tmp_path / "g.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "g.onnx")
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == list(CLASSES)
    assert told["latent"] == "uniform in [-1, 1]"
    assert told["step"] == "5"
    values = to_values(
        torch.from_numpy(
            session.run(
                None,
                {"latent": np.zeros((1, 6), np.float32), "labels": np.zeros(1, np.int64)},
            )[0]
        ),
        of.spec,
    )
    assert values.shape == (1, 30, 20, 1)


def test_without_onnx_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(GansmithError, match=r"pip install 'gansmith\[onnx\]'"):
        write_onnx(model(), tmp_path / "g.onnx")
    assert not any(tmp_path.iterdir())
