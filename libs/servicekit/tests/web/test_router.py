"""Routes whose large bodies are parsed and checked in a thread, and are refused in the same words as small ones."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import AfterValidator, BaseModel
from starlette.testclient import TestClient

from servicekit.web.error_handlers import install_error_handlers
from servicekit.web.json_bodies import LARGE_BYTES
from servicekit.web.router import Router

WAIT_SECONDS = 60.0
entered, may_go_on = threading.Event(), threading.Event()
parsed_in: list[int] = []


def _slow(text: str) -> str:
    parsed_in.append(threading.get_ident())
    if text.startswith("wait"):
        entered.set()
        assert may_go_on.wait(WAIT_SECONDS)
    if text.startswith("bad"):
        raise ValueError("that is bad")
    return text


class Slow(BaseModel):
    """A body whose check waits to be let go on."""

    text: Annotated[str, AfterValidator(_slow)]


router = Router()


@router.post("/slow")
async def slow(body: Slow) -> dict[str, int]:
    return {"length": len(body.text)}


@router.post("/any")
async def anything(body: dict[str, Any]) -> list[str]:
    return list(body)


@router.post("/bytes")
async def count(request: Request) -> int:
    return len(await request.body())


@router.get("/healthz")
async def healthz() -> str:
    return "here"


@pytest.fixture
def app() -> FastAPI:
    entered.clear()
    may_go_on.clear()
    parsed_in.clear()
    app = FastAPI()
    install_error_handlers(app)
    app.include_router(router)
    return app


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


async def test_a_large_body_is_checked_in_a_thread_while_the_loop_answers(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=WAIT_SECONDS) as caller:
        large = asyncio.create_task(caller.post("/slow", json={"text": "wait" + "x" * LARGE_BYTES}))
        assert await asyncio.to_thread(entered.wait, WAIT_SECONDS)
        assert (await caller.get("/healthz")).status_code == 200
        assert not large.done()
        may_go_on.set()
        assert (await large).json() == {"length": LARGE_BYTES + 4}
    assert parsed_in != []
    assert threading.get_ident() not in parsed_in  # checked once, and not again by the framework


def test_what_is_wrong_with_a_large_body_is_said_as_for_a_small_one(client: TestClient) -> None:
    answers = [client.post("/slow", json={"text": "bad" + "x" * length}) for length in (1, LARGE_BYTES)]
    assert answers[0].json() == answers[1].json()
    assert (answers[0].json()["error"]["code"], answers[0].json()["error"]["param"]) == ("invalid_body", "text")
    broken = client.post("/slow", content=b"[" + b" " * LARGE_BYTES, headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (422, "malformed_json")


def test_a_route_without_a_model_takes_large_bodies_as_any_other(client: TestClient) -> None:
    large = json.dumps({"text": "x" * LARGE_BYTES}).encode()
    assert client.post("/any", content=large, headers={"content-type": "application/json"}).json() == ["text"]
    assert client.post("/bytes", content=large).json() == len(large)
