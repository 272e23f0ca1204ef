"""The folder of an embedded vector store: one process owns it, and keeps the shards open that were used last."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import qdrant_edge as edge

from contracts.collections import VectorOptions
from retriever.adapters import edge_options
from retriever.errors import GenerationMissing, VectorStoreLocked
from retriever.points import INTEGER_FIELDS, KEYWORD_FIELDS, MAX_NUMBER_INDEXES

_ALWAYS_THERE = frozenset((*KEYWORD_FIELDS, *INTEGER_FIELDS, "ordinal"))
_UNFINISHED, _DROPPED = ".unfinished-", ".dropped-"


class Shard:
    """One open shard. `numbers` holds the fields of metadata that have an index for ranges."""

    def __init__(self) -> None:
        self.users = 0
        self.opening = threading.Lock()
        self.engine: edge.EdgeShard | None = None
        self.numbers: set[str] = set()

    def may_hold_numbers(self, path: str) -> bool:
        """False only when no point has a number there, since each such field is indexed when it is first written."""
        return path in self.numbers or path in _ALWAYS_THERE or len(self.numbers) >= MAX_NUMBER_INDEXES


class Shards:
    """Opens shards when they are used and closes the least recently used ones. Safe to call from many threads.

    An open empty shard costs about 0.2 MB of memory and one thread, on disk 0.1 MB (measured).
    """

    def __init__(self, folder: Path, limit: int) -> None:
        """Raises `VectorStoreLocked` when another process owns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limit = limit
        self._lock = _own(folder)
        self._changed = threading.Condition()
        self._open: OrderedDict[str, Shard] = OrderedDict()
        self._dropping: set[str] = set()
        for left_over in (*folder.glob(f"{_UNFINISHED}*"), *folder.glob(f"{_DROPPED}*")):
            shutil.rmtree(left_over)

    def names(self) -> list[str]:
        """All shards of the folder."""
        return sorted(path.name for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))

    def create(self, name: str, dimensions: int, options: VectorOptions) -> None:
        """Make an empty shard if there is none: built aside and moved into place, so that none is half made."""
        if (self._folder / name).exists():
            return
        unfinished = self._folder / f"{_UNFINISHED}{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        shard = edge.EdgeShard.create(str(unfinished), edge_options.config(dimensions, options))
        for index in edge_options.field_indexes():
            shard.update(index)
        shard.flush()
        shard.close()
        unfinished.rename(self._folder / name)
        _sync(self._folder)

    @contextmanager
    def use(self, name: str) -> Iterator[tuple[edge.EdgeShard, Shard]]:
        """The shard, kept open meanwhile; raises `GenerationMissing`."""
        with self._changed:
            if name in self._dropping:
                raise GenerationMissing
            shard = self._open.setdefault(name, Shard())
            self._open.move_to_end(name)
            shard.users += 1
        try:
            with shard.opening:
                if shard.engine is None:
                    shard.engine, shard.numbers = self._load(name)
            yield shard.engine, shard
        finally:
            with self._changed:
                shard.users -= 1
                self._close_idle()
                self._changed.notify_all()

    def drop(self, name: str) -> None:
        """Remove a shard and its files once nobody uses it."""
        with self._changed:
            self._dropping.add(name)
            self._changed.wait_for(lambda: name not in self._open or self._open[name].users == 0)
            shard = self._open.pop(name, None)
        try:
            if shard is not None and shard.engine is not None:
                shard.engine.close()
            if (self._folder / name).exists():
                dropped = (self._folder / name).rename(self._folder / f"{_DROPPED}{name}")
                _sync(self._folder)
                shutil.rmtree(dropped)
        finally:
            with self._changed:
                self._dropping.discard(name)

    def close(self) -> None:
        """Close all shards and give the folder up."""
        with self._changed:
            self._changed.wait_for(lambda: all(shard.users == 0 for shard in self._open.values()))
            self._limit = 0
            self._close_idle()
        self._lock.close()

    def _load(self, name: str) -> tuple[edge.EdgeShard, set[str]]:
        if not (self._folder / name).exists():
            raise GenerationMissing
        engine = edge.EdgeShard.load(str(self._folder / name))
        return engine, set(engine.info().payload_schema) - _ALWAYS_THERE

    def _close_idle(self) -> None:
        idle = [name for name, shard in self._open.items() if shard.users == 0]
        unopened = [name for name in idle if self._open[name].engine is None]
        for name in [*unopened, *idle[: max(0, len(self._open) - self._limit)]]:
            shard = self._open.pop(name, None)
            if shard is not None and shard.engine is not None:
                shard.engine.close()


def _own(folder: Path) -> IO[str]:
    lock = (folder / ".lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().strip()
        lock.close()
        raise VectorStoreLocked(folder, owner) from None
    lock.truncate(0)
    lock.write(f"process {os.getpid()}")
    lock.flush()
    return lock


def _sync(folder: Path) -> None:
    """A rename is on disk only once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
