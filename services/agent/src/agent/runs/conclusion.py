"""How a run ends: its status, its last event and its thread's history in one transaction, and its checkpoints gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from agent.runs.checkpoints import SqlCheckpoints
from agent.runs.origin import count_taken_over
from agent.tables import TOOL_CALLS
from agent.threads import repository as threads
from agent.threads.messages import UNKNOWN, Message, last_text, open_calls, repair, user
from contracts.agents.runs import RunLimit, RunStatus
from contracts.documents.documents import Failure
from servicekit.jobs.events import Event
from servicekit.sql.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What became of a run."""

    status: RunStatus
    output: str | None = None
    limit: RunLimit | None = None
    error: Failure | None = None
    answer: dict[str, Any] | None = None
    """A `RunAnswer` of the output."""

    def values(self, now: datetime) -> dict[str, Any]:
        """Columns of the run's row."""
        return {
            "status": self.status,
            "output": self.output,
            "answer": self.answer,
            "limit_reached": self.limit,
            "error": self.error.model_dump() if self.error else None,
            "finished_at": now,
            "pending": None,
            "decisions": None,
            "grant_token": None,
            "waiting_on": None,
        }

    def event(self) -> Event:
        """The run's last event."""
        data: dict[str, Any] = {"status": self.status, "output": self.output}
        if self.answer is not None:
            data["answer"] = self.answer
        if self.limit is not None:
            data["limit"] = self.limit
        if self.error is not None:
            data["error"] = self.error.model_dump()
        return Event(f"run.{self.status}", data)


async def messages_of(connection: Transaction, checkpoints: SqlCheckpoints, run: Mapping[str, Any]) -> list[Message]:
    """What was said in a run until now, whole: calls without a result get what the ledger knows of them. What it took
    over of another one is on its thread already, and none of it."""
    saved = await checkpoints.read(connection, {"configurable": {"thread_id": run["id"]}})
    said: list[Message] = saved.checkpoint["channel_values"].get("messages", []) if saved else []
    if not said:
        return [] if run["replayed_from"] else [user(run["input"])]
    left = [call["id"] for call in open_calls(said)]
    known: dict[str, str] = {}
    if left:
        calls = select(TOOL_CALLS).where(TOOL_CALLS.c.run_id == run["id"], TOOL_CALLS.c.call_id.in_(left))
        for row in (await connection.execute(calls)).mappings():
            known[row["call_id"]] = row["result"] if row["state"] == "done" else UNKNOWN
    return repair(said, known)[count_taken_over(run) :]


async def conclude(connection: Transaction, checkpoints: SqlCheckpoints, run: Mapping[str, Any], now: datetime) -> None:
    """Move what was said to the thread, and delete the run's checkpoints. The caller has set its status."""
    said = await messages_of(connection, checkpoints, run)
    output = run["output"]
    if run["status"] in ("completed", "limit_reached") and output and last_text(said) != output:
        said.append({"role": "assistant", "content": output})
    await threads.append_messages(connection, run["thread_id"], run["id"], said, now)
    await checkpoints.delete_checkpoints(connection, run["id"])
