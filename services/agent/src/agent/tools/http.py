"""HTTP tools: read and post on the hosts that an agent's definition lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from agent.tools.built_in import BuiltInTool
from agent.tools.http_calls import HttpCalls
from agent.tools.tool import Repeat, ToolCaller

_URL = {"type": "string", "maxLength": 2000, "description": "a complete URL on one of the allowed hosts"}


class HttpGet:
    """`Tool`: reads a URL."""

    name = "http_get"
    kind = "http_get"
    repeat: Repeat = "safe"

    def __init__(self, calls: HttpCalls, hosts: Sequence[str]) -> None:
        self._calls = calls
        self._hosts = hosts
        self.description = f"Reads a URL. Hosts: {', '.join(hosts)}."
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"url": _URL},
            "required": ["url"],
            "additionalProperties": False,
        }

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The answer."""
        return await self._calls.send("GET", arguments["url"], self._hosts, {"Accept": "*/*"}, None)


class HttpPost:
    """`Tool`: posts JSON. Each call has an `Idempotency-Key`, the same one whenever it is made again."""

    name = "http_post"
    kind = "http_post"

    def __init__(self, calls: HttpCalls, hosts: Sequence[str], honours_key: bool) -> None:
        self._calls = calls
        self._hosts = hosts
        self.repeat: Repeat = "key" if honours_key else "never"
        self.description = f"Sends JSON to a URL by POST. Hosts: {', '.join(hosts)}."
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"url": _URL, "body": {"type": ["object", "array"], "description": "sent as JSON"}},
            "required": ["url", "body"],
            "additionalProperties": False,
        }

    async def call(self, arguments: dict[str, Any], caller: ToolCaller) -> str:
        """The answer."""
        headers = {"Content-Type": "application/json", "Accept": "*/*", "Idempotency-Key": caller.key}
        body = json.dumps(arguments["body"], ensure_ascii=False).encode()
        return await self._calls.send("POST", arguments["url"], self._hosts, headers, body)


BUILT_IN = (
    BuiltInTool(
        "http_get",
        "Reads a URL on one of its hosts.",
        lambda options, resources: HttpGet(resources.http, options.hosts),
        options=("hosts",),
    ),
    BuiltInTool(
        "http_post",
        "Sends JSON to a URL on one of its hosts; a call that was cut off is made again only with `honours_key`.",
        lambda options, resources: HttpPost(resources.http, options.hosts, options.honours_key),
        options=("hosts", "honours_key"),
    ),
)
