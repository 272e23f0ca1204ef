"""A run that waits for a person: each pending call is approved, edited or rejected, all in one answer."""

from __future__ import annotations

import json
import sys

from contracts.agents.runs import Decision, PendingToolCall
from examples.connection import run
from groundwork.client import Groundwork

TASK = "Use the calculator to compute 6*7, then tell me the result."


def decide(call: PendingToolCall, word: str) -> Decision:
    """What a person's word means: `approve`, `reject`, or arguments as JSON."""
    if word in ("", "approve"):
        return Decision(tool_call_id=call.id, action="approve")
    if word == "reject":
        return Decision(tool_call_id=call.id, action="reject", message="Not now.")
    return Decision(tool_call_id=call.id, action="edit", arguments=json.loads(word))


def main(client: Groundwork, word: str) -> str:
    """Run it, decide, and return how it ended."""
    asks = {"tools": ["calculator"], "approval": {"tools": ["calculator"]}, "allow_weak_model": True}
    client.agents.save("careful", asks)
    thread = client.threads.create()
    run = client.runs.start(thread.id, "careful", TASK)
    for event in client.runs.events(thread.id, run.id):
        if event.type != "run.waiting_approval":
            continue
        waiting = client.runs.get(thread.id, run.id)
        for call in waiting.pending_tool_calls:
            print(f"{call.name}({json.dumps(call.arguments)}) → {word or 'approve'}")
        client.runs.resume(thread.id, run.id, [decide(call, word) for call in waiting.pending_tool_calls])
    ended = client.runs.get(thread.id, run.id)
    print(f"{ended.status}: {ended.output}")
    return ended.status


if __name__ == "__main__":
    run(lambda groundwork: main(groundwork, sys.argv[1] if len(sys.argv) > 1 else ""))
