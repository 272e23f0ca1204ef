"""An entry of the models file that comes in a call: the same model, the same checks, an error for the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from contracts.core.validation import what_is_wrong
from contracts.models.tuning import MOST_MATRICES_BYTES
from inference.catalog.learnt import corrections, heads, projections
from inference.catalog.models_file import RESERVED, Model
from inference.catalog.sources import FORMS
from inference.errors import DeclarationInvalid

MOST_BYTES = 64 * 1024
"""Of one declaration."""
MOST_BYTES_OF_LEARNT = {
    "head": MOST_BYTES + heads.MOST_BYTES,
    "projection": MOST_BYTES + 2 * projections.MOST_BYTES,
    "lora": MOST_BYTES + MOST_MATRICES_BYTES,
    "correction": MOST_BYTES + corrections.MOST_BYTES + MOST_MATRICES_BYTES,
}
"""Of one that holds what was learnt, by its engine."""
FORMED = {"source.base_url": "an address begins with http:// or https:// and has no blanks"}
"""What a pattern of no name says, in words."""


def read_entry(name: str, entry: Mapping[str, Any]) -> Model:
    """The model that an entry declares; raises `DeclarationInvalid` with the key that is wrong."""
    if name in RESERVED:
        raise DeclarationInvalid("name", f"no model may be called {name}: {RESERVED[name]}")
    try:
        return Model.model_validate({**entry, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"] if part not in FORMS)
        why = FORMED.get(param) if first["type"] == "string_pattern_mismatch" else None
        raise DeclarationInvalid(param or "model", why or what_is_wrong(first)) from None
