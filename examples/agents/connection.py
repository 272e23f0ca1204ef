"""Where these examples find the server: GROUNDWORK_BASE_URL and GROUNDWORK_API_KEY."""

from __future__ import annotations

from groundwork.client import Groundwork
from groundwork.settings import CommandSettings


def connect() -> Groundwork:
    """A client; close it."""
    settings = CommandSettings()
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Groundwork(settings.base_url or "http://127.0.0.1:8080", key)
