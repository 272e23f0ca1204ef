"""What a wire model says of a body that it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError


def refusal(model: type[BaseModel], body: Any) -> tuple[str, str]:
    """The first field that is at fault (empty where it is several together), and why."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    first = refused.value.errors()[0]
    return str(first["loc"][0]) if first["loc"] else "", first["msg"]


def refused_field(model: type[BaseModel], body: Any) -> str:
    """The field that is named as wrong."""
    return refusal(model, body)[0]
