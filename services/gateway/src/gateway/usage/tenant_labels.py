"""The `tenant` label of metrics: bounded, however many tenants there are."""

from __future__ import annotations

OTHER = "other"


class TenantLabels:
    """The tenants that this process has served first, by name, and `other` for all that came when there were `most`.

    A name is never given up again: a counter that moved from one label to another would tell of spending that was not.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, str] = {}

    def of(self, tenant: str) -> str:
        """The label of a tenant."""
        label = self._known.get(tenant)
        if label is None:
            if len(self._known) >= self._most:
                return OTHER
            label = self._known[tenant] = tenant
        return label
