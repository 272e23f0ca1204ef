from __future__ import annotations

from agent.threads.messages import NO_RESULT, RESULTS, Message, repair, tool_result, user, without_calls


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


def test_a_history_without_calls_has_their_results_before_the_last_question() -> None:
    def asked(text: str, call_id: str, **more: str) -> Message:
        call = {"id": call_id, "name": "pay", "arguments": {"to": "Zoë"}, **more}
        return {"role": "assistant", "content": text, "calls": [call]}

    said = [
        user("Pay."),
        asked("I pay.", "a"),
        tool_result("a", "pay", "paid"),
        {"role": "assistant", "content": "Done."},
        user("And again?"),
        asked("", "b"),
        tool_result("b", "pay", "paid"),
        asked("Again.", "c", problem="Not made."),
        tool_result("c", "pay", "Not made."),
    ]
    assert without_calls(said) == [
        user("Pay."),
        {"role": "assistant", "content": "I pay.\n\nDone."},
        user(f'{RESULTS}\npay {{"to": "Zoë"}}: paid\n\nAnd again?'),
    ]
    assert without_calls([user("Hello.")]) == [user("Hello.")]
