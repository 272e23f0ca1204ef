from __future__ import annotations

from typing import Any

import pytest
from libs.contracts.tests.refusals import refused_field

from contracts.agents.mcp import McpMessage, McpReply

PING: dict[str, Any] = {"jsonrpc": "2.0", "method": "ping"}


@pytest.mark.parametrize("named", [0, -1, "", "a", "1", "x" * 200])
def test_a_request_has_an_id_even_if_that_is_zero_or_empty_and_keeps_its_kind(named: int | str) -> None:
    read = McpMessage.model_validate({**PING, "id": named})
    assert (read.id, type(read.id)) == (named, type(named))
    assert McpReply(id=read.id, result={}).model_dump(exclude_none=True)["id"] == named


def test_a_message_without_an_id_is_a_notification() -> None:
    assert McpMessage.model_validate(PING).id is None
    assert McpMessage.model_validate({**PING, "id": None}).id is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**PING, "jsonrpc": "1.0"}, "jsonrpc"),
        ({"method": "ping"}, "jsonrpc"),
        ({**PING, "method": ""}, "method"),
        ({**PING, "method": "m" * 201}, "method"),
        ({**PING, "method": "\ud800"}, "method"),
        ({**PING, "id": "x" * 201}, "id"),
        ({**PING, "id": "\ud800"}, "id"),
        ({**PING, "id": 1.5}, "id"),
        ({**PING, "id": [1]}, "id"),
        ({**PING, "params": [1]}, "params"),
    ],
)
def test_what_is_no_message_is_refused_by_its_field(body: dict[str, Any], field: str) -> None:
    assert refused_field(McpMessage, body) == field


def test_what_a_later_version_of_the_protocol_adds_is_kept() -> None:
    read = McpMessage.model_validate({**PING, "id": 1, "params": {"_meta": {"progressToken": 1}}, "trace": "t"})
    assert read.model_dump()["trace"] == "t"
    assert read.params == {"_meta": {"progressToken": 1}}
