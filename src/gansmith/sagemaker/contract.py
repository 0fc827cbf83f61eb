"""What a SageMaker training container tells the program that it starts.

The v2 toolkit and the v3 driver tell it in SM_ variables, not the same ones; without either there are
the files that the service itself writes. All places lie in one folder, /opt/ml, which
SAGEMAKER_BASE_DIR moves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gansmith.errors import GansmithError

BASE = "/opt/ml"
# Channels that bring code: the launchers', not the person's.
CODE = ("code", "sm_drivers", "sm_code")
OWN = "sagemaker_"  # begins the names of hyper-parameters that are the toolkits' own
LONGEST_REASON = 1024  # characters that the service keeps of one


@dataclass(frozen=True)
class Contract:
    """One host of a job: where things lie, what was asked for, who else there is."""

    model: Path  # what lies there in the end is the job's model.tar.gz …
    output: Path  # … and there, its output.tar.gz
    failure: Path  # a file: why the job failed
    checkpoints: Path  # the same as a place in S3, while the job runs and when it is started again
    channels: Mapping[str, Path] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    hosts: tuple[str, ...] = ("localhost",)
    host: str = "localhost"
    gpus: int = 0
    network: str | None = None  # the interface that the hosts reach each other by
    is_container: bool = True

    def fail(self, reason: str) -> None:
        """Leave the reason where the service looks for it, if there is such a place."""
        with suppress(OSError):  # or nobody would hear of the reason itself
            self.failure.parent.mkdir(parents=True, exist_ok=True)
            self.failure.write_text(reason[:LONGEST_REASON], encoding="utf-8")


def usual(base: str | Path = BASE) -> Contract:
    """The places where nothing says otherwise."""
    base = Path(base)
    output = base / "output"
    return Contract(base / "model", output / "data", output / "failure", base / "checkpoints")


def read_contract(environment: Mapping[str, str]) -> Contract:
    """What a container's environment, and the files that it names, say.

    Raises a GansmithError where they say something else than any version of SageMaker does.
    """
    base = Path(environment.get("SAGEMAKER_BASE_DIR", BASE))
    configs = Path(environment.get("SM_INPUT_CONFIG_DIR", base / "input" / "config"))
    resources = _file(configs / "resourceconfig.json")
    hosts = tuple(sorted(_parsed(environment, "SM_HOSTS", list) or resources.get("hosts") or ()))
    host = environment.get("SM_CURRENT_HOST") or resources.get("current_host") or "localhost"
    if host not in (hosts or (host,)):
        raise GansmithError(f"SM_CURRENT_HOST: expected one of {', '.join(hosts)}, found {host}")
    output = Path(environment.get("SM_OUTPUT_DIR", base / "output"))
    asked = _parsed(environment, "SM_HPS", dict) or _file(configs / "hyperparameters.json")
    return Contract(
        model=Path(environment.get("SM_MODEL_DIR", base / "model")),
        output=Path(environment.get("SM_OUTPUT_DATA_DIR", output / "data")),
        failure=Path(environment.get("SM_OUTPUT_FAILURE", output / "failure")),
        checkpoints=base / "checkpoints",
        channels=_channels(environment, configs, base),
        hyperparameters={k: v for k, v in asked.items() if not k.startswith(OWN)},
        hosts=hosts or (host,),
        host=host,
        gpus=int(environment.get("SM_NUM_GPUS") or 0),
        network=environment.get("SM_NETWORK_INTERFACE_NAME")
        or resources.get("network_interface_name"),
        is_container="SAGEMAKER_BASE_DIR" in environment or base.is_dir(),
    )


def _channels(environment: Mapping[str, str], configs: Path, base: Path) -> dict[str, Path]:
    """Each channel's folder; of SM_CHANNEL_ variables the names are known in capitals only."""
    named = _parsed(environment, "SM_CHANNELS", list)
    if named is None:
        named = list(_file(configs / "inputdataconfig.json"))
    folder = Path(environment.get("SM_INPUT_DIR", base / "input")) / "data"
    known = {name.upper() for name in named}
    prefix = "SM_CHANNEL_"
    named += [
        key.removeprefix(prefix).lower()
        for key in environment
        if key.startswith(prefix) and key.removeprefix(prefix) not in known
    ]
    return {
        name: Path(environment.get(f"{prefix}{name.upper()}", folder / name))
        for name in named
        if name not in CODE
    }


def _parsed(environment: Mapping[str, str], key: str, kind: type) -> Any:
    """A variable in JSON, or in what older containers put instead of it: 'a,b'. None: there is none."""
    text = environment.get(key, "").strip()
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = re.split(r"[,\s]+", text) if kind is list else None
    if not isinstance(found, kind):
        raise GansmithError(f"{key}: expected JSON, found {text[:100]!r}")
    return found


def _file(path: Path) -> dict[str, Any]:
    """One of the service's own files; nothing where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise GansmithError(f"{path}: expected JSON ({error})") from None
    if not isinstance(found, dict):
        raise GansmithError(f"{path}: expected a JSON object, found a {type(found).__name__}")
    return found
