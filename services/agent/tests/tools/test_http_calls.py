from __future__ import annotations

import pytest

from agent.tools.http import HttpGet, HttpPost
from agent.tools.http_calls import HttpCalls
from agent.tools.tool import ToolCaller, ToolFailed
from servicekit.peers.address_policy import AddressPolicy


async def _token() -> str:
    return "token"


CALLER = ToolCaller("run:1:0", "run", "thread", _token)


async def _looked_up(host: str) -> list[str]:
    return {"rebound.example": ["10.0.0.7"], "meta.example": ["169.254.169.254"]}.get(host, ["127.0.0.1"])


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/",
        "http://rebound.example/",
        "http://meta.example/latest/meta-data",
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://ok.example:8080/",
        "http://ok.example@evil.example/",
        "file:///etc/passwd",
        "http://ok.example\\@evil.example/",
    ],
)
async def test_a_url_is_called_only_on_the_agents_hosts_and_at_public_addresses(url: str) -> None:
    calls = HttpCalls(AddressPolicy.of("80,443"), 2, 10_000, _looked_up)
    tools = (
        HttpGet(calls, ["ok.example", "rebound.example", "meta.example"]),
        HttpPost(calls, ["ok.example", "rebound.example", "meta.example"], honours_key=True),
    )
    for tool, more in zip(tools, ({}, {"body": {}}), strict=True):
        with pytest.raises(ToolFailed, match=r"not called|not one of"):
            await tool.call({"url": url, **more}, CALLER)
