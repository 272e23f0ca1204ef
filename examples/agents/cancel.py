"""A run that is cancelled in the middle, and a thread on which the next run goes on."""

from __future__ import annotations

from contracts.agents.runs import Run
from examples.connection import run
from groundwork.client import Groundwork


def main(client: Groundwork) -> tuple[Run, Run]:
    """Cancel one run once it has begun, start another; how both ended."""
    client.agents.save("plain", {"instructions": "Answer in one short sentence."})
    thread = client.threads.create()
    run = client.runs.start(thread.id, "plain", "Tell me a very long story about a ship.")
    for event in client.runs.events(thread.id, run.id):
        if event.type == "step.started":
            client.runs.cancel(thread.id, run.id)
    first = client.runs.get(thread.id, run.id)
    print(f"first run: {first.status}")
    again = client.runs.start(thread.id, "plain", "Never mind the story. Say hello.")
    for event in client.runs.events(thread.id, again.id):
        if event.type == "token":
            print(event.data["text"], end="")
    second = client.runs.get(thread.id, again.id)
    print(f"\nsecond run: {second.status}; the thread has {client.threads.get(thread.id).messages} messages")
    return first, second


if __name__ == "__main__":
    run(main)
