"""Tokens that are given, not exchanged: for tests and trials."""

from __future__ import annotations

from dataclasses import dataclass

from servicekit.errors import Forbidden, ServiceError


class KeyRevoked(Forbidden):
    """What the gateway says of a grant whose key is gone."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("The key of this grant was revoked.")


@dataclass
class FixedTokens:
    """A `TokenSource` that names each grant's token after it, or refuses all."""

    failure: ServiceError | None = None

    async def token(self, grant: str, *, fresh: bool = False) -> str:
        """The token of a grant."""
        if self.failure is not None:
            raise self.failure
        return f"token of {grant}"
