"""What can be wrong with a key or a tenant."""

from __future__ import annotations

from contracts.access.delegation import Scope
from servicekit.core.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    RateLimited,
    Unauthenticated,
)


class KeyMissing(Unauthenticated):
    """No API key was sent."""

    code = "missing_key"

    def __init__(self) -> None:
        super().__init__("Send your API key as 'Authorization: Bearer <key>'.")


class KeyAmbiguous(Unauthenticated):
    """More than one key was sent: whoever stands between may have checked another one than we would."""

    code = "ambiguous_key"

    def __init__(self) -> None:
        super().__init__("Send one 'Authorization' header; there are several.")


class KeyUnknown(Unauthenticated):
    """The key is not one of ours."""

    code = "unknown_key"

    def __init__(self) -> None:
        super().__init__(
            "This API key is not known. Check that it was copied whole ('gw_...'), or ask an admin for a new one."
        )


class KeyRevoked(Unauthenticated):
    """The key was revoked."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("This API key was revoked. Ask an admin for a new one.")


class KeyExpired(Unauthenticated):
    """The key's time is over."""

    code = "key_expired"

    def __init__(self) -> None:
        super().__init__("This API key has expired. Ask an admin for a new one.")


class GrantRefused(Forbidden):
    """The key behind a grant or a token may do nothing any more."""

    code = "key_revoked"

    def __init__(self) -> None:
        super().__init__("The API key that started this work was revoked or has expired; the work can't go on.")


class ScopeMissing(Forbidden):
    """The key lacks the scope of the call."""

    code = "missing_scope"

    def __init__(self, scope: Scope) -> None:
        super().__init__(f"This call needs a key with the scope '{scope}'. Ask an admin for one.")


class SessionEnded(Unauthenticated):
    """The cookie's session is over, or was never there."""

    code = "session_ended"

    def __init__(self) -> None:
        super().__init__("This session has ended. Sign in again with your key, or with `groundwork open`.")


class SessionTokenUsed(Unauthenticated):
    """What signs a browser in was used, or is too old."""

    code = "session_token_used"

    def __init__(self) -> None:
        super().__init__(
            "This link has signed a browser in already, or is older than a minute. Run `groundwork open` again, or "
            "sign in with your key."
        )


class SignInsTooMany(RateLimited):
    """One address signs in again and again."""

    code = "too_many_sign_ins"

    def __init__(self, most: int, retry_after: float) -> None:
        super().__init__(
            f"There were {most} sign-ins from this address within a minute. Wait {max(1, round(retry_after))} s; "
            "a call with the key itself need not sign in.",
            retry_after=retry_after,
        )


class CsrfTokenWrong(Forbidden):
    """A session's call that changes something, and not by a page that knows the session."""

    code = "csrf_token"

    def __init__(self) -> None:
        super().__init__("Send the session's csrf_token, which GET /v1/me has, as 'X-CSRF-Token'.")


class OriginForeign(Forbidden):
    """A page of another origin had the browser send its session."""

    code = "foreign_origin"

    def __init__(self) -> None:
        super().__init__("A session is good for pages of this address only. From elsewhere call with a key.")


class SessionMissing(InvalidRequest):
    """Signing out, with a key."""

    code = "no_session"

    def __init__(self) -> None:
        super().__init__("This call came with a key, not with a session. To end a key: DELETE /v1/keys/{id}.")


class KeyNotFound(NotFound):
    """No key with this id."""

    code = "key_not_found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key '{key_id[:100]}'. GET /v1/keys lists them.", param="id")


class LastAdminKey(Conflict):
    """Revoking this key would lock everybody out."""

    code = "last_admin_key"

    def __init__(self) -> None:
        super().__init__("This is the only working admin key. Create another admin key first, then revoke this one.")


class KeyIsRevoked(Conflict):
    """A revoked key can't be changed."""

    code = "key_is_revoked"

    def __init__(self) -> None:
        super().__init__("This key was revoked, which is for ever. Make a new key.")


class TenantExists(Conflict):
    """The tenant's name is taken."""

    code = "tenant_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a tenant '{name}' already. Choose another name, or change that one.", param="name")


class TenantNotFound(NotFound):
    """No tenant with this name."""

    code = "tenant_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no tenant '{name[:100]}'. GET /v1/tenants lists them.", param="name")


class NotYours(NotFound):
    """A path that no inner service could have: answered like any unknown name."""

    def __init__(self, what: str, value: str) -> None:
        super().__init__(f"There is no {what} '{value[:200]}'.", param=what)
        self.code = f"{what}_not_found"


class CollectionNotAllowed(Forbidden):
    """The key is limited to other collections."""

    code = "collection_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key may not use the collection '{name}'. Use another key or collection.")


class ExpiryPassed(InvalidRequest):
    """A key that would never work."""

    code = "expiry_passed"

    def __init__(self) -> None:
        super().__init__("expires_at is in the past: the key would never work. Give a later time.", param="expires_at")


class TenantInUse(Conflict):
    """A tenant can't be deleted by a key of its own."""

    code = "tenant_in_use"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key belongs to '{name}' itself. Delete it with an admin key of another tenant.")


class TenantDeleting(Conflict):
    """A tenant of this name is being deleted."""

    code = "tenant_deleting"

    def __init__(self, name: str) -> None:
        super().__init__(f"The tenant '{name}' is being deleted. Wait until GET /v1/tenants no longer lists it.")
