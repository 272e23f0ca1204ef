"""Tokens that are given, not exchanged: for tests and trials."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from contracts.access.delegation import Scope, Spent
from contracts.agents.runs import Run, RunSource
from servicekit.core.errors import Forbidden, ServiceError


class KeyRevoked(Forbidden):
    """What the gateway says of a grant whose key is gone."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("The key of this grant was revoked.")


@dataclass
class FixedTokens:
    """A `TokenSource` that names each grant's token after it, or refuses all."""

    failure: ServiceError | None = None
    ledger: dict[str, Spent] = field(default_factory=dict)
    """What calls have used, by the id that they are charged under; nothing else is known to have used anything."""
    records: bool = False
    """Whether the gateway wants to be told of the ends of runs."""
    recorded: list[tuple[str, Run, list[RunSource]]] = field(default_factory=list)
    """Runs that were put on record, each with its grant and what it found and read."""
    granted: Collection[Scope] | None = None
    """The scopes of every grant's key."""

    async def token(self, grant: str, *, fresh: bool = False, call_id: str | None = None) -> str:
        """The token of a grant."""
        if self.failure is not None:
            raise self.failure
        return f"token of {grant}"

    async def spent(self, grant: str, call_id: str) -> Spent:
        """What the ledger has."""
        nothing = Spent(prompt_tokens=0, completion_tokens=0, embedding_tokens=0, model_calls=0, cost_nano_usd=0)
        return self.ledger.get(call_id, nothing).model_copy(update={"records": self.records})

    async def record(self, grant: str, run: Run, sources: Sequence[RunSource]) -> None:
        """Noted."""
        if self.failure is not None:
            raise self.failure
        self.recorded.append((grant, run, list(sources)))

    async def scopes(self, grant: str, *, call_id: str | None = None) -> Collection[Scope] | None:
        """As given."""
        return self.granted
