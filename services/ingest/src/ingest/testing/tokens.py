"""A token and a tokenizer that are simply there: for tests and offline trials."""

from __future__ import annotations

from contracts.core.errors import ErrorBody
from extraction.chunking.tokens import Tokens
from servicekit.core.errors import PeerError


def budget_exceeded() -> PeerError:
    """What the gateway says where a budget is spent, and what the retriever passes on."""
    body = ErrorBody(type="budget_exceeded", code="budget_exceeded", message="The budget of this key is spent.")
    return PeerError(429, body, retry_after=3600)


class FixedTokens:
    """A `TokenSource` that knows which keys are revoked."""

    def __init__(self, token: str = "token") -> None:  # noqa: S107  # not a secret
        self.revoked: set[str] = set()
        self.spent = False
        """Whether the keys' budgets have nothing left."""
        self._token = token

    async def token(self, grant: str, *, fresh: bool = False) -> str:
        """Always the same; 403 `key_revoked` for a grant in `revoked`."""
        if grant in self.revoked:
            body = ErrorBody(type="permission", code="key_revoked", message="The key was revoked. Use another one.")
            raise PeerError(403, body)
        return self._token

    async def ask_budget(self, grant: str) -> None:
        """429 `budget_exceeded` while budgets are `spent`."""
        if self.spent:
            raise budget_exceeded()


class FixedTokenizers:
    """A `TokenizerSource` with one tokenizer for every model."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def tokens(self, token: str, model: str) -> Tokens:
        """The one."""
        return self._tokens
