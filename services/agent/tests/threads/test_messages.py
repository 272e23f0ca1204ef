from __future__ import annotations

from agent.threads.messages import NO_RESULT, repair


def test_a_history_is_made_whole() -> None:
    call = {"id": "a", "name": "pay", "arguments": {}}
    broken = [
        {"role": "user", "content": "Pay."},
        {"role": "assistant", "content": "", "calls": [call, {**call, "id": "b"}]},
        {"role": "tool", "call_id": "b", "name": "pay", "content": "paid"},
        {"role": "tool", "call_id": "stray", "name": "pay", "content": "whose?"},
        {"role": "user", "content": "And?"},
    ]
    whole = repair(broken)
    assert [one["role"] for one in whole] == ["user", "assistant", "tool", "tool", "user"]
    assert {one["call_id"]: one["content"] for one in whole if one["role"] == "tool"} == {"a": NO_RESULT, "b": "paid"}
    assert repair(whole) == whole
