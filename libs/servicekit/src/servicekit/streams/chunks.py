"""Chunks of a streamed chat answer, as any server writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json


def object_in(data: bytes) -> dict[str, Any]:
    """The JSON object that an event or a body holds; an empty one for anything else."""
    try:
        parsed = from_json(data)
    except ValueError:  # perhaps one that Python takes: half a surrogate pair, or a deeper one
        try:
            parsed = json.loads(data)
        except ValueError:
            return {}
    return parsed if isinstance(parsed, dict) else {}


def has_content(choice: Mapping[str, Any]) -> bool:
    """Whether a choice says more than its role, which servers send before they know that they can answer."""
    delta = choice.get("delta")
    fields = delta if isinstance(delta, Mapping) else {}
    return bool(choice.get("finish_reason")) or any(value for name, value in fields.items() if name != "role")
