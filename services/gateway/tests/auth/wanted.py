"""What a key that is made wants."""

from __future__ import annotations

from typing import Any

from contracts.access.keys import KeyCreate
from gateway.storage.audit_log import Actor

ADMIN = Actor("key_admin", "req_1")


def wanted(**changes: Any) -> KeyCreate:
    return KeyCreate.model_validate({"name": "k", "tenant": "acme", "scopes": ["chat"], **changes})
