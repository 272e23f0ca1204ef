from __future__ import annotations

from pathlib import Path
from typing import cast

from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from starlette.datastructures import Headers
from starlette.types import Scope

from gateway.api.model_calls import DIRECT_ENDPOINTS
from gateway.auth.errors import KeyMissing
from gateway.auth.keys import Principal
from gateway.bootstrap import create_app
from gateway.dependencies import Dependencies
from gateway.settings import GatewaySettings


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
