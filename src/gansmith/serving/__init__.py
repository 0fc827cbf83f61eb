"""`gansmith serve`: a generator behind HTTP."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.serving.orders import Limits

PORT = 8080  # SageMaker's
BACKLOG = 1024  # connections that may wait to be accepted
SWITCH = 5e-4  # seconds after which a thread that makes gets the interpreter from one that answers
GRACE = 10  # seconds that requests have to end once it is told to stop


def serve(
    run: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    token: str | None = None,
    is_open: bool = False,
    limits: Limits | None = None,
    delay: float = 0.005,
    device: str = "auto",
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve a trained generator until told to stop.

    Args:
        run: a run, one of its checkpoints, or a model folder.
        host: where others than this machine reach it, a `token` is asked of them, unless `is_open`.
        port: 0 for any that is free.
        delay: how many seconds a first request waits for others to be made with.
        say: told the address once it listens.

    Raises GansmithError where it can't or may not.
    """
    if token is None and not is_open and not is_local(host):
        raise GansmithError(
            f"--host {host}: others could reach it; give a --token they are to send (or "
            "GANSMITH_TOKEN), or --no-token where something else keeps them out"
        )
    try:
        import uvicorn

        from gansmith.serving.app import create_app
    except ImportError:
        raise GansmithError("serving needs FastAPI: pip install 'gansmith[serve]'") from None
    app = create_app(load(run, device), limits, delay, token)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE)
    sys.setswitchinterval(SWITCH)
    with listening(host, port) as at:
        place = f"[{host}]" if ":" in host else host
        say(f"http://{place}:{at.getsockname()[1]}   POST /generate, GET /model; /docs shows all")
        uvicorn.Server(config).run(sockets=[at])


def listening(host: str, port: int) -> socket.socket:
    """Raises a GansmithError where that can't be."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        at = socket.create_server((host, port), family=family, backlog=BACKLOG)
        # For all connections, as asyncio does it for sockets that it makes: else the second half of an
        # answer waits until the client has acknowledged the first, 40 ms later.
        at.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return at
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise GansmithError(f"can't listen on {host}, port {port}: {reason}") from None


def is_local(host: str) -> bool:
    """Whether only this machine reaches that address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
