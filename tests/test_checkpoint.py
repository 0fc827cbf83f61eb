from __future__ import annotations

import errno
import json
import os
import random
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gansmith import checkpoint, generate
from gansmith.checkpoint import Checkpoint, DamagedError
from gansmith.errors import GansmithError
from gansmith.players import Players
from tests.builders import CPU, a_checkpoint, config, pictures, write_model

DTYPES = [
    torch.float32,
    torch.float64,
    torch.bfloat16,
    torch.float16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rewrite_manifest(folder: Path) -> None:
    """As an attacker would: so that every hash is right."""
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "manifest.json"}
    (folder / "manifest.json").write_bytes(checkpoint._manifest(files))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_tensors_come_back_bit_by_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    tensors = {
        "a": (torch.randn(3, 5) * 10).to(dtype),
        "scalar": torch.tensor(1).to(dtype),
        "empty": torch.empty(0, 4).to(dtype),
        "transposed": (torch.randn(4, 2) * 10).to(dtype).T,
    }
    path = checkpoint.save(tmp_path, Checkpoint(7, {"model": tensors}, {"step": 7}))
    back = checkpoint.load(path)
    assert path == tmp_path / "step-000000007"
    assert (back.step, back.state, back.path) == (7, {"step": 7}, path)
    for key, tensor in tensors.items():
        found = back.tensors["model"][key]
        assert found.dtype == dtype
        assert found.shape == tensor.shape
        assert torch.equal(found, tensor)


def test_odd_numbers_come_back_too(tmp_path: Path) -> None:
    odd = torch.tensor([torch.nan, torch.inf, -torch.inf, -0.0, 1e-45])
    path = checkpoint.save(tmp_path, Checkpoint(1, {"model": {"x": odd}}, {"step": 1}))
    found = checkpoint.load(path).tensors["model"]["x"]
    assert found.numpy().tobytes() == odd.numpy().tobytes()


def test_players_go_on_from_a_checkpoint_as_if_never_stopped(tmp_path: Path) -> None:
    saved = a_checkpoint()
    back = checkpoint.load(checkpoint.save(tmp_path, saved))
    torch.manual_seed(99)
    players = Players.create(config(seed=5), pictures(), CPU)
    players.restore(back.tensors)
    for file, tensors in players.tensors().items():
        assert set(tensors) == set(saved.tensors[file])
        assert all(torch.equal(t, saved.tensors[file][key]) for key, t in tensors.items())


def test_equal_states_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checkpoint.save(tmp_path / name, a_checkpoint())
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


