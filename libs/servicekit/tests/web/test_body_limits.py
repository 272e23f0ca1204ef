"""Bodies are bounded while they come in: bytes of one, and memory of all large ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from servicekit.core.errors import ServiceError
from servicekit.web.body_limits import BodyLimit, BodyMemory, BodyTooLarge, Streamed, TooManyLargeBodies
from servicekit.web.json_bodies import LARGE_BYTES

VALUES = 1000
Limited = Callable[..., httpx.AsyncClient]


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with how many bytes came; a framework's way of putting what went wrong with a body."""
    try:
        answer: Any = JSONResponse(len(await Request(scope, receive).body()))
    except ServiceError:
        answer = PlainTextResponse("There was an error parsing the body", 400)
    await answer(scope, receive, send)


@pytest.fixture
async def limited() -> AsyncIterator[Limited]:
    opened: list[httpx.AsyncClient] = []

    def client(limit: int, app: Any = count, memory: int = 1 << 20, **more: Any) -> httpx.AsyncClient:
        bounded = BodyLimit(app, lambda path, media_type: limit, VALUES, memory, **more)
        opened.append(httpx.AsyncClient(transport=httpx.ASGITransport(bounded), base_url="http://x"))
        return opened[-1]

    yield client
    for each in opened:
        await each.aclose()


async def _pieces(times: int, piece: bytes = b"x" * 32) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield piece


def _refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_large_body_is_refused_by_its_declared_size_and_by_count(limited: Limited) -> None:
    client = limited(64)
    for content in (b"x" * 64, _pieces(2), b""):
        assert (await client.post("/", content=content)).status_code == 200
    for content in (b"x" * 65, _pieces(10)):
        answer = await client.post("/", content=content)
        assert _refusal(answer) == (413, "too_large")
        assert "64 bytes" in answer.json()["error"]["message"]


async def test_a_large_streamed_json_body_is_413_and_not_a_parse_error(limited: Limited) -> None:
    answer = await limited(64).post("/", content=_pieces(10), headers={"Content-Type": "application/json"})
    assert _refusal(answer) == (413, "too_large")


async def test_a_body_that_is_declared_too_large_is_never_asked_for(limited: Limited) -> None:
    async def untouched(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("no app sees this call")

    assert (await limited(64, untouched).post("/", content=b"x" * 65)).status_code == 413


async def test_a_call_is_bounded_by_its_path_and_its_media_type_alone() -> None:
    asked: list[tuple[str, str]] = []

    def limit(path: str, media_type: str) -> int:
        asked.append((path, media_type))
        return 64

    transport = httpx.ASGITransport(BodyLimit(count, limit, VALUES, 1 << 20), root_path="/ai")
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.post("/ai/files", content=b"", headers={"Content-Type": "Multipart/Form-Data ; boundary=a"})
        await client.get("/ai/files")
    assert asked == [("/files", "multipart/form-data"), ("/files", "")]


@pytest.mark.parametrize(
    ("limit", "advice"), [(9, "as a file (multipart/form-data)"), (Streamed(9), "raise the limit")]
)
def test_a_body_that_is_too_large_is_told_what_to_do_which_is_not_what_was_done(limit: int, advice: str) -> None:
    others = {"as a file (multipart/form-data)", "raise the limit"} - {advice}
    message = BodyTooLarge(limit).message
    assert [advice in message, *(other in message for other in others)] == [True, False]


@pytest.mark.parametrize("bound", [Streamed(1 << 20), 1 << 20])
async def test_what_is_only_passed_on_may_hold_any_number_of_values_and_what_is_parsed_may_not(
    limited: Limited, bound: int
) -> None:
    body = b"[" + b"{}," * VALUES + b"{}]"
    answer = await limited(bound, memory=1).post("/", content=body)
    if isinstance(bound, Streamed):
        assert answer.json() == len(body)
    else:
        assert _refusal(answer) == (413, "too_many_values")


async def test_large_bodies_of_all_calls_together_are_bounded_until_their_calls_are_over(limited: Limited) -> None:
    read, may_answer = asyncio.Event(), asyncio.Event()

    async def works(scope: Scope, receive: Receive, send: Send) -> None:
        async def held() -> Message:
            message = await receive()
            if message.get("body", b"").startswith(b"wait"):
                read.set()
                await may_answer.wait()
            return message

        await count(scope, held, send)

    client, large = limited(1 << 20, works, memory=10 * LARGE_BYTES), b"x" * 6 * LARGE_BYTES
    first = asyncio.create_task(client.post("/", content=b"wait" + large))
    await asyncio.wait_for(read.wait(), 60)
    refused = await client.post("/", content=large)
    assert _refusal(refused) == (429, "too_many_large_bodies")
    assert refused.headers["retry-after"] == "1"
    assert (await client.post("/", content=b"small")).status_code == 200
    may_answer.set()
    assert (await first).status_code == 200
    assert (await client.post("/", content=large)).status_code == 200


async def test_a_call_that_breaks_gives_its_memory_back(limited: Limited) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()
        raise ZeroDivisionError

    client = limited(1 << 20, breaks, memory=LARGE_BYTES, owner_of=lambda _: "acme")
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await client.post("/", content=b"x" * 2 * LARGE_BYTES)
    assert isinstance(client._transport, httpx.ASGITransport)
    bounded = client._transport.app
    assert isinstance(bounded, BodyLimit)
    assert (bounded._memory._held, dict(bounded._memory._by_owner)) == (0, {})


async def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    async def hasty(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await Request(scope, receive).body()
        except ServiceError:
            await send({"type": "http.response.body", "body": b"cut short"})

    sent: list[Message] = []
    pieces: Iterator[bytes] = iter([b"x" * 40, b"x" * 40])

    async def receive() -> Message:
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    await BodyLimit(hasty, lambda _, __: 64, VALUES, 1 << 20)(scope, receive, send)
    assert [message["type"] for message in sent].count("http.response.start") == 1


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


def test_an_owner_whose_body_was_refused_leaves_nothing_behind() -> None:
    memory = BodyMemory(100)
    memory.take("a", 60, 0)
    for owner in ("b", "c"):
        with pytest.raises(TooManyLargeBodies):
            memory.take(owner, 50, 0)
    assert dict(memory._by_owner) == {"a": 60}
