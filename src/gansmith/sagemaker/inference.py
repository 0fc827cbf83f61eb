"""The four functions that AWS's image serves a model by; orders are those of `gansmith serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gansmith.errors import GansmithError
from gansmith.generate import load
from gansmith.serving.orders import TYPES, Format, Limits, Order, encode
from gansmith.serving.studio import Example, Studio, studio_of

JSON = "application/json"


@dataclass(frozen=True)
class Made:
    """What was made of an order, and the form that it names."""

    examples: list[Example]
    form: Format | None


def model_fn(model_dir: str, context: Any = None) -> Studio:
    """The generator in a folder."""
    return studio_of(load(Path(model_dir)))


def input_fn(body: str | bytes, content_type: str = JSON, context: Any = None) -> Order:
    """An order; what is none is refused with status 400."""
    if content_type.split(";")[0].strip() != JSON:
        raise refusal(f"expected a body of the type {JSON}, found {content_type}")
    try:
        order = Order.model_validate_json(body)
    except ValidationError as error:
        raise refusal("; ".join(str(e["msg"]) for e in error.errors()[:5])) from None
    if order.n > Limits.n or len(order.text or "") > Limits.text:
        raise refusal(f"expected at most {Limits.n} examples of {Limits.text} characters")
    return order


def predict_fn(order: Order, studio: Studio, context: Any = None) -> Made:
    """What was ordered, the same bytes as any other way to have it made."""
    try:
        rows = studio.rows(order.n, order.seed, order.labels, order.text)
    except GansmithError as error:
        raise refusal(str(error)) from None
    parts = (rows[k : k + studio.together] for k in range(0, len(rows), studio.together))
    made = [one for part in parts for one in studio.make(part)]
    return Made(studio.examples(rows, made, order.n), order.format)


def output_fn(made: Made, accept: str = JSON, context: Any = None) -> tuple[bytes, str]:
    """In the form that the order names, else in one that is accepted, else in JSON; and its type."""
    forms = {type_: form for form, type_ in TYPES.items()}
    form = made.form or forms.get(accept.split(";")[0].strip(), "json")
    return encode(made.examples, form), TYPES[form]


def refusal(sentence: str) -> Exception:
    """As the toolkit answers it with status 400; without the toolkit, our own."""
    try:
        from sagemaker_inference.errors import BaseInferenceToolkitError
    except ImportError:
        return GansmithError(sentence)
    error: Exception = BaseInferenceToolkitError(400, sentence, sentence)
    return error
