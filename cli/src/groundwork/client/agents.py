"""Agents, threads and runs: `client.agents`, `client.threads`, `client.runs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from contracts.agents.agents import Agent
from contracts.agents.runs import (
    FINAL_RUN_EVENTS,
    FINAL_RUN_STATUSES,
    Decision,
    HistoryMessage,
    NewMessage,
    Run,
    RunEvent,
    RunStatus,
    Thread,
)
from contracts.operations import agents as operations
from groundwork.client.connection import Connection
from groundwork.client.deadlines import Away, FollowerDeadlines
from groundwork.errors import ApiError, GroundworkError, Unreachable, WaitTimeout

RECONNECT_SECONDS = 0.5
SILENCE_SECONDS = 45.0
"""The server says at least every ten seconds that it is there."""
Pause = Callable[[float], None]


class Agents:
    """Define, show, list and delete agents."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def save(self, name: str, definition: Mapping[str, Any]) -> Agent:
        """The agent with this definition: a new version, unless the newest one is the same."""
        return self._connection.model(operations.CREATE_AGENT, json={"name": name, **definition})

    def get(self, name: str) -> Agent:
        """An agent as it is now."""
        return self._connection.model(operations.GET_AGENT, name)

    def list(self) -> Iterator[Agent]:
        """All agents by name."""
        return self._connection.pages(operations.LIST_AGENTS)

    def versions(self, name: str) -> Iterator[Agent]:
        """All versions of an agent, newest first."""
        return self._connection.pages(operations.LIST_AGENT_VERSIONS, name)

    def activate(self, name: str, version: int) -> Agent:
        """Make a version the current one."""
        return self._connection.model(operations.ACTIVATE_AGENT, name, str(version))

    def rollback(self, name: str) -> Agent:
        """Make the version before the current one; raises `GroundworkError` if there was none."""
        agent = self.get(name)
        if agent.previous is None:
            raise GroundworkError(f"The agent '{name}' has had no other version.")
        return self.activate(name, agent.previous)

    def delete(self, name: str) -> None:
        """No new runs; those under way go on."""
        self._connection.call(operations.DELETE_AGENT, name)


class Threads:
    """Conversations that last."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, metadata: Mapping[str, Any] | None = None) -> Thread:
        """A new, empty thread."""
        return self._connection.model(operations.CREATE_THREAD, json={"metadata": dict(metadata or {})})

    def get(self, thread_id: str) -> Thread:
        """One thread."""
        return self._connection.model(operations.GET_THREAD, thread_id)

    def list(self, *, mine: bool = False) -> Iterator[Thread]:
        """Threads, newest first; with `mine` those alone that this key made."""
        return self._connection.pages(operations.LIST_THREADS, params={"mine": mine or None})

    def update(self, thread_id: str, metadata: Mapping[str, Any]) -> Thread:
        """Change fields of a thread's metadata; `None` removes one."""
        return self._connection.model(operations.UPDATE_THREAD, thread_id, json={"metadata": dict(metadata)})

    def add(
        self,
        thread_id: str,
        messages: Sequence[NewMessage],
        *,
        position: int | None = None,
        known: int | None = None,
        key: str | None = None,
    ) -> Thread:
        """Keep what was said outside runs, at the end or in place of all from a position on.

        With `known`, the `revision` of the thread as it was read, a thread that went on since is `ApiError`
        `thread_changed`. With a `key`, the same call again adds nothing.
        """
        said = [message.model_dump(mode="json", exclude_none=True) for message in messages]
        where = {"position": position, "known": known}
        body = {"messages": said, **{name: value for name, value in where.items() if value is not None}}
        headers = {"Idempotency-Key": key} if key else {}
        return self._connection.model(operations.ADD_MESSAGES, thread_id, json=body, headers=headers)

    def history(self, thread_id: str, *, run_id: str | None = None) -> Iterator[HistoryMessage]:
        """What was said, oldest first; in one run alone if it is named."""
        return self._connection.pages(operations.LIST_HISTORY, thread_id, params={"run_id": run_id})

    def delete(self, thread_id: str) -> None:
        """The thread with its runs and all that was said."""
        self._connection.call(operations.DELETE_THREAD, thread_id)


