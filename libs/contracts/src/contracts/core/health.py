"""What `/healthz` and `/readyz` answer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.core.base import Reply


class PartState(Reply):
    """One dependency: whether it works now and, if not, why in words that tell nothing secret."""

    ok: bool
    detail: str = ""
    ms: float = 0.0


class Health(Reply):
    """Alive (`/healthz`), or able to do its job now with each part's state (`/readyz`)."""

    status: Literal["ok", "unavailable"]
    service: str
    version: str
    parts: dict[str, PartState] = Field(default_factory=dict)
