"""`backup` and `restore` of a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from groundwork.client.backups import Changed, back_up
from groundwork.client.backups import restore as restore_backup
from groundwork.commands.session import Session, session_of
from groundwork.errors import GroundworkError

MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(help="What to back up.")],
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", metavar="FILE")],
) -> None:
    """Write a collection to one file: documents, their texts, how they are cut, and their embeddings."""
    session = session_of(context)
    with session.client() as client, _bar(session, "backing up") as bar:
        try:
            done = back_up(client, collection, file, changed=_moving(bar))
        except OSError as error:
            raise GroundworkError(f"'{file}' can't be written: {error.strerror or error}.") from None
    for document_id in done.unfinished:
        session.notes.print(f"[yellow]{escape(document_id)} was not ready: what was there of it is kept[/yellow]")
    size = f"{done.bytes / MEGABYTE:.1f} MB"
    session.out.print(f"{done.documents} documents of '{collection}' in {escape(str(file))}, {size}")


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that `groundwork backup` wrote.", metavar="FILE")],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Where to, instead of under the name that it had.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for each document.")] = 3600.0,
) -> None:
    """Put a backup's documents back. What is there already stays. Exit status 1 if any failed, with each reason."""
    session = session_of(context)
    with session.client() as client, _bar(session, "restoring") as bar:
        try:
            done = restore_backup(client, file, collection=collection, timeout=timeout, changed=_moving(bar))
        except OSError as error:
            raise GroundworkError(f"'{file}' can't be read: {error.strerror or error}.") from None
    for document_id, why in done.failed.items():
        session.notes.print(f"[red]failed {escape(document_id)}: {escape(why)}[/red]")
    session.out.print(
        f"{len(done.ready)} documents restored, {len(done.unchanged)} were there, {len(done.failed)} failed"
    )
    if done.failed:
        raise typer.Exit(1)


def _bar(session: Session, what: str) -> Progress:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=session.notes, transient=True)
    bar.add_task(what, total=None)
    return bar


def _moving(bar: Progress) -> Changed:
    return lambda done, total: bar.update(bar.task_ids[0], completed=done, total=total)
