"""A run with little to spend: a limit ends it, and it hands over what it has so far."""

from __future__ import annotations

from contracts.agents.runs import Run
from examples.connection import run
from groundwork.client import Groundwork

LIMITS = {"steps": 2, "tool_calls": 1, "tokens": 4000, "seconds": 60}
TASK = "Use the calculator to compute 6*7, then 7*8, then 8*9, one after the other, and tell me all results."


def main(client: Groundwork) -> Run:
    """Run it and return how it ended."""
    client.agents.save("thrifty", {"tools": ["calculator"], "limits": LIMITS, "allow_weak_model": True})
    thread = client.threads.create()
    run = client.runs.start(thread.id, "thrifty", TASK)
    for event in client.runs.events(thread.id, run.id):
        if event.type == "usage":
            print(f"step {event.step}: {event.data['prompt_tokens']} + {event.data['completion_tokens']} tokens")
    ended = client.runs.get(thread.id, run.id)
    print(f"{ended.status} {ended.limit or ''}: {ended.output}")
    print(f"used: {ended.steps} steps, {ended.tool_calls} tool calls, {ended.usage.total_tokens} tokens")
    return ended


if __name__ == "__main__":
    run(main)
