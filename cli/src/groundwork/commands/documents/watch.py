"""`ingest --watch`: one line for each thing that happens, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.text import Text

from groundwork.client.transfers.files import NoSuchFile
from groundwork.client.transfers.folder_watch import FolderWatch, Happening
from groundwork.commands.api_words import in_commands
from groundwork.commands.session import Session
from groundwork.errors import GroundworkError

_COLOURS = {"failed": "red", "waiting": "yellow", "kept": "yellow", "ready": "green"}


class NotOneFolder(GroundworkError):
    """A watch needs exactly one folder."""


def watch_folder(session: Session, paths: list[str], collection: str, name: str | None, interval: float) -> None:
    """Keep a collection in step with a folder until SIGINT or SIGTERM; then end what has begun, and return."""
    folder = _folder(paths)
    with session.client() as client:
        client.collections.ensure(collection)
        with FolderWatch(client, collection, folder, name=name, happened=lambda it: _show(session, it)) as watch:
            known = watch.start()
            session.notes.print(f"Watching {folder} for '{collection}' ({known} documents so far). Ctrl-C ends it.")
            try:
                with _ended_by_signals() as over:
                    watch.run(interval, over.wait)
            except KeyboardInterrupt:
                session.notes.print("Ending; uploads that have begun are finished first.")
    session.notes.print("Stopped watching. Documents stay; a new watch goes on from here.")


def _folder(paths: list[str]) -> Path:
    if "" in paths:
        raise NoSuchFile("An empty path names nothing. Write . for the folder that you are in.")
    folders = [Path(path).expanduser() for path in paths]
    if len(folders) != 1 or folders[0].is_file():
        raise NotOneFolder("Give --watch exactly one folder: groundwork ingest --watch DIR -c NAME.")
    if not folders[0].is_dir():
        raise NoSuchFile(f"There is no folder '{paths[0]}'.")
    return folders[0]


def _show(session: Session, it: Happening) -> None:
    path = it.path.encode("utf-8", "replace").decode()
    word = (f"{it.what:<8}", _COLOURS.get(it.what, ""))
    session.out.print(Text.assemble(word, f" {path}", f"  {in_commands(it.detail)}" if it.detail else ""))


@contextmanager
def _ended_by_signals() -> Iterator[threading.Event]:
    """Supervisors stop programs with SIGTERM, which ends a watch as Ctrl-C does: at once, by an exception.

    Where that is raised in code whose exceptions nobody sees, as in a finalizer, the event ends it at its next look.
    """
    over = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        over.set()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
