"""The folder of an embedded vector store: one process owns it, and keeps the shards open that were used last.

A shard lies in the folder of its name, `g`. A copy with an index is built in `g@1`, `g@2`, ... and counts from the
moment that it holds the file `.whole`; the highest that does is the shard. So a copy takes the shard's place by one
rename, and dying at any moment leaves either the one or the other, and something to throw away at the next start.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import qdrant_edge as edge

from contracts.retrieval.collections import VectorOptions
from retriever.errors import GenerationMissing, VectorStoreLocked
from retriever.stores.edge import options as edge_options
from retriever.stores.points import INTEGER_FIELDS, KEYWORD_FIELDS, MAX_NUMBER_INDEXES
from servicekit.core.disk import DiskRoom
from servicekit.core.durable import sync, to_disk

_ALWAYS_THERE = frozenset((*KEYWORD_FIELDS, *INTEGER_FIELDS))
EMPTY_BYTES = 16 * 1024 * 1024
"""More than an empty shard takes: a tenth of what its files say, since they have holes."""
_UNFINISHED, _DROPPED, _WHOLE = ".unfinished-", ".dropped-", ".whole"


class Shard:
    """One open shard. `numbers` holds the fields of metadata that have an index for ranges.

    `indexed` is null without an index, else what the engine counted as indexed vectors when the index was built.
    """

    def __init__(self) -> None:
        self.users = 0
        self.opening = threading.Lock()
        self.engine: edge.EdgeShard | None = None
        self.folder: Path | None = None
        self.numbers: set[str] = set()
        self.indexed: int | None = None
        self.considered = False

    def unindexed(self) -> int:
        """Points that lie beside the index. The engine counts the sparse vector of each as indexed at once."""
        assert self.engine is not None
        info = self.engine.info()
        return info.points_count if self.indexed is None else max(0, info.indexed_vectors_count - self.indexed)

    def may_hold_numbers(self, path: str) -> bool:
        """False only when no point has a number there, since each such field is indexed when it is first written."""
        return path in self.numbers or path in _ALWAYS_THERE or len(self.numbers) >= MAX_NUMBER_INDEXES


class Shards:
    """Opens shards when they are used and closes the least recently used ones. Safe to call from many threads.

    An open empty shard costs about 0.2 MB of memory and one thread, on disk 0.1 MB (measured).
    """

    def __init__(self, folder: Path, limit: int, room: DiskRoom | None = None) -> None:
        """Raises `VectorStoreLocked` when another process owns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.disk = room or DiskRoom(folder, 0)
        self._folder = folder
        self._limit = limit
        self._lock = _own(folder)
        self._changed = threading.Condition()
        self._open: OrderedDict[str, Shard] = OrderedDict()
        self._deleting: set[str] = set()
        for left_over in (*folder.glob(f"{_UNFINISHED}*"), *folder.glob(f"{_DROPPED}*")):
            shutil.rmtree(left_over)
        for name in self.names():
            for old in self._copies(name):
                if old != self._place(name):
                    self.discard(old)

    def names(self) -> list[str]:
        """All shards of the folder."""
        folders = (path for path in self._folder.iterdir() if path.is_dir() and not path.name.startswith("."))
        return sorted({path.name.partition("@")[0] for path in folders})

    def create(self, name: str, dimensions: int, options: VectorOptions) -> None:
        """Make an empty shard if there is none: built aside and moved into place, so that none is half made."""
        if self._place(name) is not None:
            return
        self.disk.check(EMPTY_BYTES)
        unfinished = self._folder / f"{_UNFINISHED}{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        shard = edge.EdgeShard.create(str(unfinished), edge_options.config(dimensions, options))
        for index in edge_options.field_indexes().values():
            shard.update(index)
        shard.flush()
        shard.close()
        unfinished.rename(self._folder / name)
        sync(self._folder)

    @contextmanager
    def use(self, name: str) -> Iterator[tuple[edge.EdgeShard, Shard]]:
        """The shard, kept open meanwhile; raises `GenerationMissing`."""
        with self._changed:
            if name in self._deleting:
                raise GenerationMissing
            shard = self._open.setdefault(name, Shard())
            self._open.move_to_end(name)
            shard.users += 1
        try:
            with shard.opening:
                if shard.engine is None:
                    self._load(name, shard)
            assert shard.engine is not None
            yield shard.engine, shard
        finally:
            self._leave(shard)

    @contextmanager
    def use_open(self, name: str) -> Iterator[tuple[edge.EdgeShard, Shard] | None]:
        """The same without ever waiting for another thread's work: null unless the shard is open already."""
        shard = self._enter_open(name)
        if shard is None:
            yield None
            return
        try:
            assert shard.engine is not None
            yield shard.engine, shard
        finally:
            self._leave(shard)

    def delete(self, name: str) -> None:
        """Remove a shard and its files once nobody uses it."""
        with self._changed:
            self._deleting.add(name)
            self._changed.wait_for(lambda: name not in self._open or self._open[name].users == 0)
            shard = self._open.pop(name, None)
        try:
            if shard is not None and shard.engine is not None:
                shard.engine.close()
            place = self._place(name)
            for folder in sorted(self._copies(name), key=lambda each: each == place):  # what counts goes last
                self.discard(folder)
        finally:
            with self._changed:
                self._deleting.discard(name)

    def close(self) -> None:
        """Close all shards and give the folder up."""
        with self._changed:
            self._changed.wait_for(lambda: all(shard.users == 0 for shard in self._open.values()))
            self._limit = 0
            self._close_idle()
        self._lock.close()

    def copy(self, name: str) -> Path:
        """A copy of a shard that doesn't count. The caller holds its writers off; raises `GenerationMissing`."""
        with self.use(name) as (engine, shard):
            engine.flush()
            assert shard.folder is not None
            copied = self._folder / f"{name}@{_number(shard.folder) + 1}"
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(shard.folder, copied, ignore=shutil.ignore_patterns(_WHOLE))
            return copied

    def adopt(self, name: str, fresh: Shard) -> Shard | None:
        """Make the shard in `fresh.folder`, open and flushed, the one of this name; the caller holds the writers off.

        On return that is so for good. The old one is returned if it was open: see `retire`.
        """
        assert fresh.folder is not None
        sync_tree(fresh.folder)
        sync(self._folder)
        draft = fresh.folder / f"{_WHOLE}-draft"
        with draft.open("w") as file:
            json.dump({"indexed": fresh.indexed}, file)
            to_disk(file)
        draft.rename(fresh.folder / _WHOLE)
        try:
            sync(fresh.folder)
        except OSError:  # the old one goes on being written, so this one must not count at the next start
            (fresh.folder / _WHOLE).unlink()
            raise
        with self._changed:
            old = self._open.get(name)
            self._open[name] = fresh
            return old

    def retire(self, name: str, old: Shard | None) -> None:
        """Close a shard that was replaced, once the searches in it have ended, and remove all that doesn't count."""
        if old is not None:
            with self._changed:
                self._changed.wait_for(lambda: old.users == 0)
            if old.engine is not None:
                old.engine.close()
        for folder in self._copies(name):
            if folder != self._place(name):
                self.discard(folder)

    def room(self, name: str) -> tuple[int, int]:
        """Bytes that a shard takes on disk, and bytes that are free there; raises `GenerationMissing`."""
        place = self._place(name)
        if place is None:
            raise GenerationMissing
        taken = sum(path.stat().st_blocks * 512 for path in place.rglob("*"))
        return taken, shutil.disk_usage(self._folder).free

    def counts(self, folder: Path) -> bool:
        """Whether a copy took its shard's place."""
        return (folder / _WHOLE).exists()

    def discard(self, folder: Path) -> None:
        """Remove a folder that must not come back, not even in part."""
        dropped = folder.rename(self._folder / f"{_DROPPED}{folder.name}")
        sync(self._folder)
        shutil.rmtree(dropped)

    def _copies(self, name: str) -> list[Path]:
        plain = self._folder / name
        numbered = (path for path in self._folder.glob(f"{name}@*") if path.name.partition("@")[0] == name)
        return sorted([*([plain] if plain.exists() else []), *numbered], key=_number)

    def _place(self, name: str) -> Path | None:
        """Where the shard lies, if there is one."""
        whole = [path for path in self._copies(name) if "@" not in path.name or (path / _WHOLE).exists()]
        return whole[-1] if whole else None

    def _load(self, name: str, shard: Shard) -> None:
        place = self._place(name)
        if place is None:
            raise GenerationMissing
        shard.folder = place
        open_shard(shard, self.disk)

    def _enter_open(self, name: str) -> Shard | None:
        if not self._changed.acquire(blocking=False):
            return None
        try:
            shard = self._open.get(name)
            if shard is None or shard.engine is None or name in self._deleting:
                return None
            self._open.move_to_end(name)
            shard.users += 1
            return shard
        finally:
            self._changed.release()

    def _leave(self, shard: Shard) -> None:
        with self._changed:
            shard.users -= 1
            self._close_idle()
            self._changed.notify_all()

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


def open_shard(shard: Shard, disk: DiskRoom) -> None:
    """Open the engine on `shard.folder`. What an earlier version made without some of the indexes gets them as soon as
    there is room.
    """
    assert shard.folder is not None
    engine = edge.EdgeShard.load(str(shard.folder))
    there = engine.info().payload_schema
    lacking = [index for field, index in edge_options.field_indexes().items() if field not in there]
    if lacking and not disk.has(EMPTY_BYTES):
        lacking = []
    for index in lacking:
        engine.update(index)
    if lacking:
        engine.flush()
    shard.numbers = set(engine.info().payload_schema) - _ALWAYS_THERE
    whole = shard.folder / _WHOLE
    shard.indexed = json.loads(whole.read_text())["indexed"] if whole.exists() else None
    shard.engine = engine


def sync_tree(folder: Path) -> None:
    """Put all files below a folder, and their names, on disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def _number(folder: Path) -> int:
    return int(folder.name.partition("@")[2] or 0)
