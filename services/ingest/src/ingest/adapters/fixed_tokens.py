"""A token and a tokenizer that are simply there: for tests and offline trials."""

from __future__ import annotations

from contracts.errors import ErrorBody
from ingest.chunking.tokens import Tokens
from servicekit.errors import PeerError
from servicekit.http import PeerUnreachable


class FixedTokens:
    """A `TokenSource` that knows which keys are revoked."""

    def __init__(self, token: str = "token") -> None:  # noqa: S107  # not a secret
        self.revoked: set[str] = set()
        self.reported: dict[str, tuple[str, int]] = {}
        """Model and tokens of each report, by its id."""
        self.away = False
        """Whether reports fail now."""
        self._token = token

    async def token(self, grant: str, *, fresh: bool = False) -> str:
        """Always the same; 403 `key_revoked` for a grant in `revoked`."""
        if grant in self.revoked:
            body = ErrorBody(type="permission", code="key_revoked", message="The key was revoked. Use another one.")
            raise PeerError(403, body)
        return self._token

    async def report(self, grant: str, report_id: str, model: str, embedding_tokens: int) -> None:
        """Keep it; 503 while it is `away`."""
        if self.away:
            raise PeerUnreachable("gateway")
        self.reported.setdefault(report_id, (model, embedding_tokens))


class FixedTokenizers:
    """A `TokenizerSource` with one tokenizer for every model."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def tokens(self, token: str, model: str) -> Tokens:
        """The one."""
        return self._tokens
