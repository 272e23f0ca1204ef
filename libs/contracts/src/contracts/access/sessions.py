"""Sessions of browsers, and who a call speaks for."""

from __future__ import annotations

from contracts.access.delegation import Scope
from contracts.access.records import RecordMode
from contracts.core.base import Reply, Timestamp


class Session(Reply):
    """A browser's session. Its secret is in a cookie that no page can read."""

    csrf_token: str
    """What each call that is no read sends as `X-CSRF-Token`."""
    expires_at: Timestamp


class Me(Reply):
    """Whose key, or session of a key, a call comes with."""

    key_id: str
    name: str
    tenant: str
    scopes: list[Scope]
    models: list[str] | None = None
    collections: list[str] | None = None
    expires_at: Timestamp | None = None
    records: RecordMode = "off"
    """What of the answers to this key is kept: as it says itself, or else as its tenant does."""
    session: Session | None = None
    """Null for a call with a key."""


class SessionToken(Reply):
    """What signs one browser in, once and soon: sent to `POST /v1/session` in a key's place."""

    token: str
    expires_at: Timestamp
