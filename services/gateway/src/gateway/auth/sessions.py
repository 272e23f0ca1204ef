"""Sessions of browsers: a cookie that stands for the key it was begun with.

A session is a stand-in for one secret of a key: what ends the secret (revocation, expiry, rotation) ends the session,
and what the key may do, the session may. It is taken for calls of `/v1` alone, and only where no key was sent.

Against pages of others: the cookie is `SameSite=Strict` and readable by no script; a call that changes something must
bring a token that only a page of ours can have read; and a call that the browser itself says comes from another origin
is refused, reads too (two ports of one host are one "site").
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import cookie_parser
from starlette.types import Scope

from gateway.auth.authentication import Authenticator
from gateway.auth.errors import CsrfTokenWrong, KeyMissing, OriginForeign, SessionEnded, SessionMissing
from gateway.auth.keys import Principal, bearer_secret, hash_secret, is_secret
from gateway.auth.session_repository import SessionRepository
from gateway.auth.sign_in_limit import SignInLimit
from gateway.storage.ttl_cache import TtlCache
from servicekit.core.clock import Clock
from servicekit.web.headers import header_of
from servicekit.web.paths import route_path

log = structlog.get_logger(__name__)
SESSION_PREFIX, TOKEN_PREFIX = "gws_", "gwo_"
TOKEN_LIFE = timedelta(minutes=1)
PATHS = "/v1/"
SIGN_IN = "/v1/session"
READS = frozenset(("GET", "HEAD"))
OWN_PAGES = frozenset((None, "same-origin", "none"))
"""What `Sec-Fetch-Site` says of our own pages, and of an address that a person typed; old browsers say nothing."""
CACHED_SESSIONS = 20_000


@dataclass(frozen=True, slots=True)
class BegunSession:
    """What signs a browser in: the cookie's secret, and when it ends at the latest."""

    secret: str
    expires_at: datetime

    @property
    def csrf_token(self) -> str:
        """What the session's page sends with each change. It is made of the secret, so that nobody else can."""
        return hmac.new(self.secret.encode(), b"csrf", "sha256").hexdigest()


class Sessions:
    """Begins sessions, ends them, and knows whose a call's cookie is; each within a second on every replica."""

    def __init__(
        self,
        repository: SessionRepository,
        authenticator: Authenticator,
        clock: Clock,
        *,
        installation: str,
        life: timedelta,
        cache_seconds: float,
        limit: SignInLimit,
    ) -> None:
        """`installation` tells the cookies of several installations of one host apart: browsers ignore the port."""
        self._repository = repository
        self._authenticator = authenticator
        self._clock = clock
        self._name = f"groundwork_{installation}"
        self._life = life
        self._limit = limit
        self._rows = TtlCache(repository.get_session, seconds=cache_seconds, capacity=CACHED_SESSIONS, clock=clock)

    def count_sign_in(self, scope: Scope) -> None:
        """Before a call is looked at: raises `SignInsTooMany` where its address signs in too often."""
        if _signs_in(scope):
            self._limit.count(scope)

    def concern(self, scope: Scope, authorization: str | None) -> bool:
        """Whether a call is to be let in by a session or by a one-time token, not by a key."""
        if authorization is not None:
            return bearer_secret(authorization).startswith(TOKEN_PREFIX) and _signs_in(scope)
        return self._secret(scope) is not None

    async def identify(self, scope: Scope, authorization: str | None) -> Principal:
        """The active key behind a call that is ours; raises a 401, or a 403 for a page of others."""
        if authorization is not None:
            row = await self._repository.get_token(hash_secret(bearer_secret(authorization)))
            return await self._authenticator.identify_hash(row.key_hash)
        session, key_hash = await self._session(scope)
        if header_of(scope, b"sec-fetch-site") not in OWN_PAGES:
            raise OriginForeign
        if scope["method"] not in READS and not hmac.compare_digest(
            (header_of(scope, b"x-csrf-token") or "").encode(), session.csrf_token.encode()
        ):
            raise CsrfTokenWrong
        return await self._authenticator.identify_hash(key_hash)

    async def current(self, scope: Scope) -> BegunSession | None:
        """The session that a call came with, if it came with one."""
        if header_of(scope, b"authorization") is not None or self._secret(scope) is None:
            return None
        return (await self._session(scope))[0]

    async def begin(self, authorization: str | None) -> BegunSession:
        """A session of the key, or of the key that the one-time token stands for, which is used up by that."""
        given = bearer_secret(authorization)
        if not given:
            raise KeyMissing
        key_hash = hash_secret(given) if is_secret(given) else await self._repository.take_token(hash_secret(given))
        secret = f"{SESSION_PREFIX}{secrets.token_urlsafe(32)}"
        return BegunSession(secret, await self._repository.create(hash_secret(secret), key_hash, self._life))

    async def create_token(self, authorization: str | None) -> tuple[str, datetime]:
        """What signs one browser in as the key, and when it is good no more. A session makes none, or whoever has its
        cookie could renew it without end.
        """
        given = bearer_secret(authorization)
        if not given:
            raise KeyMissing
        token = f"{TOKEN_PREFIX}{secrets.token_urlsafe(32)}"
        return token, await self._repository.create(hash_secret(token), hash_secret(given), TOKEN_LIFE, once=True)

    async def require_unended(self, scope: Scope) -> None:
        """Raise if the session of a call that is still answered has ended since. A database that can't be read
        meanwhile ends no answer."""
        try:
            await self.current(scope)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("a session can't be looked at again", reason=repr(error)[:200])

    async def end(self, scope: Scope) -> None:
        """End the session that a call came with; raises `SessionMissing` for a call with a key."""
        session = await self.current(scope)
        if session is None:
            raise SessionMissing
        await self._repository.delete_session(hash_secret(session.secret))
        self._rows.invalidate(hash_secret(session.secret))

    def cookie(self, scope: Scope, session: BegunSession | None) -> str:
        """The value of `Set-Cookie` that signs in; with none, that signs out.

        A proxy may say that its caller came by HTTPS. Who lies about it gets a cookie that his own browser drops.
        """
        value, age = ("", 0) if session is None else (session.secret, round(self._life.total_seconds()))
        secure = "; Secure" if _by_https(scope) else ""
        return f"{self._name_for(scope)}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}"

    def _name_for(self, scope: Scope) -> str:
        """Over HTTPS only the name that no other host, and no page without HTTPS, can set."""
        return f"__Host-{self._name}" if _by_https(scope) else self._name

    async def _session(self, scope: Scope) -> tuple[BegunSession, str]:
        secret = self._secret(scope)
        if secret is None:
            raise KeyMissing
        row = await self._rows.get(hash_secret(secret))
        if row.expires_at <= self._clock.now():
            raise SessionEnded
        return BegunSession(secret, row.expires_at), row.key_hash

    def _secret(self, scope: Scope) -> str | None:
        """The cookie's, where sessions count."""
        header = header_of(scope, b"cookie")
        if header is None or self._name not in header or not route_path(scope).startswith(PATHS):
            return None
        secret = cookie_parser(header).get(self._name_for(scope))
        return secret if secret and secret.startswith(SESSION_PREFIX) else None


def _signs_in(scope: Scope) -> bool:
    return bool(scope.get("method") == "POST" and route_path(scope) == SIGN_IN)


def _by_https(scope: Scope) -> bool:
    """By what the outermost proxy says, where there are several."""
    said = (header_of(scope, b"x-forwarded-proto") or "").split(",")[0].strip().lower()
    return scope["scheme"] == "https" or said == "https"
