"""A browser's sign-in and sign-out, and who a call speaks for."""

from __future__ import annotations

from fastapi import Request, Response

from contracts.access.sessions import Me, Session, SessionToken
from contracts.operations import sessions as operations
from gateway.api.openapi_parts import ERRORS, serve
from gateway.auth.keys import Principal
from gateway.auth.sessions import BegunSession
from gateway.dependencies import Dependencies, Deps, Key
from servicekit.web.headers import header_of
from servicekit.web.router import Router

router = Router(responses=ERRORS)
UNSTORED = {"Cache-Control": "no-store"}
"""Answers that hold what a session is made of stay out of every cache."""


@serve(router, operations.CREATE_SESSION)
async def create_session(request: Request, response: Response, deps: Deps, key: Key) -> Me:
    """Sign a browser in by the key, or the one-time token, in `Authorization`: the answer sets an HttpOnly cookie that
    is taken in the key's place until it, or the key, ends. A call by cookie that changes something sends
    `session.csrf_token` as `X-CSRF-Token`."""
    session = await deps.sessions.begin(header_of(request.scope, b"authorization"))
    response.headers.update({**UNSTORED, "Set-Cookie": deps.sessions.cookie(request.scope, session)})
    return await _me(deps, key, session)


@serve(router, operations.DELETE_SESSION)
async def delete_session(request: Request, response: Response, deps: Deps, _: Key) -> None:
    """Sign the browser out that this call comes from, effective within a second on every replica."""
    await deps.sessions.end(request.scope)
    response.headers["Set-Cookie"] = deps.sessions.cookie(request.scope, None)


@serve(router, operations.CREATE_SESSION_TOKEN)
async def create_session_token(request: Request, response: Response, deps: Deps, _: Key) -> SessionToken:
    """A token that signs one browser in as this key, once and within a minute: `groundwork open` puts it into the
    console's address. A session can't ask for one."""
    response.headers.update(UNSTORED)
    token, expires_at = await deps.sessions.create_token(header_of(request.scope, b"authorization"))
    return SessionToken(token=token, expires_at=expires_at)


@serve(router, operations.GET_ME)
async def me(request: Request, response: Response, deps: Deps, key: Key) -> Me:
    """Whose key, or session of a key, this call comes with, and what it may do."""
    response.headers.update(UNSTORED)
    return await _me(deps, key, await deps.sessions.current(request.scope))


async def _me(deps: Dependencies, key: Principal, session: BegunSession | None) -> Me:
    row = await deps.keys.get_key(key.key_id)
    shown = None if session is None else Session(csrf_token=session.csrf_token, expires_at=session.expires_at)
    known = row.model_dump(exclude={"id", "expires_at", "records"})
    return Me(**known, key_id=row.id, expires_at=key.expires_at, records=key.records, session=shown)
