from __future__ import annotations

import json

from agent.steps.tool_calls import CallAssembly
from agent.testing.scripted_agents import Turn, turn_chunks


def test_a_turn_is_streamed_as_words_and_calls_in_pieces() -> None:
    chunks = turn_chunks(Turn("I pay now.", [("pay", {"amount": 3}), ("plan", "{}")]), "scripted")
    said = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assembly = CallAssembly()
    for chunk in chunks:
        for choice in chunk.choices:
            assembly.add(choice.delta.tool_calls or ())
    calls = assembly.calls(1, ())
    assert said == "I pay now."
    assert json.dumps([[call["name"], call["arguments"]] for call in calls]) == '[["pay", {"amount": 3}], ["plan", {}]]'
    assert chunks[-1].usage is not None
