"""Bodies that the gateway itself must read, parsed straight from bytes."""

from __future__ import annotations

from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from servicekit.errors import Unprocessable, from_validation

Body = TypeVar("Body", bound=BaseModel)


def parse(model: type[Body], body: bytes) -> Body:
    """The body as a model; raises `Unprocessable` with the dotted path of the first thing that is wrong."""
    try:
        return model.model_validate_json(body)
    except ValidationError as failure:
        raise invalid(failure) from None


def invalid(failure: ValidationError) -> Unprocessable:
    """What is wrong with a body."""
    errors = failure.errors(include_url=False, include_context=False, include_input=False)
    return from_validation(RequestValidationError([{**error, "loc": ("body", *error["loc"])} for error in errors]))
