"""Delegation tokens: short-lived, signed by the gateway alone (Ed25519), verified by each service.

A token names its audiences, the tenant, the key, its scopes and the request. A service accepts only tokens of
its own audience and forwards the caller's token down the line; it can't make one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from fastapi import Depends, Header, Request
from pydantic import ValidationError

from contracts.access.delegation import INSTALLATION_TENANT, Audience, Delegation, Scope
from servicekit.core.clock import Clock, SystemClock
from servicekit.core.errors import Forbidden, NotReady, Unauthenticated

ALGORITHM = "EdDSA"
ISSUER = "groundwork-gateway"
LEEWAY_SECONDS = 2.0


class InvalidDelegation(Unauthenticated):
    """No token, or one that is unsigned, expired or meant for another service."""

    code = "invalid_delegation"

    def __init__(self, why: str) -> None:
        super().__init__(f"This service takes calls through the gateway only: {why}.")


class InstallationOnly(Forbidden):
    """A call that concerns all tenants, or all of one, with a token that is not made for it."""

    code = "installation_only"

    def __init__(self) -> None:
        super().__init__("Only the gateway itself makes this call, for an administrator.")


class ScopeMissing(Forbidden):
    """The key behind a token lacks the scopes of the call."""

    code = "missing_scope"

    def __init__(self, scopes: Sequence[Scope]) -> None:
        names = " or ".join(f"'{scope}'" for scope in scopes)
        super().__init__(f"This call needs a key with the scope {names}. Ask an admin for one.")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose call this is, and the token to forward down the line."""

    delegation: Delegation
    token: str

    @property
    def tenant(self) -> str:
        """The tenant whose data this call may touch."""
        return self.delegation.tenant

    def require(self, *scopes: Scope) -> None:
        """Raise `ScopeMissing` unless the token has one of the scopes."""
        if set(scopes).isdisjoint(self.delegation.scopes):
            raise ScopeMissing(scopes)


class DelegationSigner:
    """Makes tokens. Only the gateway has one."""

    def __init__(self, private_key_pem: bytes, clock: Clock | None = None) -> None:
        key = load_pem_private_key(private_key_pem, password=None)  # once: parsing costs more than signing
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("the delegation key is not an Ed25519 private key")
        self._key = key
        self._clock = clock or SystemClock()

    def now(self) -> datetime:
        """The moment on the clock that tokens are signed by."""
        return self._clock.now()

    def sign(self, delegation: Delegation, lifetime: timedelta) -> str:
        """A token that is valid for `lifetime` from now."""
        now = self._clock.now()
        claims = delegation.model_dump(mode="json", exclude={"audiences"})
        return jwt.encode(
            {**claims, "aud": list(delegation.audiences), "iss": ISSUER, "iat": now, "exp": now + lifetime},
            self._key,
            algorithm=ALGORITHM,
        )


class DelegationVerifier:
    """Checks tokens against the public key in a file, read again when the file changes."""

    def __init__(self, public_key_file: Path, clock: Clock | None = None) -> None:
        self._file = public_key_file
        self._clock = clock or SystemClock()
        self._read_at = -1.0
        self._key: Ed25519PublicKey | None = None

    def verify(self, token: str, audience: Audience, *, also_expired: bool = False) -> Delegation:
        """The token's claims; raises `InvalidDelegation`."""
        return verified(token, self._public_key(), audience, None if also_expired else self._clock.now())

    async def probe(self) -> None:
        """Raise `NotReady` while the public key can't be read."""
        self._public_key()

    def _public_key(self) -> Ed25519PublicKey:
        try:
            changed = self._file.stat().st_mtime
            if self._key is None or changed != self._read_at:
                key = load_pem_public_key(self._file.read_bytes())
                if not isinstance(key, Ed25519PublicKey):
                    raise ValueError("not an Ed25519 key")
                self._key, self._read_at = key, changed
        except OSError:
            raise NotReady("The gateway's public key is not there yet; it is written at its first start.") from None
        except ValueError:
            raise NotReady("The gateway's public key file does not hold an Ed25519 public key.") from None
        return self._key


def verified(token: str, key: Ed25519PublicKey, audience: Audience, now: datetime | None) -> Delegation:
    """The claims of a token that its key's owner signed, expired or not without `now`; raises `InvalidDelegation`."""
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=ISSUER,
            options={"verify_exp": False, "verify_iat": False, "require": ["exp", "aud", "iss"]},
        )
        if now is not None and claims["exp"] + LEEWAY_SECONDS < now.timestamp():
            raise InvalidDelegation("the token has expired")
        return Delegation.model_validate({**claims, "audiences": tuple(_as_list(claims["aud"]))})
    except jwt.InvalidAudienceError:
        raise InvalidDelegation("the token is meant for another service") from None
    except (jwt.InvalidTokenError, ValidationError, TypeError):
        raise InvalidDelegation("the token is not valid") from None


def generate_key_pair() -> tuple[bytes, bytes]:
    """A new Ed25519 key pair as PEM: private, public."""
    private = Ed25519PrivateKey.generate()
    return (
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def caller_of(verifier: DelegationVerifier, authorization: str | None, audience: Audience) -> Caller:
    """The caller that this header names, whose tenant is in the logs from here on; raises `InvalidDelegation`."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise InvalidDelegation("there is no bearer token")
    delegation = verifier.verify(token, audience)
    structlog.contextvars.bind_contextvars(tenant=delegation.tenant, **({"bulk": True} if delegation.bulk else {}))
    return Caller(delegation, token)


def require(audience: Audience, *scopes: Scope) -> Any:
    """A FastAPI dependency that lets in only calls with a valid token of this audience that has one of the scopes.

    Use it as `Annotated[Caller, require("ingest", "documents")]`. Name them: without, it is
    any token of the audience.

    Async, since FastAPI would run a plain function in a thread, whose log context is lost.
    """

    async def caller(request: Request, authorization: Annotated[str | None, Header()] = None) -> Caller:
        found = caller_of(request.app.state.verifier, authorization, audience)
        if scopes:
            found.require(*scopes)
        return found

    return Depends(caller)


def check_tenant_admin(caller: Caller, tenant: str) -> None:
    """Raise `InstallationOnly` unless the token is an administrator's for all of this tenant."""
    if caller.tenant != tenant or "admin" not in caller.delegation.scopes:
        raise InstallationOnly


def require_installation(audience: Audience) -> Any:
    """As `require`, for calls that concern all tenants: only the gateway, for an administrator, may make them."""

    async def caller(request: Request, authorization: Annotated[str | None, Header()] = None) -> Caller:
        found = caller_of(request.app.state.verifier, authorization, audience)
        if found.tenant != INSTALLATION_TENANT or "admin" not in found.delegation.scopes:
            raise InstallationOnly
        return found

    return Depends(caller)


def _as_list(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list) else []
