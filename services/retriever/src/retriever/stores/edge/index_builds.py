"""Building the index of an embedded shard while it is searched and written.

The engine builds an index only in one call that holds the interpreter lock for seconds, so a child process does it on a
copy. Writers wait for the copying. The ids that are written or deleted meanwhile are remembered; at the end those
points are carried over as they then are, writers giving way to that, and the copy takes the shard's place. Searches
never wait. Nothing of a build is on disk but the copy, which doesn't count before it is whole: dying at any moment
costs the build and nothing else.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import qdrant_edge as edge
import structlog

from retriever.errors import GenerationMissing
from retriever.metrics import INDEX_BUILD_SECONDS, INDEX_BUILDS, POINTS_UNINDEXED
from retriever.stores.edge.shards import Shard, Shards, open_shard, sync_tree

log = structlog.get_logger(__name__)
_CARRIED = 64
"""Points carried over in one call, so that the interpreter lock is free again within milliseconds."""
_ROUNDS = 20
_GIVES_WAY_SECONDS = 1.0
"""How long a write waits at most while the last points are carried over: a point is written faster than carried, so
without it a build might never end beside a writer that never pauses.
"""
_LOOKS_SECONDS = 0.01
_LOOK_SECONDS = 0.5
_ROOM = 3
"""How many times the shard's size must be free on the disk."""


@dataclass(frozen=True, slots=True)
class BuildRules:
    """When an index is built, and what a build may take. `seconds` bounds the child process, `memory_mib` what it
    allocates (the files that it maps aside); after a failure nothing is tried for `pause_seconds`.
    """

    points: int = 20_000
    share: float = 0.25
    seconds: float = 3600.0
    memory_mib: int = 4096
    pause_seconds: float = 600.0

    def due(self, shard: Shard) -> bool:
        """Whether more points lie beside the index than it is worth to compare one by one."""
        if self.points == 0:
            return False
        assert shard.engine is not None
        unindexed = shard.unindexed()
        return unindexed >= max(self.points, self.share * (shard.engine.info().points_count - unindexed))


BY_DEFAULT = BuildRules()


class _Abandoned(Exception):
    """A build ended without an index; the message is its outcome."""


