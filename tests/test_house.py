"""The house: what may import what, what may not be there at all, and what `import` costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gansmith

SOURCE = Path(gansmith.__file__).parent
# A module may import what lies on a lower floor, and its neighbours within its own package.
FLOORS = [
    {"errors", "watch", "signals", "threads", "meeting"},
    {"config", "runtime", "measures", "variance", "world"},
    {
        "losses",
        "ada",
        "augment",
        "imaging",
        "checkpoint",
        "ema",
        "bf16",
        "health",
        "logs",
        "remedies",
        "balance",
        "recipes",
        "data",
        "models",
    }
    | {
        "metrics.distances",
        "metrics.neighbours",
        "metrics.features",
        "metrics.inception",
        "metrics.convnet",
    },
    {"distort", "script", "copybook", "packed"},
    {"reader"},
    {"objectives", "players", "stream", "generate", "run", "origin", "cards"}
    | {"metrics.memorisation", "metrics.classifier", "metrics.protocol", "metrics.gain"}
    | {"metrics.inception_weights", "metrics.convert_weights"}
    | {"metrics.crnn", "metrics.reading", "metrics.lift", "metrics.lessons", "metrics.kept"}
    | {"metrics.words.sets", "metrics.words.referee", "metrics.words.legibility"}
    | {"metrics.words.hands", "metrics.words.borders", "metrics.words.sheet"}
    | {"metrics.words.sentences"},
    {"word_stream", "shard_stream", "word_objectives"},
    {"judge", "motion", "metrics.evaluation", "metrics.usefulness", "metrics.words.texts"},
    {"vitals", "repair", "scribe"},
    {"word_evaluation"},
    {"observe", "summary", "samples", "sheets", "report", "progress"},
    {"keeper", "turns"},
    {"team"},
    {"loop", "writing"},
    {"synthetic", "sharing"},
    {"api", "subset", "word_pools"},
    {"real", "word_worth"},
    {"dry_run", "assess", "doctor", "processes"},
    {"serving"},
    {"sagemaker"},
    {"cli", ""},  # "" is the package itself
    {"__main__"},
]
OPTIONAL = {"pyarrow", "datasets", "sklearn", "cv2", "onnx", "onnxruntime", "huggingface_hub"}
OPTIONAL |= {"boto3", "botocore", "fastapi", "starlette", "uvicorn", "prometheus_client", "ray"}
ADAPTERS = {
    "serving.app",
    "serving.guards",
}  # that are nothing without their library, and imported where it is asked for
FILES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    """``data/idx.py`` → ``data.idx``; ``__init__.py`` → its package."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {name_of(path): path for path in FILES}


def floor(module: str) -> int | None:
    for number, members in enumerate(FLOORS):
        if module in members or module.partition(".")[0] in members - {""}:
            return number
    return None


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every import with the full name of what it imports, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                is_module = inner.removeprefix("gansmith.") in MODULES
                yield node, inner if is_module else str(node.module)


def own_imports(module: str) -> set[str]:
    tree = ast.parse(MODULES[module].read_text())
    names = {name for _, name in imports(tree)}
    return {
        n.removeprefix("gansmith").removeprefix(".") for n in names if n.split(".")[0] == "gansmith"
    }


def test_every_module_has_its_floor() -> None:
    packages = {m for m in MODULES if m and any(n.startswith(f"{m}.") for n in MODULES)}
    homeless = [m for m in MODULES if floor(m) is None and m not in packages]
    assert homeless == []
    for members in FLOORS:
        for member in members:
            assert member in MODULES, f"{member} is gone: take it off its floor"


@pytest.mark.parametrize("module", sorted(m for m in MODULES if floor(m) is not None))
def test_imports_only_go_down(module: str) -> None:
    here = floor(module)
    package = module.partition(".")[0]
    for imported in own_imports(module):
        there = floor(imported)
        assert there is not None, f"{module} imports {imported}, which has no floor"
        neighbours = package == imported.partition(".")[0] and package != ""
        assert there < here or neighbours, f"{module} (floor {here}) imports {imported} ({there})"


def at_module_level(tree: ast.Module) -> Iterator[str]:
    """What is imported when the module is: not in functions, not for the type checker alone."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                continue
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                yield from (name for _, name in imports(ast.Module([node], [])))
            waiting.append(node)


def test_optional_libraries_are_imported_only_where_they_are_used() -> None:
    for module, path in MODULES.items():
        if module in ADAPTERS:
            continue
        names = {n.partition(".")[0] for n in at_module_level(ast.parse(path.read_text()))}
        assert not names & OPTIONAL, f"{module} imports {names & OPTIONAL} at once"


@pytest.mark.parametrize("path", FILES, ids=[name_of(p) for p in FILES])
def test_nothing_that_can_execute_a_strangers_file_is_in_the_source(path: Path) -> None:
    text = path.read_text()
    forbidden = r"\bpickle\b|torchvision"
    if (
        name_of(path) != "metrics.convert_weights"
    ):  # weights_only, verified, in a process of its own
        forbidden += r"|torch\.load\b"
    assert not re.search(forbidden, text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("eval", "exec", "compile", "__import__")
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "trust_remote_code"):
            assert isinstance(node.value, ast.Constant)
            assert node.value.value is False
    modules = {name.partition(".")[0] for _, name in imports(ast.parse(text))}
    assert not modules & {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}


def test_only_training_calls_backward() -> None:
    callers = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "backward"
    }
    assert callers == {"turns", "metrics.classifier", "metrics.reading"}


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_is_imported_without_the_extras() -> None:
    script = f"""
import importlib, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {OPTIONAL!r}:
            raise ModuleNotFoundError(f"{{name}} is blocked", name=name)
sys.meta_path.insert(0, Blocked())
for module in sys.argv[1:]:
    importlib.import_module(module)
print("imported", len(sys.argv) - 1)
assert not {OPTIONAL!r} & {{name.partition(".")[0] for name in sys.modules}}
"""
    modules = [
        f"gansmith.{m}" if m else "gansmith" for m in MODULES if m not in {"__main__", *ADAPTERS}
    ]
    assert run(script, *modules) == f"imported {len(modules)}\n"


HEAVY = {"torch", "numpy", "matplotlib", "PIL", "tensorboardX", "pyarrow", "datasets", "sklearn"}


def test_import_gansmith_costs_nothing() -> None:
    loaded = run("import sys, gansmith; print(*sys.modules)").split()
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["generate", "--help"]])
def test_help_does_not_wait_for_torch(arguments: list[str]) -> None:
    script = """
import sys
from gansmith.cli import app
try:
    app(sys.argv[1:], prog_name="gansmith")
except SystemExit as end:
    assert not end.code, end.code
print("loaded", *sys.modules)
"""
    text, _, loaded = run(script, *arguments).rpartition("loaded")
    assert "Usage: gansmith" in text
    assert not HEAVY & set(loaded.split())


def test_everything_that_is_promised_is_there() -> None:
    for name in gansmith.__all__:
        assert getattr(gansmith, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'pickles'"):
        _ = gansmith.pickles
    assert (SOURCE / "py.typed").is_file()
