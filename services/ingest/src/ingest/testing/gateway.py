"""The rest of the platform where there is none: it remembers who was to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class MemoryPlatform:
    """A `Platform` for tests and trials."""

    forgotten: list[str] = field(default_factory=list)

    async def delete_tenant(self, token: str, tenant: str) -> None:
        """Note the name."""
        self.forgotten.append(tenant)
