"""What a request passes before the service sees it: who comes in, how much may be sent, the count."""

from __future__ import annotations

import hmac

from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN = ("/ping",)  # what needs no token: whether it is there
GONE = 499  # nginx's, for the figures: nobody reads that answer


class Guard:
    """Lets in who may come in, and counts answers."""

    def __init__(self, app: ASGIApp, token: str | None, paths: frozenset[str], requests: Counter):
        self.app, self.token, self.paths, self.requests = app, token, paths, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, path = GONE, scope["path"]  # unless somebody answers

        async def noted(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            if self.token is None or path in OPEN or _allowed(scope, self.token):
                await self.app(scope, receive, noted)
            else:
                answer = refusal(401, "expected the header Authorization: Bearer TOKEN")
                answer.headers["Connection"] = "close"  # its body is not read
                await answer(scope, receive, noted)
        except Exception:
            status = 500
            raise
        finally:
            self.requests.labels(path if path in self.paths else "other", status).inc()


class BodyLimit:
    """Refuses bodies that are longer than `most` bytes, at the first byte too many."""

    def __init__(self, app: ASGIApp, most: int):
        self.app, self.most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _stated(scope) > self.most:
            await self._refuse(scope, receive, send)
            return
        parts, more = [], True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client has gone
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
            if sum(map(len, parts)) > self.most:
                await self._refuse(scope, receive, send)
                return
        whole: list[Message] = [
            {"type": "http.request", "body": b"".join(parts), "more_body": False}
        ]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        await self.app(scope, again, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = refusal(413, f"expected a body of at most {self.most:,} bytes")
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)


def refusal(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"error": sentence}, status)


def _allowed(scope: Scope, token: str) -> bool:
    given = Headers(scope=scope).get("authorization", "")
    return hmac.compare_digest(given.encode(), f"Bearer {token}".encode())


def _stated(scope: Scope) -> int:
    """The length that a request says it has; 0 where it says none."""
    for key, value in scope["headers"]:
        if key == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
