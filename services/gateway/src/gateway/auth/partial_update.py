"""Changes of keys and tenants: only what was sent changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.access.keys import KeyPatch, Limits, TenantPatch

NO_LIMITS = Limits().model_dump(mode="json")
MAY_BE_NULL = ("models", "collections", "expires_at", "feedback_labels")
MAY_BE_THE_TENANTS = ("records", "records_days", "abstain")
"""Columns that are null in a key that leaves them to its tenant, or to the model that answers."""


def changed_columns(wanted: KeyPatch | TenantPatch, row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that a change sets: what was sent, within `limits` field by field; null where null means none."""
    sent = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    values: dict[str, Any] = {}
    for name, value in sent.items():
        if name == "limits":
            changes = value.model_dump(mode="json", exclude_unset=True) if value is not None else dict(NO_LIMITS)
            values[name] = {**row["limits"], **changes}
        elif name == "budgets":
            values[name] = [budget.model_dump(mode="json") for budget in value or []]
        elif name == "guardrails":
            values[name] = None if value is None else value.model_dump(mode="json")
        elif name == "scopes" and value is not None:
            values[name] = list(dict.fromkeys(value))
        elif value is not None or name in MAY_BE_NULL or (name in MAY_BE_THE_TENANTS and isinstance(wanted, KeyPatch)):
            values[name] = value
    return values
