from __future__ import annotations

import json
from typing import Any, cast

from agent.schemas.validation import problems
from agent.tools.http import HttpGet, HttpPost
from agent.tools.http_calls import HttpCalls
from agent.tools.tool import ToolCaller


class _Calls:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []

    async def send(self, *call: Any) -> str:
        self.sent.append(call)
        return "HTTP 200\n"


async def _token() -> str:
    return "secret"


async def test_a_post_carries_the_key_of_its_call_and_no_credentials() -> None:
    calls = _Calls()
    post = HttpPost(cast("HttpCalls", calls), ["a.example"], honours_key=True)
    for _ in range(2):
        await post.call({"url": "http://a.example/", "body": {"ü": 1}}, ToolCaller("run:1:0", "run", "thread", _token))
    (first, again) = calls.sent
    assert first == again
    assert first[3]["Idempotency-Key"] == "run:1:0"
    assert json.loads(first[4]) == {"ü": 1}
    assert "secret" not in str(first)


def test_only_a_post_whose_hosts_honour_the_key_is_made_again() -> None:
    calls = cast("HttpCalls", _Calls())
    assert HttpGet(calls, ["a.example"]).repeat == "safe"
    assert HttpPost(calls, ["a.example"], honours_key=True).repeat == "key"
    assert HttpPost(calls, ["a.example"], honours_key=False).repeat == "never"


def test_a_model_reads_which_hosts_there_are_and_sends_json_only() -> None:
    post = HttpPost(cast("HttpCalls", _Calls()), ["a.example", "b.example"], honours_key=False)
    assert "a.example, b.example" in post.description
    assert problems(post.parameters, {"url": "http://a.example/", "body": []}) == []
    assert problems(post.parameters, {"url": "http://a.example/", "body": "text"})
