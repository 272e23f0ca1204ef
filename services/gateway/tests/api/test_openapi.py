from __future__ import annotations

import asyncio
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from gateway.api import openapi
from gateway.bootstrap import create_app
from gateway.settings import GatewaySettings


def test_every_parameter_of_a_path_is_described(tmp_path: Path) -> None:
    document = create_app(GatewaySettings(delegation_public_key_file=tmp_path / "d.pub")).openapi()
    for path in document["paths"]:
        for name in re.findall(r"\{(\w+)\}", path):
            for operation in document["paths"][path].values():
                assert name in {parameter["name"] for parameter in operation["parameters"]}


async def test_the_document_is_built_once_and_not_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def build(app: FastAPI) -> dict[str, Any]:
        built.append(threading.get_ident())
        if len(built) == 1:
            raise OSError("once")
        return {"paths": {"/ä": {}}}

    monkeypatch.setattr(openapi, "public_openapi", build)
    app = FastAPI(openapi_url=None)
    app.router.routes.append(openapi.openapi_route(app))
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://gateway") as client:
        assert (await client.get("/openapi.json")).status_code == 500
        answers = await asyncio.gather(*(client.get("/openapi.json") for _ in range(5)))
    assert [json.loads(answer.content) for answer in answers] == [{"paths": {"/ä": {}}}] * 5
    assert len(built) == 2, "one that failed is built anew"
    assert threading.get_ident() not in built
