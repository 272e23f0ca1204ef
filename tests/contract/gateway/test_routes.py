"""Routes and what they do when models fail, through the public API and the model plane."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.gateway.running import DEADLINE_SECONDS, RunningGateway, running_gateway

from gateway.auth.tokens import ANSWERS
from gateway.routing.circuit_breaker import SLOW_SAMPLES

SPEC = {
    "targets": [{"model": "echo"}, {"model": "free", "weight": 0}],
    "on_error": ["slow"],
    "on_context_overflow": ["slow"],
    "on_refusal": ["slow"],
}


@pytest.fixture
def first_piece_seconds() -> float:
    """What the gateway bears of a silent model; a test of one parametrizes it."""
    return 60.0


@pytest.fixture
async def gateway(tmp_path: Path, first_piece_seconds: float) -> AsyncIterator[RunningGateway]:
    bounds = {"attempts_seconds": 300.0, "first_piece_timeout_seconds": first_piece_seconds}
    async with running_gateway(tmp_path, **bounds) as running:
        answer = await running.call("PUT", "/v1/routes/smart", json=SPEC)
        assert answer.status == 200, await answer.text()
        running.seen.release.set()
        yield running


def _chat(stream: bool = False, model: str = "smart") -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], "stream": stream}


def _asked(gateway: RunningGateway) -> list[str]:
    return [call["body"]["model"] for call in gateway.seen.calls if call["path"].endswith("/chat/completions")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ({"echo": ["503", "ok"]}, ["echo", "echo"]),
        ({"echo": ["429", "ok"]}, ["echo", "echo"]),
        ({"echo": ["503"]}, ["echo", "echo", "free"]),
        ({"echo": ["503"], "free": ["503"]}, ["echo", "echo", "free", "free", "slow"]),
        ({"echo": ["overflow"]}, ["echo", "slow"]),
        ({"echo": ["refuse"]}, ["echo", "slow"]),
    ],
)
async def test_a_failure_before_the_first_content_is_answered_by_the_next_attempt(
    gateway: RunningGateway, script: dict[str, list[str]], asked: list[str], stream: bool
) -> None:
    gateway.seen.script.update({model: list(acts) for model, acts in script.items()})
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat(stream))
    text = await answer.text()
    assert answer.status == 200, text
    assert "No." not in text
    assert "error" not in text
    assert _asked(gateway) == asked
    assert answer.headers["X-Groundwork-Model"] == asked[-1]
    assert answer.headers["X-Groundwork-Attempts"] == str(len(asked))
    rows = await gateway.usage_rows(len(asked))
    assert sorted((row["attempt"], row["model"]) for row in rows) == list(enumerate(asked, 1))
    assert len({row["request_id"] for row in rows}) == 1


@pytest.mark.parametrize("act", ["event", "role_event", "malformed"])
async def test_an_error_inside_a_200_stream_before_any_content_counts_as_a_failure(
    gateway: RunningGateway, act: str
) -> None:
    gateway.seen.script["echo"] = [act]
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat(True))
    assert (answer.status, answer.headers["X-Groundwork-Model"]) == (200, "free")
    assert "engine failed" not in await answer.text()


@pytest.mark.parametrize("first_piece_seconds", [0.3])
async def test_a_stream_that_says_nothing_in_time_is_given_up_for_the_next_model(gateway: RunningGateway) -> None:
    gateway.seen.release.clear()
    gateway.seen.script["echo"] = ["hang"]
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat(True))
    assert (answer.status, answer.headers["X-Groundwork-Model"]) == (200, "free")
    rows = await gateway.usage_rows(2)
    assert (rows[0]["status"], rows[0]["estimated"]) == (504, True)  # the model has worked, and that is paid for


async def test_after_the_first_content_no_second_model_is_spliced_in(gateway: RunningGateway) -> None:
    gateway.seen.script["echo"] = ["content_event"]
    text = await (await gateway.call("POST", "/v1/chat/completions", json=_chat(True))).text()
    assert text.count('"content": "Hel"') == 1
    assert "event: error" in text
    assert "[DONE]" not in text
    assert _asked(gateway) == ["echo"]


async def test_the_last_failure_is_told_when_nothing_is_left(gateway: RunningGateway) -> None:
    gateway.seen.script.update({name: ["503"] for name in ("echo", "free", "slow")})
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat())
    assert (answer.status, (await answer.json())["error"]["message"]) == (503, "Loading.")
    rows = await gateway.usage_rows(6)
    assert [row["attempt"] for row in rows if row["status"] == 503] == [1, 2, 3, 4, 5, 6]


async def test_a_refusal_passes_where_no_other_model_is_named_for_it(gateway: RunningGateway) -> None:
    gateway.seen.script["echo"] = ["refuse"]
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat(model="echo"))
    assert (await answer.json())["choices"][0]["message"]["refusal"] == "No."


async def test_a_client_that_leaves_during_a_pause_ends_the_attempts(gateway: RunningGateway) -> None:
    gateway.seen.script["echo"] = ["hang"]
    gateway.seen.release.clear()
    call = asyncio.create_task(gateway.call("POST", "/v1/chat/completions", json=_chat()))
    await asyncio.wait_for(gateway.seen.begun.wait(), DEADLINE_SECONDS)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    (row,) = await gateway.usage_rows(1)
    assert (row["status"], row["attempt"], _asked(gateway)) == (499, 1, ["echo"])


async def test_a_circuit_that_is_open_spares_the_model_and_the_fallback_answers(gateway: RunningGateway) -> None:
    gateway.seen.script["echo"] = ["503"]
    for _ in range(gateway.deps.settings.circuit_requests):
        await gateway.call("POST", "/v1/chat/completions", json=_chat())
    before = _asked(gateway).count("echo")
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat())
    assert (answer.status, answer.headers["X-Groundwork-Model"]) == (200, "free")
    assert _asked(gateway).count("echo") == before
    alone = await gateway.call("POST", "/v1/chat/completions", json=_chat(model="echo"))
    assert (alone.status, (await alone.json())["error"]["code"]) == (503, "circuit_open")
    assert "Retry-After" in alone.headers
    (route,) = [r for r in (await (await gateway.call("GET", "/v1/routes")).json())["data"] if r["name"] == "smart"]
    states = {state["model"]: state["circuit"] for state in route["upstreams"]}
    assert states == {"echo": "open", "free": "closed", "slow": "closed"}


async def test_a_model_much_slower_than_the_others_of_its_route_is_asked_last(gateway: RunningGateway) -> None:
    for model in ("echo", "free"):  # so that there is something to compare, whatever this machine does meanwhile
        for _ in range(SLOW_SAMPLES):
            gateway.deps.breakers.succeeded(model, 1.0)
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat())
    assert answer.headers["X-Groundwork-Model"] == "echo"
    for _ in range(SLOW_SAMPLES):
        gateway.deps.breakers.succeeded("echo", 30.0)
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat())
    assert answer.headers["X-Groundwork-Model"] == "free"
    gateway.seen.script["free"] = ["503"]  # slow is better than nothing
    answer = await gateway.call("POST", "/v1/chat/completions", json=_chat())
    assert answer.headers["X-Groundwork-Model"] == "echo"


async def test_routes_serve_the_model_plane_alike_and_tell_it_their_attempts(gateway: RunningGateway) -> None:
    gateway.seen.script["echo"] = ["503"]
    principal = await gateway.deps.authenticator.require_active("key_admin")
    token = gateway.deps.issuer.token(principal, ANSWERS, "r1", "call_outer")
    async with gateway.session.post(
        f"{gateway.plane_url}/v1/chat/completions", json=_chat(True), headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        frames = [json.loads(line[6:]) for line in (await answer.text()).split("\n") if line.startswith("data: {")]
    attempts = frames[-1]["groundwork"]["receipt"]["attempts"]
    assert [(one["model"], one["outcome"]) for one in attempts] == [
        ("echo", "not_ready"),
        ("echo", "not_ready"),
        ("free", "ok"),
    ]
    async with gateway.session.get(
        f"{gateway.plane_url}/v1/models", headers={"Authorization": f"Bearer {token}"}
    ) as answer:
        assert "smart" in [model["id"] for model in (await answer.json())["data"]]


async def test_a_key_limited_to_a_route_reaches_its_models_and_no_others(gateway: RunningGateway) -> None:
    key = (await gateway.new_key(models=["smart"]))["secret"]
    assert (await gateway.call("POST", "/v1/chat/completions", key, json=_chat())).status == 200
    assert gateway.seen.last("inference")["delegation"].allows_model("echo")
    assert (await gateway.call("POST", "/v1/chat/completions", key, json=_chat(model="echo"))).status == 404
    listed = await (await gateway.call("GET", "/v1/models", key)).json()
    assert [model["id"] for model in listed["data"] if model["kind"] == "chat"] == ["smart"]


async def test_routes_are_an_admins_and_are_audited_and_end(gateway: RunningGateway) -> None:
    key = (await gateway.new_key())["secret"]
    for method, path in (("GET", "/v1/routes"), ("PUT", "/v1/routes/x"), ("DELETE", "/v1/routes/smart")):
        assert (await gateway.call(method, path, key, json=SPEC)).status == 403
    unknown = await gateway.call("PUT", "/v1/routes/x", json={"targets": [{"model": "nope"}]})
    assert (unknown.status, (await unknown.json())["error"]["code"]) == (400, "route_model_unknown")
    reserved = await gateway.call("PUT", "/v1/routes/default", json=SPEC)
    assert (reserved.status, (await reserved.json())["error"]["code"]) == (400, "route_name_reserved")
    assert (await gateway.call("PUT", "/v1/routes/rag:x", json=SPEC)).status == 422
    assert (await gateway.call("DELETE", "/v1/routes/smart")).status == 204
    assert (await gateway.call("DELETE", "/v1/routes/smart")).status == 404
    assert (await gateway.call("POST", "/v1/chat/completions", json=_chat())).status == 404


@pytest.mark.parametrize("written", ["acme/fast", "acme%2Ffast"])
async def test_a_route_may_have_an_owner_in_its_name(gateway: RunningGateway, written: str) -> None:
    path = f"/v1/routes/{written}"
    put = await gateway.call("PUT", path, json=SPEC)
    assert put.status == 200, await put.text()
    assert (await gateway.call("POST", "/v1/chat/completions", json=_chat(model="acme/fast"))).status == 200
    assert (await gateway.call("DELETE", path)).status == 204
    assert (await gateway.call("POST", "/v1/chat/completions", json=_chat(model="acme/fast"))).status == 404
