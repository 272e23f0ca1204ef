"""`ingest --watch`: one line for each thing that happens, until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape

from groundwork.client.files import NoSuchFile
from groundwork.client.watching import FolderWatch, Happening
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
            session.notes.print(
                f"Watching {escape(str(folder))} for '{collection}' ({known} documents so far). Ctrl-C ends it."
            )
            try:
                with _sigterm_like_ctrl_c():
                    watch.run(interval, threading.Event().wait)
            except KeyboardInterrupt:
                session.notes.print("Ending; uploads that have begun are finished first.")
    session.notes.print("Stopped watching. Documents stay; a new watch goes on from here.")


def _folder(paths: list[str]) -> Path:
    folders = [Path(path).expanduser() for path in paths]
    if len(folders) != 1 or folders[0].is_file():
        raise NotOneFolder("Give --watch exactly one folder: groundwork ingest --watch DIR -c NAME.")
    if not folders[0].is_dir():
        raise NoSuchFile(f"There is no folder '{paths[0]}'.")
    return folders[0]


def _show(session: Session, it: Happening) -> None:
    colour = _COLOURS.get(it.what)
    word = f"[{colour}]{it.what:<8}[/{colour}]" if colour else f"{it.what:<8}"
    path = it.path.encode("utf-8", "replace").decode()
    session.out.print(f"{word} {escape(path)}{escape(f'  {it.detail}' if it.detail else '')}")


@contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """Supervisors stop programs with SIGTERM, which should end a watch as cleanly."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