class IndexBuilds:
    """Builds one index at a time, in a thread of its own. Safe to call from many threads."""

    def __init__(self, shards: Shards, rules: BuildRules) -> None:
        self.rules = rules
        self._shards = shards
        self._changed = threading.Condition()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._not_before: dict[str, float] = {}
        self._leaving: set[str] = set()
        self._writing: dict[str, threading.Lock] = {}
        self._journals: dict[str, set[str]] = {}
        self._unindexed: dict[str, int] = {}
        self._catching_up: set[str] = set()
        self._current: str | None = None
        self._cancelled = self._closed = False
        self._child: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    @contextmanager
    def write_turn(self, name: str) -> Iterator[set[str] | None]:
        """The turn of one writer of a shard. It adds the ids that it changes to the set, if there is one, even if it
        fails half-way.
        """
        with self._lock(name):
            yield self._journals.get(name)

    async def give_way(self, name: str) -> None:
        """Wait before a write, for a bounded time, while an index carries over what was written during its build."""
        deadline = time.monotonic() + _GIVES_WAY_SECONDS
        while name in self._catching_up and time.monotonic() < deadline:  # noqa: ASYNC110  # set in a thread
            await asyncio.sleep(_LOOKS_SECONDS)

    def schedule(self, name: str, shard: Shard) -> None:
        """Note how many points lie beside the index, and build one if there are too many."""
        self._record(name, shard.unindexed())
        if not self.rules.due(shard):
            return
        with self._changed:
            waits = time.monotonic() < self._not_before.get(name, 0.0)
            if self._closed or waits or name in self._leaving or name == self._current or name in self._wanted:
                return
            self._wanted[name] = None
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="edge-index", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def building(self, name: str) -> bool:
        """Whether an index of this shard is being built or waits for its turn."""
        with self._changed:
            return name == self._current or name in self._wanted

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """The removal of this shard: what is being built of it ends first, and nothing is begun meanwhile."""
        with self._changed:
            self._leaving.add(name)
            self._wanted.pop(name, None)
            self._stop(name)
            self._changed.wait_for(lambda: self._current != name)
        try:
            yield
        finally:
            with self._changed:
                self._leaving.discard(name)
                self._not_before.pop(name, None)
            self._record(name, None)

    def close(self) -> None:
        """End what is under way and start nothing more."""
        with self._changed:
            self._closed = True
            self._wanted.clear()
            self._stop(self._current)
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _stop(self, name: str | None) -> None:
        if name is not None and self._current == name:
            self._cancelled = True
            if self._child is not None:
                self._child.kill()

    def _record(self, name: str, unindexed: int | None) -> None:
        """Keep how many points lie beside a shard's index, null when the shard is gone."""
        if unindexed is None:
            self._unindexed.pop(name, None)
        else:
            self._unindexed[name] = unindexed
        POINTS_UNINDEXED.set(sum(self._unindexed.values()))

    def _run(self) -> None:
        while (name := self._next()) is not None:
            started = time.monotonic()
            outcome = self._build_outcome(name)
            INDEX_BUILDS.labels(outcome).inc()
            INDEX_BUILD_SECONDS.observe(time.monotonic() - started)
            log.info("index build", generation=name, outcome=outcome, seconds=round(time.monotonic() - started, 1))
            with self._changed:
                if outcome != "built":
                    self._not_before[name] = time.monotonic() + self.rules.pause_seconds
                self._current = None
                self._changed.notify_all()

    def _next(self) -> str | None:
        """Wait for a shard to build; null at the end. One whose build failed is looked at again after its pause, since
        nobody may write to it any more.
        """
        while True:
            with self._changed:
                again = min(self._not_before.values(), default=None)
                pause = None if again is None else max(0.0, again - time.monotonic())
                self._changed.wait_for(lambda: self._closed or self._wanted, pause)
                if self._closed:
                    return None
                if self._wanted:
                    name, _ = self._wanted.popitem(last=False)
                    self._current, self._cancelled = name, False
                    return name
                rested = [each for each, moment in self._not_before.items() if moment <= time.monotonic()]
                for each in rested:
                    del self._not_before[each]
            for each in rested:
                self._look_again(each)

    def _look_again(self, name: str) -> None:
        try:
            with self._shards.use(name) as (_, shard):
                self.schedule(name, shard)
        except GenerationMissing:
            return
        except BaseException:  # as in `_build_outcome`
            log.exception("index build not considered", generation=name)

    def _build_outcome(self, name: str) -> str:
        try:
            self._build(name)
        except _Abandoned as abandoned:
            return str(abandoned)
        except GenerationMissing:
            return "cancelled"
        except BaseException:  # this thread's outermost loop, and the engine's panics are no `Exception`
            log.exception("index build failed", generation=name)
            return "failed"
        return "built"

    def _build(self, name: str) -> None:
        copied = None
        try:
            with self._lock(name):
                self._check(name)
                copied = self._shards.copy(name)
                self._journals[name] = set()
            indexed = self._optimise(copied)
            self._adopt(name, copied, indexed)
        finally:
            self._journals.pop(name, None)
            if copied is not None and not self._shards.counts(copied):
                self._shards.discard(copied)

    def _check(self, name: str) -> None:
        if self._cancelled or self._closed:
            raise _Abandoned("cancelled")
        size, free = self._shards.room(name)
        if free < _ROOM * size:
            log.warning("no room to build an index", generation=name, bytes=size, free=free)
            raise _Abandoned("no_room")

    def _optimise(self, folder: Path) -> int:
        """Let a child build the index; the number of vectors that it then counts as indexed."""
        numbers = (str(self.rules.memory_mib), str(os.getpid()))
        command = [sys.executable, "-m", "retriever.stores.edge.index_worker", str(folder), *numbers]
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with self._changed:
                if self._cancelled or self._closed:
                    raise _Abandoned("cancelled")
                self._child = subprocess.Popen(command, stdout=output, stderr=errors, env={})  # noqa: S603  # ours
            try:
                self._await(self._child, errors)
            finally:
                self._child.kill()
                self._child.wait()
            if self._cancelled:
                raise _Abandoned("cancelled")
            if self._child.returncode != 0:
                said = os.pread(errors.fileno(), 2000, 0).decode("utf-8", "replace")
                log.warning("index worker failed", status=self._child.returncode, errors=said)
                raise _Abandoned("failed")
            return int(json.loads(os.pread(output.fileno(), 2000, 0))["vectors"])

    def _await(self, child: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        """Wait for the child's end, or until it complains: an engine that is refused memory says so, and hangs."""
        deadline = time.monotonic() + self.rules.seconds
        while time.monotonic() < deadline:
            try:
                child.wait(timeout=_LOOK_SECONDS)
                return
            except subprocess.TimeoutExpired:
                if os.fstat(errors.fileno()).st_size > 0:
                    return
        raise _Abandoned("timeout")

    def _adopt(self, name: str, folder: Path, indexed: int) -> None:
        """Open the copy, carry over what changed meanwhile, and let it take the shard's place."""
        sync_tree(folder)
        fresh = Shard()
        fresh.folder = folder
        if not self._shards.disk.has(0):
            raise _Abandoned("no_room")
        open_shard(fresh, self._shards.disk)
        assert fresh.engine is not None
        fresh.indexed = indexed
        try:
            with self._shards.use(name) as (engine, _):
                for _ in range(_ROUNDS):
                    if self._cancelled or self._closed:
                        raise _Abandoned("cancelled")
                    with self._lock(name):
                        changed, self._journals[name] = self._journals[name], set()
                    _carry(engine, fresh.engine, changed)
                    if len(changed) <= _CARRIED:
                        break
                    self._catching_up.add(name)
                with self._lock(name):
                    old = self._take_place(name, engine, fresh)
        except BaseException:
            fresh.engine.close()
            raise
        finally:
            self._catching_up.discard(name)
        self._shards.retire(name, old)

    def _take_place(self, name: str, engine: edge.EdgeShard, fresh: Shard) -> Shard | None:
        assert fresh.engine is not None
        _carry(engine, fresh.engine, self._journals[name])
        if set(engine.info().payload_schema) != set(fresh.engine.info().payload_schema):
            raise _Abandoned("superseded")  # a new field of numbers: indexing it here would take too long
        fresh.engine.flush()
        if self._cancelled or self._closed:
            raise _Abandoned("cancelled")
        self._record(name, fresh.unindexed())  # before it is others' to close
        return self._shards.adopt(name, fresh)

    def _lock(self, name: str) -> threading.Lock:
        return self._writing.setdefault(name, threading.Lock())


def _carry(source: edge.EdgeShard, target: edge.EdgeShard, ids: Iterable[str]) -> None:
    """Make these points of the target what they are in the source: there or not."""
    wanted = list(ids)
    for at in range(0, len(wanted), _CARRIED):
        part = wanted[at : at + _CARRIED]
        found = source.retrieve(list(part), with_payload=True, with_vector=True)
        points = [edge.Point(id=each.id, vector=each.vector or {}, payload=each.payload) for each in found]
        gone = set(part) - {str(each.id) for each in found}
        if points:
            target.update(edge.UpdateOperation.upsert_points(points))
        if gone:
            target.update(edge.UpdateOperation.delete_points(list(gone)))
    if wanted:
        target.flush()
