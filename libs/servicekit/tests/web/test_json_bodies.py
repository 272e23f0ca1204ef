from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from pydantic import AfterValidator, BaseModel
from starlette.testclient import TestClient

from servicekit.core.settings import ServiceSettings
from servicekit.web.app import build_app
from servicekit.web.body_limits import BodyMemory, TooManyLargeBodies
from servicekit.web.json_bodies import LARGE_BYTES, TooManyValues, ValueCount, check_values, parse
from servicekit.web.router import Router

MOST = 1000
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
    rest: list[Any] = []


router = Router()


@router.post("/slow")
async def slow(body: Slow) -> dict[str, int]:
    return {"length": len(body.text)}


@asynccontextmanager
async def _opening() -> AsyncIterator[None]:
    yield None


@pytest.fixture
def app(key_file: Path) -> Any:
    entered.clear()
    may_go_on.clear()
    parsed_in.clear()
    settings = ServiceSettings(
        delegation_public_key_file=key_file, max_json_values=MOST, max_bodies_bytes=10 * LARGE_BYTES
    )
    return build_app("sample", settings=settings, opening=_opening, routers=[router], probes=lambda _: {})


@pytest.fixture
def client(app: Any) -> Iterator[TestClient]:
    with TestClient(app) as client:
        yield client


def _value(random_: random.Random, depth: int = 0) -> Any:
    kind = random_.choice(["text", "number", "list", "object"] if depth < 4 else ["text", "number"])
    if kind == "text":
        return "".join(random_.choice('a,[{"\\é\n') for _ in range(random_.randrange(6)))
    if kind == "number":
        return random_.randrange(1000)
    inner = [_value(random_, depth + 1) for _ in range(random_.randrange(5))]
    return inner if kind == "list" else {f'k"{at}\\': value for at, value in enumerate(inner)}


def _marks(value: Any) -> int:
    """Containers and commas, reckoned from what was parsed."""
    if isinstance(value, dict | list):
        inner = list(value.values()) if isinstance(value, dict) else value
        return 1 + max(0, len(inner) - 1) + sum(map(_marks, inner))
    return 0


def test_values_are_counted_as_a_parser_finds_them_however_the_body_is_cut() -> None:
    random_ = random.Random(1)  # test data
    for _ in range(300):
        value = [_value(random_) for _ in range(4)]
        body = json.dumps(value, ensure_ascii=random_.random() < 0.5).encode()
        marks, cuts = _marks(value), sorted(random_.choices(range(len(body) + 1), k=5))
        pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        enough, too_few = ValueCount(marks), ValueCount(marks - 1)
        for piece in pieces:
            enough.feed(piece)
        with pytest.raises(TooManyValues):
            for piece in pieces:
                too_few.feed(piece)


def test_a_long_text_of_brackets_and_commas_is_one_value() -> None:
    check_values(json.dumps({"text": '[{,"\\' * 10_000}).encode(), MOST)


@pytest.mark.parametrize("unit", [b"{}", b"0", b'""', b'{"a":[]}', b'"\\""'])
def test_a_body_of_too_many_values_is_refused_before_a_parser_sees_it(client: TestClient, unit: bytes) -> None:
    body = b'{"text": "bad", "rest": [' + b",".join([unit] * (MOST + 1)) + b"]}"
    answer = client.post("/slow", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_values")
    assert "1,000 values" in answer.json()["error"]["message"]
    assert parsed_in == []


def test_strings_without_end_are_refused_too(client: TestClient) -> None:
    body = b'{"text": "bad", "rest": [' + b'""' * (4 * MOST)
    answer = client.post("/slow", content=body, headers={"content-type": "application/json"})
    assert answer.json()["error"]["code"] == "too_many_values"


async def test_a_large_body_is_checked_in_a_thread_while_the_loop_answers(app: Any) -> None:
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=WAIT_SECONDS) as caller:
            body = json.dumps({"text": "wait" + "x" * LARGE_BYTES})
            large = asyncio.create_task(
                caller.post("/slow", content=body, headers={"content-type": "application/json"})
            )
            assert await asyncio.to_thread(entered.wait, WAIT_SECONDS)
            assert (await caller.get("/healthz")).status_code == 200
            assert not large.done()
            may_go_on.set()
            assert (await large).json() == {"length": LARGE_BYTES + 4}
    assert parsed_in != []
    assert threading.get_ident() not in parsed_in  # checked once, and not again by the framework


def test_what_is_wrong_with_a_large_body_is_said_as_for_a_small_one(client: TestClient) -> None:
    answers = [client.post("/slow", json={"text": "bad" + "x" * length}).json() for length in (1, LARGE_BYTES)]
    for answer in answers:
        answer["error"].pop("request_id")
    assert answers[0] == answers[1]
    assert (answers[0]["error"]["code"], answers[0]["error"]["param"]) == ("invalid_body", "text")
    broken = client.post("/slow", content=b"[" + b" " * LARGE_BYTES, headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["error"]["code"]) == (422, "malformed_json")


async def test_a_small_body_is_parsed_where_it_is() -> None:
    await parse(Slow, b'{"text": "small"}')
    assert parsed_in[-1] == threading.get_ident()


async def test_large_bodies_of_all_calls_together_are_bounded(app: Any) -> None:
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x", timeout=WAIT_SECONDS) as caller:

            async def post(text: str) -> httpx.Response:
                body = json.dumps({"text": text + "x" * 6 * LARGE_BYTES})
                return await caller.post("/slow", content=body, headers={"content-type": "application/json"})

            first = asyncio.create_task(post("wait"))
            assert await asyncio.to_thread(entered.wait, WAIT_SECONDS)
            refused = await post("more")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            assert refused.json()["error"]["code"] == "too_many_large_bodies"
            small = await caller.post("/slow", json={"text": "small"})
            assert small.status_code == 200
            may_go_on.set()
            assert (await first).status_code == 200
            assert (await post("more")).status_code == 200


def test_one_owner_holds_at_most_half_and_one_body_alone_is_always_taken() -> None:
    memory = BodyMemory(100)
    memory.take("a", 40, 0)
    with pytest.raises(TooManyLargeBodies):
        memory.take("a", 20, 0)
    memory.take("b", 50, 0)
    with pytest.raises(TooManyLargeBodies):
        memory.take("c", 20, 0)
    memory.free("a", 40)
    memory.free("b", 50)
    memory.take("a", 1000, 0)
    memory.free("a", 1000)
    memory.take("a", 50, 0)
