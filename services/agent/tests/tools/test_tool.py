from __future__ import annotations

from collections.abc import Collection

import pytest

from agent.tools.tool import OutcomeUnknown, ToolCaller, ToolFailed
from contracts.access.delegation import Scope


async def _token() -> str:
    return "token"


def _caller(scopes: Collection[Scope] | None) -> ToolCaller:
    async def said() -> Collection[Scope] | None:
        return scopes

    return ToolCaller("run:1:0", "run", "thread", _token, said)


async def test_one_of_the_scopes_will_do() -> None:
    await _caller(("chat", "search")).require("read_document", ("documents", "search"))


@pytest.mark.parametrize("scopes", [(), ("chat", "agents")])
async def test_a_key_without_the_scope_makes_no_call_and_the_model_is_told_why(scopes: tuple[Scope, ...]) -> None:
    with pytest.raises(ToolFailed) as told:
        await _caller(scopes).require("read_document", ("documents", "search"))
    assert "Not made: 'read_document'" in str(told.value)
    assert "'documents' or 'search'" in str(told.value)
    assert not isinstance(told.value, OutcomeUnknown), "it had no effect, which is known"


async def test_where_nobody_says_the_scopes_the_service_that_is_called_decides() -> None:
    await _caller(None).require("read_document", ("documents",))
    await ToolCaller("run:1:0", "run", "thread", _token).require("read_document", ("documents",))
