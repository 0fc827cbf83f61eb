"""`export` and `serve`: a trained generator for others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gansmith.cli.common import Device, RunArgument, say


def export(
    run: RunArgument,
    to: Annotated[
        str, typer.Option(help="safetensors, onnx, torch-export or hf (the Hugging Face Hub).")
    ] = "safetensors",
    out: Annotated[
        Path | None, typer.Option(help="A new or empty folder; of onnx and torch-export a file.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(help="OWNER/NAME on the Hub, for whoever is logged in there.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="With --push: not for all.")] = False,
) -> None:
    """Write a trained generator for others to use: slim, with what it makes and what it is worth.

    - `gansmith export RUN --out digits/`: weights and a card; `gansmith.load` reads it
    - `gansmith export RUN --to onnx --out digits.onnx`: for onnxruntime, any batch, any word
    - `gansmith export RUN --to hf --push me/digits`
    """
    from gansmith.errors import GansmithError
    from gansmith.sharing import export as write
    from gansmith.sharing.hub import push as upload
    from gansmith.sharing.hub import require_name

    if push is not None:
        if to != "hf":
            raise GansmithError("--push: the Hub takes what --to hf writes")
        require_name(push)
    found = write(run, out, to)
    far = "" if found.differs is None else f", within {found.differs:.1g} of what torch makes"
    say(f"{found.to}, {found.bytes / 1e6:.1f} MB{far}: {found.path}")
    if push is not None:
        say(upload(found.path, push, private))


def serve(
    run: Annotated[
        Path,
        typer.Argument(
            envvar="GANSMITH_MODEL",
            help="A run, one of its checkpoints, a model folder, or a packed one (.tar.gz).",
            show_default=False,
        ),
    ],
    host: Annotated[
        str, typer.Option(envvar="GANSMITH_HOST", help="An address of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for any that is free.", min=0, max=65535)] = 8080,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="GANSMITH_TOKEN", help="What clients send: `Authorization: Bearer TOKEN`."
        ),
    ] = None,
    no_token: Annotated[
        bool,
        typer.Option(
            "--no-token", envvar="GANSMITH_NO_TOKEN", help="Let everybody in whom --host reaches."
        ),
    ] = False,
    most: Annotated[int, typer.Option(help="Examples in one request.", min=1)] = 256,
    waiting: Annotated[int, typer.Option(help="Rows that may wait; then 429.", min=1)] = 2048,
    delay: Annotated[
        float, typer.Option(help="Milliseconds that a request waits for others.", min=0)
    ] = 5,
    device: Device = "auto",
) -> None:
    """Serve a trained generator over HTTP, to this machine unless told.

    - `gansmith serve RUN`, and then `curl -d '{"n": 16, "seed": 7}' -H 'Content-Type:
      application/json' http://127.0.0.1:8080/generate -o sheet.png`
    """
    from gansmith.serving import serve as run_server
    from gansmith.serving.orders import Limits

    run_server(
        run,
        host=host,
        port=port,
        token=token,
        is_open=no_token,
        limits=Limits(n=most, waiting=waiting),
        delay=delay / 1000,
        device=device,
        say=say,
    )
