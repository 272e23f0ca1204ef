"""A client that loses its stream in the middle and takes it up again: every event once, in order."""

from __future__ import annotations

from contracts.agents.runs import RunEvent
from examples.connection import run
from groundwork.client import Groundwork


def main(client: Groundwork) -> list[RunEvent]:
    """Read a few events, forget the stream, read on from the last id, then replay all; all events."""
    client.agents.save("plain", {"instructions": "Answer in one short sentence."})
    thread = client.threads.create()
    run = client.runs.start(thread.id, "plain", "Say hello.")
    seen: list[RunEvent] = []
    for event in client.runs.events(thread.id, run.id):
        seen.append(event)
        if len(seen) == 3:
            break  # the connection is lost here
    seen.extend(client.runs.events(thread.id, run.id, after=seen[-1].id))
    again = list(client.runs.events(thread.id, run.id))
    assert [event.id for event in seen] == list(range(1, len(seen) + 1))
    assert again == seen
    for event in seen:
        print(event.id, event.type, event.data.get("text") or event.data.get("output") or "")
    return seen


if __name__ == "__main__":
    run(main)