class Disk:
    """Refuses the n-th of the calls that touch the disk, and every one after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fail_at: int):
        self.calls, self.fail_at = 0, fail_at
        for owner, name in (
            (os, "fsync"),
            (os, "open"),
            (Path, "open"),
            (Path, "mkdir"),
            (Path, "rename"),
        ):
            monkeypatch.setattr(owner, name, self._guard(getattr(owner, name)))

    def _guard(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.fail_at:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **options)

        return call


def calls_of_a_save(folder: Path, step: int) -> int:
    with pytest.MonkeyPatch.context() as monkeypatch:
        disk = Disk(monkeypatch, fail_at=-1)
        checkpoint.save(folder, a_checkpoint(step))
    return disk.calls


@pytest.mark.parametrize("over_an_old_one", [False, True])
def test_wherever_a_write_fails_what_was_there_stays(tmp_path: Path, over_an_old_one: bool) -> None:
    checkpoint.save(tmp_path, a_checkpoint(1))
    calls = calls_of_a_save(tmp_path, 2)
    if not over_an_old_one:
        shutil.rmtree(tmp_path / "step-000000002")
    before = tree(tmp_path)
    assert calls >= 10
    refused = 0
    for fail_at in range(1, calls + 2):
        with pytest.MonkeyPatch.context() as monkeypatch:
            disk = Disk(monkeypatch, fail_at)
            try:
                checkpoint.save(tmp_path, a_checkpoint(2, score=1.0))
            except OSError:
                refused += 1
        if disk.calls < fail_at:
            break
        names = {p.name for p in tmp_path.iterdir()}
        assert "step-000000001" in names
        assert not over_an_old_one or "step-000000002" in names
        for path in checkpoint.paths(tmp_path):
            checkpoint.load(path)
        now = tree(tmp_path)
        assert {k: now[k] for k in before if "000001/" in k} == {
            k: v for k, v in before.items() if "000001/" in k
        }
        checkpoint.clean(tmp_path)
        assert {p.name for p in tmp_path.iterdir()} <= {"step-000000001", "step-000000002"}
        if not over_an_old_one:
            shutil.rmtree(tmp_path / "step-000000002", ignore_errors=True)
    assert refused >= calls - 1
    assert checkpoint.newest(tmp_path).step == 2


def test_an_interrupted_write_is_no_checkpoint_and_is_cleared_away(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, a_checkpoint(1))
    unfinished = tmp_path / ".tmp-step-000000002-12345"
    shutil.copytree(tmp_path / "step-000000001", unfinished)
    assert [p.name for p in checkpoint.paths(tmp_path)] == ["step-000000001"]
    assert checkpoint.newest(tmp_path).step == 1
    checkpoint.clean(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """The kernel itself refuses to let a file grow beyond 4 KiB, in the middle of a write."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_write_that_the_kernel_refuses_half_way_leaves_the_earlier_checkpoint(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    checkpoint.save(tmp_path, a_checkpoint(1))
    before = tree(tmp_path)
    request.getfixturevalue("small_files_only")
    with pytest.raises(OSError, match="File too large"):
        checkpoint.save(tmp_path, a_checkpoint(2))
    assert tree(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["step-000000001"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    checkpoint.write_atomically(path, b"old")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError, match="full"):
            checkpoint.write_atomically(path, b"new")
    assert tree(tmp_path) == {"config.json": b"old"}
    checkpoint.write_atomically(path, b"new")
    assert tree(tmp_path) == {"config.json": b"new"}


def steps(folder: Path) -> list[int]:
    return [int(p.name.removeprefix("step-")) for p in checkpoint.paths(folder)]


def save_scored(folder: Path, scores: list[Any]) -> None:
    for number, score in enumerate(scores, start=1):
        checkpoint.save(folder, Checkpoint(number, {}, {"step": number, "score": score}))


@pytest.mark.parametrize(
    ("scores", "keep", "left"),
    [
        ([0.5, 0.1, 0.4, 0.3], 2, [2, 3, 4]),
        ([0.5, 0.4, 0.3, 0.2], 2, [3, 4]),
        ([0.1, 0.2, 0.3, 0.4], 1, [1, 4]),
        ([None, None, None, None], 2, [3, 4]),
        ([0.5, None, None, None], 2, [1, 3, 4]),
        ([float("nan"), 0.2, 0.3, 0.4], 1, [2, 4]),
        ([10**400, 0.2, "0.01", 0.4], 1, [2, 4]),
        ([-(10**400), 0.2, [0], 0.4], 1, [2, 4]),
        ([0.5], 3, [1]),
    ],
)
def test_the_last_ones_and_the_best_are_kept(
    tmp_path: Path, scores: list[Any], keep: int, left: list[int]
) -> None:
    save_scored(tmp_path, scores)
    checkpoint.prune(tmp_path, keep)
    assert steps(tmp_path) == left


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff\xfe", b"[]", b'{"score": NaN}'])
def test_pruning_gets_past_a_damaged_state(tmp_path: Path, content: bytes) -> None:
    save_scored(tmp_path, [0.1, 0.2, 0.3, 0.4])
    (tmp_path / "step-000000001" / "state.json").write_bytes(content)
    checkpoint.prune(tmp_path, 1)
    assert steps(tmp_path) == [2, 4]


def test_the_newest_whole_one_is_taken_and_damaged_ones_are_named(tmp_path: Path) -> None:
    save_scored(tmp_path, [None] * 4)
    (tmp_path / "step-000000004" / "manifest.json").unlink()
    state = tmp_path / "step-000000003" / "state.json"
    state.write_bytes(state.read_bytes().replace(b"3", b"9"))
    said: list[str] = []
    assert checkpoint.newest(tmp_path, said.append).step == 2
    assert len(said) == 2
    assert "step-000000004" in said[0]
    assert "manifest" in said[0]
    assert "step-000000003: state.json differs from the SHA-256" in said[1]


def test_where_nothing_is_whole_there_is_no_newest(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "nowhere", print) is None
    (tmp_path / "step-000000001").mkdir()
    (tmp_path / "step-000000002").write_text("a file")
    (tmp_path / "step-2x").mkdir()
    said: list[str] = []
    assert checkpoint.newest(tmp_path, said.append) is None
    assert len(said) == 1


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/etc/hostname",
        "a/b",
        "..",
        ".",
        "",
        ".hidden",
        "a\x00b",
        "\udc80",
        "~",
        "x" * 300,
    ],
)
def test_a_manifest_reaches_nothing_outside_its_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside").write_bytes(b"secret")
    path = checkpoint.save(tmp_path, a_checkpoint())
    manifest = json.loads((path / "manifest.json").read_text())
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    manifest[name] = {"bytes": 6, "sha256": digest}  # right for "secret"
    (path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DamagedError):
        checkpoint.load(path)


