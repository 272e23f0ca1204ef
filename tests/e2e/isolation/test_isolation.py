"""No tenant sees another's data; behind the gateway only its own tokens count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx2
import pytest
from tests.e2e.operations.test_running_home import eventually
from tests.support.home.stack import RunningHome

from contracts.access.delegation import Audience, Delegation
from contracts.retrieval.collections import Collection
from groundwork.client import ApiError, Groundwork
from servicekit.auth.delegation import DelegationSigner, generate_key_pair

INNER: dict[str, tuple[Audience, str, str]] = {
    "ingest": ("ingest", "GET", "/v1/jobs"),
    "retriever": ("retriever", "GET", "/v1/collections"),
    "inference": ("inference", "GET", "/v1/models"),
    "agent": ("agent", "POST", "/v1/chat/completions"),
    "model_plane": ("models", "GET", "/v1/models"),
}


@pytest.fixture(scope="module")
def stranger(home: RunningHome) -> Iterator[Groundwork]:
    """A key of another tenant, with every scope that its tenant can have."""
    created = home.client.keys.create("stranger", tenant="other", scopes=("chat", "documents", "search"))
    with Groundwork(home.base_url, created.secret) as client:
        yield client


def status_of(call: object) -> int:
    assert callable(call)
    with pytest.raises(ApiError) as caught:
        call()
    return caught.value.status


def test_two_tenants_may_use_the_same_names_apart(home: RunningHome, stranger: Groundwork) -> None:
    for client, colour in ((home.client, "red"), (stranger, "blue")):
        client.collections.ensure("shared-name")
        accepted = client.documents.add_text("shared-name", f"The door is {colour}.", document_id="door")
        assert accepted.job is not None
        client.jobs.wait(accepted.job.id)
    for client, colour in ((home.client, "red"), (stranger, "blue")):
        assert [hit.text for hit in client.search("shared-name", "door").hits] == [f"The door is {colour}."]
        assert client.documents.text("shared-name", "door") == f"The door is {colour}."


def test_a_key_without_the_admin_scope_can_not_make_keys(stranger: Groundwork) -> None:
    assert status_of(lambda: stranger.keys.create("more", tenant="default")) == 403
    assert status_of(lambda: list(stranger.keys.list())) == 403


def test_a_key_for_some_collections_reaches_no_other(home: RunningHome, handbook: Collection) -> None:
    home.client.collections.ensure("permitted")
    created = home.client.keys.create("narrow", tenant="default", collections=["permitted"])
    with Groundwork(home.base_url, created.secret) as narrow:
        assert narrow.collections.get("permitted").name == "permitted"
        assert {collection.name for collection in narrow.collections.list()} == {"permitted"}
        assert status_of(lambda: narrow.collections.get("handbook")) == 403
        assert status_of(lambda: narrow.search("handbook", "leave")) == 403
        assert status_of(lambda: narrow.ask("handbook", "How many days of leave?")) == 404  # a model it can't see


def test_a_revoked_key_is_refused(home: RunningHome) -> None:
    created = home.client.keys.create("brief", tenant="default")
    with Groundwork(home.base_url, created.secret) as client:
        assert client.models()
        home.client.keys.revoke(created.id)
        assert eventually(lambda: not _works(client))
        assert status_of(client.models) == 401


def _works(client: Groundwork) -> bool:
    try:
        client.models()
    except ApiError:
        return False
    return True


def call_inner(home: RunningHome, service: str, token: str | None) -> int:
    _, method, path = INNER[service]
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = {"model": "rag:handbook", "messages": [{"role": "user", "content": "?"}]} if method == "POST" else None
    with httpx2.Client(timeout=60) as http:
        return http.request(method, home.inner_url(service) + path, headers=headers, json=body).status_code


def token(home: RunningHome, audience: Audience, seconds: float = 60, key: bytes | None = None) -> str:
    signer = DelegationSigner(key or (home.home.keys / "delegation.key").read_bytes())
    claims = Delegation(
        audiences=(audience,), tenant="default", key_id="k", scopes=("chat", "documents", "search"), request_id="r"
    )
    return signer.sign(claims, timedelta(seconds=seconds))


@pytest.mark.parametrize("service", INNER)
def test_an_inner_service_takes_only_the_gateways_fresh_tokens_for_itself(home: RunningHome, service: str) -> None:
    audience = INNER[service][0]
    other: Audience = "retriever" if audience != "retriever" else "ingest"
    foreign_key, _ = generate_key_pair()
    assert call_inner(home, service, None) == 401
    assert call_inner(home, service, home.admin_key) == 401
    assert call_inner(home, service, token(home, other)) == 401
    assert call_inner(home, service, token(home, audience, seconds=-60)) == 401
    assert call_inner(home, service, token(home, audience, key=foreign_key)) == 401


@pytest.mark.parametrize("service", ["ingest", "retriever", "inference"])
def test_a_valid_token_is_let_in_so_that_the_refusals_mean_something(home: RunningHome, service: str) -> None:
    assert call_inner(home, service, token(home, INNER[service][0])) == 200
