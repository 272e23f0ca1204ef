from __future__ import annotations

from typing import Any

import pytest

from agent.steps.tool_calls import CallAssembly


def _ids(*given: str | None, taken: tuple[str, ...] = ()) -> list[str]:
    assembly = CallAssembly()
    for index, one in enumerate(given):
        delta: dict[str, Any] = {"index": index, "function": {"name": "pay", "arguments": "{}"}}
        assembly.add([delta if one is None else {**delta, "id": one}])
    return [call["id"] for call in assembly.calls(1, taken)]


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (("call_1_1", None), ()),
        (("call_1_2", "call_1_1", None, None), ()),
        ((None, "call_1_0", "same", "same"), ()),
        ((None, None), ("call_1_0", "call_1_1")),
    ],
)
def test_every_call_has_an_id_of_its_own_whatever_the_model_gives(
    given: tuple[str | None, ...], taken: tuple[str, ...]
) -> None:
    ids = _ids(*given, taken=taken)
    assert len({*ids, *taken}) == len(given) + len(taken)


def test_an_id_that_the_model_gives_is_kept() -> None:
    assert _ids("call_1_1", "b") == ["call_1_1", "b"]
