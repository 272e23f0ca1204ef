from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import cast

from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from starlette.datastructures import Headers
from starlette.types import Scope

from gateway.api.model_calls import DIRECT_ENDPOINTS
from gateway.auth.errors import KeyMissing
from gateway.auth.keys import Principal
from gateway.auth.tokens import ANSWERS, CACHED_TOKENS, MODELS, TokenIssuer
from gateway.bootstrap import create_app
from gateway.dependencies import Dependencies
from gateway.settings import GatewaySettings
from servicekit.auth.delegation import DelegationSigner, DelegationVerifier, generate_key_pair
from servicekit.core.clock import ManualClock

KEY = Principal("k1", "acme", frozenset({"chat"}))


def test_every_direct_route_calls_the_endpoint_of_a_documented_route(tmp_path: Path) -> None:
    documented = create_app(GatewaySettings(data_dir=tmp_path)).openapi()["paths"]
    for path, endpoint in DIRECT_ENDPOINTS.items():
        assert documented[path]["post"]["summary"].lower() == re.sub("_", " ", endpoint.__name__)  # type: ignore[attr-defined]


class Deps:
    """Knows one key, which may do nothing."""

    async def identify(self, scope: Scope) -> Principal:
        if not Headers(scope=scope).get("authorization"):
            raise KeyMissing
        return Principal("k1", "acme", frozenset())


def test_metrics_name_the_route_of_every_call_of_a_model_also_of_one_that_is_refused(tmp_path: Path) -> None:
    settings = GatewaySettings(data_dir=tmp_path, delegation_public_key_file=tmp_path / "d.pub")
    app = create_app(settings, cast("Dependencies", Deps()))

    def counted(path: str, method: str, status: int) -> float:
        labels = {"service": "gateway", "method": method, "route": path, "status": str(status)}
        return REGISTRY.get_sample_value("groundwork_http_requests_total", labels) or 0

    with TestClient(app) as client:
        for path in DIRECT_ENDPOINTS:
            for method, headers, status in (
                ("POST", {}, 401),
                ("POST", {"Authorization": "Bearer gw_x"}, 403),
                ("GET", {"Authorization": "Bearer gw_x"}, 405),
            ):
                before = counted(path, method, status)
                assert client.request(method, path, headers=headers).status_code == status
                assert counted(path, method, status) == before + 1


def test_a_shared_token_is_signed_once_and_made_anew_before_it_expires_or_when_the_key_changed(tmp_path: Path) -> None:
    private, public = generate_key_pair()
    (tmp_path / "d.pub").write_bytes(public)
    clock = ManualClock()
    issuer = TokenIssuer(DelegationSigner(private, clock), timedelta(seconds=300), timedelta(days=1))
    verifier = DelegationVerifier(tmp_path / "d.pub", clock)
    first = issuer.shared_token(KEY, MODELS)
    clock.advance(149)
    assert issuer.shared_token(Principal("k1", "acme", frozenset({"chat"})), MODELS) == first
    assert issuer.shared_token(KEY, ANSWERS) != first
    narrowed = Principal("k1", "acme", frozenset({"chat"}), models=("m",))
    assert verifier.verify(issuer.shared_token(narrowed, MODELS), "inference").models == ("m",)
    clock.advance(1)
    renewed = issuer.shared_token(KEY, MODELS)
    clock.advance(149)
    assert verifier.verify(renewed, "inference").tenant == "acme"


def test_shared_tokens_take_bounded_memory() -> None:
    issuer = TokenIssuer(DelegationSigner(generate_key_pair()[0]), timedelta(seconds=300), timedelta(days=1))
    for number in range(CACHED_TOKENS + 50):
        issuer.shared_token(Principal(f"k{number}", "acme", frozenset({"chat"})), MODELS)
    assert len(issuer._shared) == CACHED_TOKENS
