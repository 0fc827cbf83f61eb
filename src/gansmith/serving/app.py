"""The web service: routes, limits, what is measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar

import torch
from fastapi import FastAPI, Request
from fastapi.responses import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from pydantic import ValidationError

from gansmith.errors import GansmithError
from gansmith.generate import Model
from gansmith.serving.desk import Closed, Desk, Full
from gansmith.serving.guards import GONE, BodyLimit, Guard, refusal
from gansmith.serving.orders import TYPES, Format, Limits, Order, encode
from gansmith.serving.studio import Made, Row, studio_of

MAKERS = 2
Result = TypeVar("Result")


class Service:
    """A generator, the desk that its orders wait at, and what /metrics tells of both."""

    def __init__(self, model: Model, limits: Limits, delay: float):
        self.model, self.limits, self.studio = model, limits, studio_of(model)
        makers = makers_for(model)
        share = max(1, torch.get_num_threads() // makers)
        self.desk = Desk[Row, Made](
            self.studio.make,
            self.studio.together,
            delay,
            limits.waiting,
            makers=makers,
            prepare=partial(torch.set_num_threads, share),  # of the thread that calls it
        )
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "gansmith_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "gansmith_order_seconds", "From order to answer.", registry=self.registry
        )
        self.examples = Counter(
            "gansmith_examples", "Pictures, points or lines made.", registry=self.registry
        )
        for name, what in (
            ("waiting", "Rows that wait to be made."),
            ("batches", "Batches made since the start."),
            ("rows", "Rows made since the start."),
        ):
            gauge = Gauge(f"gansmith_desk_{name}", what, registry=self.registry)
            gauge.set_function(partial(getattr, self.desk, name))

    @asynccontextmanager
    async def working(self, app: FastAPI) -> AsyncIterator[None]:
        work = asyncio.create_task(self.desk.work())
        yield
        work.cancel()

    async def answer(self, request: Request, order: Order, form: Format) -> Response:
        """Raises GansmithError for what can't be made, Full, and Gone."""
        with self.seconds.time():
            _within(order, self.limits, form, self.model)
            rows = self.studio.rows(order.n, order.seed, order.labels, order.text)
            asking = self.desk.ask(rows)
            if len(rows) > self.studio.together:  # less is made before anybody could leave
                asking = _while_there(request, asking)
            made = await asking
            examples = self.studio.examples(rows, made, order.n)
            body = await asyncio.to_thread(encode, examples, form)
        self.examples.inc(len(examples))
        return Response(body, media_type=TYPES[form])

    def description(self) -> dict[str, Any]:
        spec = self.model.spec
        return {
            "kind": spec.kind,
            "shape": list(spec.shape),
            "classes": list(spec.classes) if spec.classes else None,
            "alphabet": list(spec.script.alphabet) if spec.script else None,
            "recipe": self.model.config.recipe,
            "step": self.model.step,
            "most": asdict(self.limits),
        }


def create_app(
    model: Model, limits: Limits | None = None, delay: float = 0.005, token: str | None = None
) -> FastAPI:
    """The service of one generator.

    Args:
        delay: how many seconds a first request waits for others to be made with.
        token: without it as ``Authorization: Bearer TOKEN`` all but /ping is refused.
    """
    service = Service(model, limits or Limits(), delay)
    app = FastAPI(title="gansmith", version=version("gansmith"), lifespan=service.working)
    _add_routes(app, service)
    for kind, status in ((GansmithError, 422), (Bad, 400), (Gone, GONE), (Closed, 503)):
        app.add_exception_handler(kind, partial(_refused, status))
    app.add_exception_handler(Full, _full)
    paths = frozenset(getattr(route, "path", "") for route in app.routes)
    app.add_middleware(BodyLimit, most=service.limits.body)
    app.add_middleware(Guard, token=token, paths=paths, requests=service.requests)
    return app


def makers_for(model: Model) -> int:
    """How many threads make, sharing the processors: two, each of which makes while the other waits for
    the interpreter or for a processor that something else has. A GPU does one thing after another."""
    return min(MAKERS, torch.get_num_threads()) if model.device.type == "cpu" else 1


def _add_routes(app: FastAPI, service: Service) -> None:
    usual: Format = "json" if service.model.spec.kind == "points" else "png"

    @app.get("/ping")
    async def ping() -> dict[str, str]:
        """Whether it is there."""
        return {"status": "ok"}

    @app.get("/model")
    async def about() -> dict[str, Any]:
        """What it makes, and how much may be asked for."""
        return service.description()

    @app.get("/metrics")
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(generate_latest(service.registry), media_type=CONTENT_TYPE_LATEST)

    @app.post("/generate", **_documented())
    async def generate(request: Request) -> Response:
        """New examples: the same seed gives the same bytes."""
        order = await _order(request)
        return await service.answer(request, order, order.format or usual)

    @app.post("/invocations", **_documented())
    async def invocations(request: Request) -> Response:
        """The same by SageMaker's contract: `Accept` says the form if `format` does not."""
        order = await _order(request)
        return await service.answer(request, order, order.format or _accepted(request))


class Bad(Exception):
    """A request that is none."""


class Gone(Exception):
    """A client that did not wait for its answer."""


async def _while_there(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result; if the client goes first it is cancelled. Raises Gone."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(request.receive())  # its body is read: nothing else can come
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone("the client has gone")
        return await working
    finally:
        working.cancel()
        leaving.cancel()


async def _order(request: Request) -> Order:
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise Bad("expected a body of the type application/json")
    try:
        order = Order.model_validate_json(await request.body())
    except ValidationError as error:
        raise Bad("; ".join(map(_sentence, error.errors()[:5]))) from None
    return order


def _within(order: Order, limits: Limits, form: Format, model: Model) -> None:
    if form == "png" and model.spec.kind == "points":
        raise GansmithError("format: points are no pictures; ask for json or npz")
    if order.n > limits.n:
        raise GansmithError(f"n: expected at most {limits.n}, found {order.n}")
    if len(order.text or "") > limits.text:
        raise GansmithError(
            f"text: expected at most {limits.text} characters, found {len(order.text or '')}"
        )


def _sentence(problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"][:1])
    return f"{place}: {problem['msg']}" if place else str(problem["msg"])[:200]


def _accepted(request: Request) -> Format:
    """What `Accept` asks for first of what there is; JSON where it does not say."""
    for wanted in request.headers.get("accept", "").split(","):
        for name, type_ in TYPES.items():
            if wanted.split(";")[0].strip() == type_:
                return name
    return "json"


# Coroutines: Starlette calls others in a pool of threads, for which refusals would queue.
async def _refused(status: int, request: Request, error: Exception) -> Response:
    return refusal(status, str(error))


async def _full(request: Request, error: Exception) -> Response:
    answer = refusal(429, "as much is waiting as may wait; try again in a second")
    answer.headers["Retry-After"] = "1"
    return answer


def _documented() -> dict[str, Any]:
    """For the OpenAPI page: the body is read by hand, so that all that is wrong is one sentence."""
    schema = json.loads(json.dumps(Order.model_json_schema()))
    content: dict[str, Any] = {type_: {} for type_ in TYPES.values()}
    return {
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}
        },
        "responses": {
            200: {"content": content, "description": "What was made."},
            400: {"description": "No such order."},
            422: {"description": "What this generator can't make."},
            429: {"description": "Too much is waiting; try again."},
        },
        "response_class": Response,
    }
