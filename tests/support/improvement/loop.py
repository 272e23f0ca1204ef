"""What improves answers, by OpenAI's own client and nothing else: `clients` are of all replicas, one each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from openai import AsyncOpenAI

DEADLINE_SECONDS = 300.0
AGAIN_SECONDS = 0.1
STREAMS, MOVES = 100, 4
MOST_TRIES = 10
"""As the client does by itself, two by default: a machine that is busy may say that it is."""
PEOPLE = 120
"""Of an experiment: more than 30 of each variant, however they are drawn."""
SCOPES = ["chat", "agents", "agents:write", "prompts:release", "feedback:review", "records:read"]
Clients = Sequence[AsyncOpenAI]
T = TypeVar("T")


@asynccontextmanager
async def loop_clients(urls: Sequence[str], admin_key: str) -> Any:
    """The administrator's client, and for each replica one of a key whose answers are on record."""
    async with AsyncExitStack() as stack:

        async def client(url: str, key: str) -> AsyncOpenAI:
            made = AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=MOST_TRIES, timeout=DEADLINE_SECONDS)
            return await stack.enter_async_context(made)

        admin = await client(urls[0], admin_key)
        wanted = {"name": "loop", "tenant": "acme", "scopes": SCOPES, "records": "full"}
        key: Any = await admin.post("/keys", cast_to=object, body=wanted)
        yield admin, [await client(url, key["secret"]) for url in urls]


async def rate_and_export(clients: Clients) -> None:
    """Ask, rate by the completion's id, and find it in the exports: whole and streamed."""
    first, last = clients[0], clients[-1]
    question: Any = [{"role": "user", "content": "How many days of leave are there?"}]
    whole = await first.chat.completions.create(model="default", messages=question)
    stream = await last.chat.completions.create(model="default", messages=question, stream=True)
    pieces = [piece async for piece in stream]
    said = whole.choices[0].message.content
    rating = {"answer_id": whole.id, "user": "jane", "rating": "down", "correction": "There are 28 days."}
    given: Any = await last.post("/feedback", cast_to=object, body=rating)
    assert (given["answer_id"], given["rating"]) == (whole.id, "down")
    await first.post("/feedback", cast_to=object, body={"answer_id": pieces[0].id, "user": "joe", "rating": "up"})
    for client in clients:
        answers = await _exported(client, "kto", 3)
        assert {line["completion"][0]["content"]: line["label"] for line in answers if line["label"]} == {
            said: True,
            "There are 28 days.": True,
        }
        assert all(line["prompt"] == question for line in answers)
        pairs = await _exported(client, "preference", 1)
        assert [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs] == [
            ("There are 28 days.", said)
        ]
        (asked,) = await _exported(client, "questions", 1)
        assert set(asked["metadata"]["answer_ids"]) == {whole.id, pieces[0].id}


async def compare_blind(admin: AsyncOpenAI, clients: Clients) -> None:
    """Ask two targets the same, choose without names, and find it in the tally of every replica."""
    listed: Any = await admin.get("/models", cast_to=object)
    answering = next(model["id"] for model in listed["data"] if model["kind"] == "chat" and model["default"])
    await admin.put("/routes/twin", cast_to=object, body={"targets": [{"model": answering}]})
    for client in clients:
        await _once(partial(_models, client), lambda found: "twin" in found)
    for number in range(4):
        asked: Any = [{"role": "user", "content": f"Which of you is better at {number}?"}]
        own, twin = [
            (await clients[number % len(clients)].chat.completions.create(model=model, messages=asked)).id
            for model in ("default", "twin")
        ]
        said = {"answer_id": own, "tied_with": twin} if number == 0 else {"answer_id": twin, "preferred_over": own}
        body = {**said, "user": "jane", "blind": True}
        for client in clients:  # sent again, it is said once
            await client.post("/feedback", cast_to=object, body=body)
    expected = {"questions": 4, "wins": 3, "losses": 0, "ties": 1, "both_bad": 0}

    async def tally(client: AsyncOpenAI) -> list[dict[str, Any]]:
        query = {"params": {"model": "twin", "other": "default"}}
        found: Any = await client.get("/feedback/comparisons", cast_to=object, options=query)
        return list(found["data"])

    for client in clients:
        (row,) = await _once(partial(tally, client), lambda found: bool(found) and found[0]["questions"] == 4)
        assert {name: row[name] for name in expected} == expected
        assert (row["model"], row["other"], row["share"]) == ("twin", "default", 1.0)
        assert round(row["p"], 9) == 0.5  # (3 + 1) / 2^3


async def _exported(client: AsyncOpenAI, kind: str, count: int) -> list[dict[str, Any]]:
    """The lines of an export, once there are so many: records are written in groups."""

    async def lines() -> list[dict[str, Any]]:
        text = await client.get("/feedback/export", cast_to=str, options={"params": {"format": kind}})
        return [json.loads(line) for line in text.splitlines()]

    return await _once(lines, lambda found: len(found) >= count)


