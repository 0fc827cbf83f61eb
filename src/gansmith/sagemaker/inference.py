"""The four functions that AWS's image serves a model by; orders are those of `gansmith serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.serving.orders import TYPES, Limits, Order, encode
from gansmith.serving.studio import Example, Studio, studio_of

JSON = "application/json"


def model_fn(model_dir: str, context: Any = None) -> Studio:
    """The generator in a folder."""
    return studio_of(load(Path(model_dir)))


def input_fn(body: str | bytes, content_type: str = JSON, context: Any = None) -> Order:
    """Raises a GansmithError for what is no order."""
    if content_type.split(";")[0].strip() != JSON:
        raise GansmithError(f"expected a body of the type {JSON}, found {content_type}")
    try:
        order = Order.model_validate_json(body)
    except ValidationError as error:
        raise GansmithError("; ".join(str(e["msg"]) for e in error.errors()[:5])) from None
    if order.n > Limits.n or len(order.text or "") > Limits.text:
        raise GansmithError(f"expected at most {Limits.n} examples of {Limits.text} characters")
    return order


def predict_fn(order: Order, studio: Studio, context: Any = None) -> list[Example]:
    """What was ordered, the same bytes as any other way to have it made."""
    rows = studio.rows(order.n, order.seed, order.labels, order.text)
    parts = (rows[k : k + studio.together] for k in range(0, len(rows), studio.together))
    made = [one for part in parts for one in studio.make(part)]
    return studio.examples(rows, made, order.n)


def output_fn(examples: list[Example], accept: str = JSON, context: Any = None) -> bytes:
    """In the form that is accepted; JSON where any is."""
    forms = {type_: form for form, type_ in TYPES.items()}
    return encode(examples, forms.get(accept.split(";")[0].strip(), "json"))