@pytest.mark.parametrize("file", ["state.json", "model.safetensors", "manifest.json"])
def test_links_are_not_followed(tmp_path: Path, file: str) -> None:
    path = checkpoint.save(tmp_path, a_checkpoint())
    (path / file).rename(tmp_path / "elsewhere")
    (path / file).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DamagedError):
        checkpoint.load(path)


@pytest.mark.parametrize("file", ["state.json", "manifest.json"])
def test_pipes_and_endless_files_are_not_read(tmp_path: Path, file: str) -> None:
    path = checkpoint.save(tmp_path, a_checkpoint())
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["state.json"]["bytes"] = 0
    (path / "manifest.json").write_text(json.dumps(manifest))
    (path / file).unlink()
    os.mkfifo(path / file)
    with pytest.raises(DamagedError):
        checkpoint.load(path)


def test_a_manifest_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    path = checkpoint.save(tmp_path, a_checkpoint())
    with (path / "manifest.json").open("r+b") as file:
        file.truncate(2**40)  # sparse: a tebibyte that takes no room
    with pytest.raises(DamagedError):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        {},
        7,
        "x",
        {"bytes": 1},
        {"bytes": "1", "sha256": "0"},
        {"bytes": 1.0, "sha256": "0"},
        {"bytes": True, "sha256": "0"},
        {"bytes": -1, "sha256": "0"},
        {"bytes": 10**30, "sha256": "0"},
        {"bytes": [], "sha256": {}},
    ],
)
def test_a_manifest_of_another_form_is_damaged(tmp_path: Path, entry: Any) -> None:
    path = checkpoint.save(tmp_path, a_checkpoint())
    manifest = json.loads((path / "manifest.json").read_text())
    for changed in ({**manifest, "state.json": entry}, {"state.json": entry}, entry):
        (path / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(DamagedError):
            checkpoint.load(path)


# Fuzzing. Each mutation takes a folder as {name: bytes} and changes it; half of the time the
# manifest is then made to match, so that what lies behind the hashes is reached.

Files = dict[str, bytes]


def bomb(marker: Path) -> bytes:
    """A pickle, written out by hand, that leaves a file when somebody loads it."""
    return f"cos\nmkdir\n(V{marker}\ntR.".encode()


def pick_file(rng: random.Random, files: Files) -> str:
    return rng.choice(sorted(files))


def flip_bytes(rng: random.Random, files: Files, _: Path) -> None:
    name = pick_file(rng, files)
    content = bytearray(files[name])
    for _i in range(rng.choice([1, 1, 3, 50])):
        if content:
            place = rng.randrange(min(len(content), rng.choice([16, 300, len(content)])))
            content[place] = rng.randrange(256)
    files[name] = bytes(content)


def truncate(rng: random.Random, files: Files, _: Path) -> None:
    name = pick_file(rng, files)
    files[name] = files[name][: rng.randrange(len(files[name]) + 1)]


def extend(rng: random.Random, files: Files, _: Path) -> None:
    name = pick_file(rng, files)
    files[name] += rng.randbytes(rng.choice([1, 8, 1000]))


def delete(rng: random.Random, files: Files, _: Path) -> None:
    del files[pick_file(rng, files)]


def empty(rng: random.Random, files: Files, _: Path) -> None:
    files[pick_file(rng, files)] = b""


def rename(rng: random.Random, files: Files, _: Path) -> None:
    name = pick_file(rng, files)
    files[rng.choice(["other.safetensors", "x", "STATE.JSON", name + ".bak"])] = files.pop(name)


def swap(rng: random.Random, files: Files, _: Path) -> None:
    a, b = pick_file(rng, files), pick_file(rng, files)
    files[a], files[b] = files[b], files[a]


def pickled(rng: random.Random, files: Files, marker: Path) -> None:
    content = bomb(marker)
    name = rng.choice([*sorted(files), "data.pkl", "model.pt", "extra.safetensors"])
    if rng.random() < 0.3:
        content = len(content).to_bytes(8, "little") + content
    files[name] = content


HOSTILE_VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**63,
    10**30,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 100_000,
    "\x00",
    "9" * 100,
    [],
    {},
    [1, 2, 3],
    [[[]]],
    [-1, 0, 10**20],
    ["a"] * 1000,
    {"a": {"b": "c"}},
    "mlp",
    "dcgan-keras",
    "points",
    "28",
    "9999x9999",
    [1, 8, 8],
    [3, 4096, 4096],
    [1, 2**40, 2**40],
    [2],
    "NEST",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        yield from places(inner, (*path, key))


def edit_json(rng: random.Random, files: Files, _: Path) -> None:
    names = [n for n in sorted(files) if n.endswith(".json")]
    if not names:
        return
    name = rng.choice(names)
    try:
        value = json.loads(files[name])
    except ValueError:
        return
    for _i in range(rng.choice([1, 1, 2])):
        everywhere = list(places(value))
        if not everywhere:
            return
        spot = rng.choice(everywhere)
        holder = value
        for key in spot[:-1]:
            holder = holder[key]
        action = rng.random()
        if action < 0.15 and isinstance(holder, dict):
            del holder[spot[-1]]
        elif action < 0.3 and isinstance(holder, dict):
            holder[rng.choice(["extra", "__class__", "", "é"])] = rng.choice(HOSTILE_VALUES)
        else:
            holder[spot[-1]] = rng.choice(HOSTILE_VALUES)
    depth = rng.choice([300, 900, 980, 100_000])
    nest = "[" * depth + "]" * depth
    files[name] = json.dumps(value).replace('"NEST"', nest).encode()


def edit_architecture(rng: random.Random, files: Files, _: Path) -> None:
    """What the weights are claimed to belong to."""
    name = "model.json" if "model.json" in files else "state.json"
    try:
        value = json.loads(files[name])
        part = value[rng.choice(["config", "config", "spec"])]
        options = {
            "model": ["dcgan", "dcgan-keras", "mlp"],
            "latent_size": [1, 7, 10**6, 10**9, 2**62, 10**30],
            "generator_filters": [1, 3, 10**6, 2**31, 2**62, 10**30],
            "norm": ["none", "batch"],
            "latent": ["uniform"],
            "size": ["8", "9999x9999", None],
            "bn_scale": ["fixed"],
            "kind": ["points", "pictures"],
            "shape": [
                *([], [1], [2], [1, 16], [1, 1, 1], [1, 8, 8], [3, 16, 16], [1, 16, 16, 1]),
                *([10**9, 16, 16], [1, 2**40, 16], [1, 16, 2**62]),
                *([10**30, 16, 16], [1, 10**30, 16]),
            ],
            "classes": [["a"], ["a", "b"], ["c"] * 10_000, []],
            "mean": [[1.0], [1e308, 1e308], [float("nan")]],
            "std": [[0.0], [float("inf")] * 2],
        }
        key = rng.choice([k for k in options if k in part])
        part[key] = rng.choice(options[key])
        files[name] = json.dumps(value).encode()
    except (KeyError, ValueError, TypeError, IndexError):
        return


def edit_safetensors(rng: random.Random, files: Files, _: Path) -> None:
    """Headers that lie about types, shapes, places and lengths."""
    names = [n for n in sorted(files) if n.endswith(".safetensors")]
    if not names:
        return
    name = rng.choice(names)
    content = files[name]
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        key = rng.choice([k for k in header if k != "__metadata__"])
        entry = header[key]
        kind = rng.randrange(9)
        if kind == 0:
            entry["dtype"] = rng.choice(["I32", "U32", "F8_E4M3", "BOOL", "X", 7, "F64", "F4"])
        elif kind == 1:
            entry["shape"] = rng.choice(
                [
                    [],
                    [0],
                    [-1],
                    [2**62, 2**62],
                    [10**30],
                    [1.5],
                    entry["shape"][::-1],
                    [*entry["shape"], 1],
                ]
            )
        elif kind == 2:
            entry["data_offsets"] = rng.choice([[0, 2**62], [-1, 4], [8, 0], [0, 0], [1, 5], []])
        elif kind == 3:
            header[rng.choice(["a", "", "ema.", "ema.x", "../x"])] = header.pop(key)
        elif kind == 4:
            other = rng.choice(sorted(header))
            header[key], header[other] = header[other], header[key]
        elif kind == 5:
            header["__metadata__"] = rng.choice([{"a": 1}, {"a": "b"}, 7, {"x": "y" * 10**5}])
        elif kind == 6:
            del header[key]
        elif kind == 7:
            content = content[: 8 + length] + rng.randbytes(len(content) - 8 - length)
        else:
            length = rng.choice([0, 1, 2**63, 2**64 - 1, 10**8, length + 1])
            files[name] = length.to_bytes(8, "little") + content[8:]
            return
        new = json.dumps(header).encode()
        files[name] = len(new).to_bytes(8, "little") + new + content[8 + length :]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return


def retype(rng: random.Random, files: Files, _: Path) -> None:
    """Weights of another type or of odd numbers, rightly encoded."""
    try:
        tensors = load_tensors(files["model.safetensors"])
    except (KeyError, safetensors.SafetensorError):
        return
    key = rng.choice(sorted(tensors))
    dtype = rng.choice([torch.float64, torch.float16, torch.int8, torch.bool, torch.bfloat16])
    chosen = list(tensors) if rng.random() < 0.5 else [key]
    for name in chosen:
        match rng.randrange(3):
            case 0:
                tensors[name] = tensors[name].to(dtype)
            case 1:
                tensors[name] = torch.full_like(tensors[name], rng.choice([0, 1, 100]))
            case 2 if tensors[name].is_floating_point():
                tensors[name] = tensors[name] * rng.choice([torch.nan, torch.inf, 1e30])
    files["model.safetensors"] = save_tensors(tensors)


MUTATIONS: list[Callable[[random.Random, Files, Path], None]] = [
    flip_bytes,
    truncate,
    extend,
    delete,
    empty,
    rename,
    swap,
    pickled,
    edit_json,
    edit_json,
    edit_architecture,
    edit_architecture,
    edit_safetensors,
    edit_safetensors,
    retype,
]


def mutate(seed: int, files: Files, folder: Path, marker: Path) -> None:
    """Write `files` to `folder`, changed as `seed` says."""
    rng = random.Random(seed)
    files = dict(files)
    matching = rng.random() < 0.7
    for mutation in rng.sample(MUTATIONS, rng.choice([1, 1, 1, 2])):
        if files:
            mutation(rng, files, marker)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    if matching:
        rewrite_manifest(folder)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Files]:
    """A small checkpoint and a small model folder."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("whole")
    path = checkpoint.save(folder, a_checkpoint(a_config=config(generator_filters=2)))
    return {"checkpoint": tree(path), "model": tree(write_model(folder, generator_filters=2))}


def load_checkpoint(folder: Path) -> None:
    saved = checkpoint.load(folder)
    Players.create(config(generator_filters=2), pictures(), CPU).restore(saved.tensors)


def load_run(folder: Path) -> None:
    model = generate.load(folder.parent.parent, "cpu")
    assert len(model.generate(3, seed=1)) == 3


def load_model(folder: Path) -> None:
    model = generate.load(folder, "cpu")
    assert len(model.generate(3, seed=1)) == 3


PART = 25


@pytest.mark.parametrize("part", range(300 // PART))
@pytest.mark.parametrize(
    ("kind", "load"),
    [("checkpoint", load_checkpoint), ("checkpoint", load_run), ("model", load_model)],
    ids=["checkpoint", "run", "model"],
)
def test_a_mutated_folder_loads_or_is_refused_in_words_and_does_nothing_else(
    kind: str, load: Callable[[Path], None], part: int, whole: dict[str, Files], tmp_path: Path
) -> None:
    marker = tmp_path / "executed"
    torch.manual_seed(0)
    refused: list[str] = []
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(part * PART, (part + 1) * PART):
        folder = tmp_path / str(seed) / "checkpoints" / "step-000000003"
        mutate(seed, whole[kind], folder, marker)
        try:
            load(folder)
        except GansmithError as error:
            refused.append(str(error))
    assert len(refused) > PART // 3
    assert max(map(len, refused)) < 20_000
    assert not marker.exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 300 * 1024  # KiB


def test_the_unmutated_folders_load(whole: dict[str, Files], tmp_path: Path) -> None:
    for kind, load in (
        ("checkpoint", load_checkpoint),
        ("checkpoint", load_run),
        ("model", load_model),
    ):
        folder = tmp_path / load.__name__ / "checkpoints" / "step-000000003"
        folder.mkdir(parents=True)
        for name, content in whole[kind].items():
            (folder / name).write_bytes(content)
        load(folder)