async def _once(ask: Callable[[], Awaitable[T]], is_so: Callable[[T], bool]) -> T:
    """What is answered as soon as it is as it should be."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not is_so(found := await ask()):  # noqa: ASYNC110  # another process has no event for it
            await asyncio.sleep(AGAIN_SECONDS)
    return found


async def move_a_label_under_streams(clients: Clients) -> None:
    """A label goes back and forth while 100 streams run: each is of one version, and a new one of that which it names.

    A model says the last message, so that a stream tells which version it was asked by.
    """
    for word in ("heron", "stork"):
        content = " ".join([word, "says {{what}}", *[word] * 8])
        messages = [{"role": "system", "content": f"You are a {word}."}, {"role": "user", "content": content}]
        prompt = {"name": "bird", "messages": messages, "variables": {"what": {}}}
        await clients[0].post("/prompts", cast_to=object, body=prompt)
    over, streams, seen = asyncio.Event(), 0, set[str]()
    all_run = asyncio.Event()

    async def stream_on(client: AsyncOpenAI) -> None:
        nonlocal streams
        while not over.is_set():
            seen.add(await _bird(client))
            streams += 1
            if streams >= STREAMS:
                all_run.set()

    running = [asyncio.create_task(stream_on(clients[at % len(clients)])) for at in range(STREAMS)]
    await asyncio.wait([asyncio.create_task(all_run.wait()), *running], return_when=asyncio.FIRST_COMPLETED)
    for move in range(MOVES):
        moved = {"version": 1 + move % 2}
        await clients[move % len(clients)].put("/prompts/bird/labels/production", cast_to=object, body=moved)
        asked = await asyncio.gather(*(_bird(client) for client in clients))
        assert set(asked) == {("heron", "stork")[move % 2]}, "a call after the move has its version"
    over.set()
    await asyncio.gather(*running)
    assert seen == {"heron", "stork"}


async def _bird(client: AsyncOpenAI) -> str:
    """Which version a stream is of, in its header and in all of its words."""
    told = await client.chat.completions.with_raw_response.create(
        model="prompt:bird", messages=[], stream=True, extra_body={"groundwork": {"variables": {"what": "hello"}}}
    )
    text = "".join([piece.choices[0].delta.content or "" async for piece in told.parse() if piece.choices])
    (word,) = {word for word in ("heron", "stork") if word in text}
    assert text.count(word) >= 9, "to its end"
    assert told.headers["x-groundwork-prompt"] == {"heron": "bird@1", "stork": "bird@2"}[word]
    return word


async def stop_a_worse_prompt(admin: AsyncOpenAI, clients: Clients) -> None:
    """Two prompts share a route; what people say of one is bad, and the guard gives its share to the other."""
    for name, text in (("kind", "Be kind."), ("curt", "Be curt.")):
        prompt = {"name": name, "messages": [{"role": "system", "content": text}]}
        await clients[0].post("/prompts", cast_to=object, body=prompt)
    targets = [{"model": "prompt:kind@1", "name": "kind"}, {"model": "prompt:curt@1", "name": "curt"}]
    route = {"targets": targets, "split_by": "user", "guard": {"metric": "rating"}}
    await admin.put("/routes/tone", cast_to=object, body=route)
    for client in clients:  # a replica reads routes again within a moment
        await _once(partial(_models, client), lambda found: "tone" in found)
    drawn = {f"person-{at}": await _ask_and_rate(clients[at % len(clients)], f"person-{at}") for at in range(PEOPLE)}
    assert set(drawn.values()) == {"kind", "curt"}

    async def figures() -> Any:
        return await admin.get("/experiments/tone", cast_to=object, options={"params": {"version": 1}})

    ended = await _once(figures, lambda found: not found["active"])
    curt = next(person for person, variant in drawn.items() if variant == "curt")
    for client in clients:
        await _once(partial(_variant, client, curt), "kind".__eq__)
    assert (ended["ended_by"]["variant"], ended["ended_by"]["metric"]) == ("curt", "rating")
    audit: Any = await admin.get("/audit", cast_to=object, options={"params": {"subject": "tone"}})
    assert [entry["action"] for entry in audit["data"]] == ["route.guard", "route.put"]
    await admin.post("/routes/tone/versions/1/activate", cast_to=object)
    await _once(partial(_variant, clients[-1], curt), "curt".__eq__)


async def _ask_and_rate(client: AsyncOpenAI, person: str) -> str:
    """The variant that a person is drawn for, whose answer they rate."""
    told = await client.chat.completions.with_raw_response.create(model="tone", messages=_HELLO, user=person)
    variant = str(told.headers["x-groundwork-variant"])
    rating = {"answer_id": told.parse().id, "user": person, "rating": "up" if variant == "kind" else "down"}
    await client.post("/feedback", cast_to=object, body=rating)
    return variant


async def _models(client: AsyncOpenAI) -> set[str]:
    return {model.id async for model in client.models.list()}


async def _variant(client: AsyncOpenAI, person: str) -> str:
    told = await client.chat.completions.with_raw_response.create(model="tone", messages=_HELLO, user=person)
    return str(told.headers["x-groundwork-variant"])


_HELLO: Any = [{"role": "user", "content": "Hello."}]