class Runs:
    """Start agents on a thread, follow them, decide, cancel, replay."""

    def __init__(
        self,
        connection: Connection,
        pause: Pause = time.sleep,  # noqa: TID251  # the one bounded wait
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._pause = pause
        self._clock = clock

    def start(self, thread_id: str, agent: str, text: str, *, user: str | None = None, key: str | None = None) -> Run:
        """A queued run, for a `user` by your own name for them. With a `key`, the same call again starts no second
        one."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"agent": agent, "input": text, **({"user": user} if user else {})}
        return self._connection.model(operations.CREATE_RUN, thread_id, json=body, headers=headers)

    def get(self, thread_id: str, run_id: str) -> Run:
        """One run."""
        return self._connection.model(operations.GET_RUN, thread_id, run_id)

    def list(self, thread_id: str) -> Iterator[Run]:
        """A thread's runs, newest first."""
        return self._connection.pages(operations.LIST_RUNS, thread_id)

    def list_all(self, *, agent: str | None = None, status: RunStatus | None = None) -> Iterator[Run]:
        """The runs of all threads, newest first; of an agent or a status alone."""
        return self._connection.pages(operations.LIST_ALL_RUNS, params={"agent": agent, "status": status})

    def cancel(self, thread_id: str, run_id: str) -> Run:
        """Ask a run to end."""
        return self._connection.model(operations.CANCEL_RUN, thread_id, run_id)

    def resume(self, thread_id: str, run_id: str, decisions: Sequence[Decision]) -> Run:
        """Decide on all pending calls of a run that waits for approval."""
        body = {"decisions": [one.model_dump(mode="json", exclude_none=True) for one in decisions]}
        return self._connection.model(operations.RESUME_RUN, thread_id, run_id, json=body)

    def replay(
        self,
        thread_id: str,
        run_id: str,
        after: int,
        text: str | None = None,
        *,
        agent_version: int | Literal["current"] | None = None,
        key: str | None = None,
    ) -> Run:
        """A queued run on a new thread that goes on from a run that has ended, after one of its steps; 0 is its
        beginning.

        `text` stands for the run's input there, and is said to the model after any other step. The agent's version is
        the run's unless another is named. With a `key`, the same call again starts no second one.
        """
        wanted = {"after": after, "input": text, "agent_version": agent_version}
        body = {name: value for name, value in wanted.items() if value is not None}
        headers = {"Idempotency-Key": key} if key else {}
        return self._connection.model(operations.REPLAY_RUN, thread_id, run_id, json=body, headers=headers)

    def events(
        self, thread_id: str, run_id: str, *, after: int = 0, timeout: float = 600.0, away: Away | None = None
    ) -> Iterator[RunEvent]:
        """Every event after a number, each once, to the run's last; a stream that breaks off is taken up again.

        Of a run that is over, nothing more after its last. Raises `WaitTimeout` when nothing new has come for `timeout`
        seconds. A server that this client has never reached is `Unreachable` at once; one that went away is waited for,
        `AWAY_SECONDS` at most, and `away` is told when that begins.
        """
        deadlines, over = FollowerDeadlines(timeout, away, self._clock), False
        silent = WaitTimeout(f"Run {run_id} has said nothing new in {timeout:.0f} s. It may go on.")
        while True:
            try:
                before = after
                with self._stream(thread_id, run_id, after) as events:
                    deadlines.answered()
                    for event in events:
                        yield event
                        after = event.id
                        deadlines.news()
                        if event.type in FINAL_RUN_EVENTS:
                            return
                if over and after == before:
                    return
                over = self.get(thread_id, run_id).status in FINAL_RUN_STATUSES
                deadlines.answered()
            except Unreachable as error:
                if not self._connection.reached:
                    raise
                deadlines.missed(error)
            except ApiError as error:
                if error.status < 500 and error.status not in (200, 429):
                    raise
                if error.status >= 500:
                    deadlines.missed(error)
            deadlines.check(silent)
            self._pause(RECONNECT_SECONDS)

    @contextmanager
    def _stream(self, thread_id: str, run_id: str, after: int) -> Iterator[Iterator[RunEvent]]:
        headers = {"Last-Event-ID": str(after)} if after else {}
        with self._connection.events(
            operations.FOLLOW_RUN, thread_id, run_id, timeout=SILENCE_SECONDS, headers=headers
        ) as events:
            yield (RunEvent.model_validate_json(event.data) for event in events)
