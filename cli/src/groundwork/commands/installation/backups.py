"""`backup` and `restore`, of a collection or of everything."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from groundwork.client.transfers.backups import Changed, back_up
from groundwork.client.transfers.backups import restore as restore_backup
from groundwork.commands.session import Session, session_of
from groundwork.errors import GroundworkError

MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    context: typer.Context,
    what: Annotated[
        str, typer.Argument(help="The collection to back up; none with --everything.", metavar="[COLLECTION]")
    ],
    file: Annotated[
        Path | None, typer.Argument(help="The file to write; it must not exist.", metavar="FILE", show_default=False)
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--everything", help="All tenants' documents, answers' threads, keys and usage, at one moment."),
    ] = False,
) -> None:
    """Write a collection to one file, or with --everything all that the server holds, while it goes on working."""
    session = session_of(context)
    if everything != (file is None):
        raise GroundworkError("Say either `backup COLLECTION FILE` or `backup --everything FILE`.")
    try:
        if file is None:
            _back_up_everything(session, Path(what))
        else:
            _back_up_collection(session, what, file)
    except OSError as error:
        raise GroundworkError(f"'{file or what}' can't be written: {error.strerror or error}.") from None


def restore(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            help="A file that `groundwork backup` wrote, or the folder of an upgrade's backup.", metavar="FILE"
        ),
    ],
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Where to, instead of under the name that it had.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for each document.")] = 3600.0,
) -> None:
    """Put a backup back. Nothing is overwritten. Exit status 1 if anything failed, with each reason.

    A collection's documents go into the server that runs; what is there stays. A backup of everything becomes a home of
    its own: name one (--home) that does not exist yet, then start it with `groundwork up`. The backup of an upgrade
    goes back into its home, and what was there becomes a backup itself.
    """
    session = session_of(context)
    if file.is_dir():
        _undo_upgrade(session, file)
        return
    if file.is_file() and tarfile.is_tarfile(file):
        _restore_everything(session, file)
        return
    with session.client() as client, _bar(session, "restoring") as bar:
        try:
            done = restore_backup(client, file, collection=collection, timeout=timeout, changed=_moving(bar))
        except OSError as error:
            raise GroundworkError(f"'{file}' can't be read: {error.strerror or error}.") from None
    for document_id, why in done.failed.items():
        session.notes.print(f"failed {document_id}: {why}", style="red")
    session.out.print(
        f"{len(done.ready)} documents restored, {len(done.unchanged)} were there, {len(done.failed)} failed"
    )
    if done.failed:
        raise typer.Exit(1)


def _back_up_collection(session: Session, collection: str, file: Path) -> None:
    with session.client() as client, _bar(session, "backing up") as bar:
        done = back_up(client, collection, file, changed=_moving(bar))
    for document_id in done.unfinished:
        session.notes.print(f"{document_id} was not ready: what was there of it is kept", style="yellow")
    size = f"{done.bytes / MEGABYTE:.1f} MB"
    session.out.print(f"{done.documents} documents of '{collection}' in {file}, {size}")


def _back_up_everything(session: Session, file: Path) -> None:
    from groundwork.stack import backup as whole_backups

    with session.client() as client, session.notes.status("Backing everything up …"):
        about = whole_backups.back_up(client, file)
    size = f"{file.stat().st_size / MEGABYTE:.1f} MB"
    session.out.print(f"Everything as of {about.made_at:%Y-%m-%d %H:%M:%S} UTC in {file}, {size}.")
    session.out.print("It holds all tenants' documents: keep it as safe as the server itself.")


def _restore_everything(session: Session, file: Path) -> None:
    from groundwork.stack import backup as whole_backups
    from groundwork.stack.configuration.overrides import Overrides

    home = session.home
    with session.notes.status("Restoring …") as shown:
        about = whole_backups.restore(home, file, Overrides.read(home), lambda what: shown.update(f"Restoring: {what}"))
    session.out.print(f"{home.root} is as it was at {about.made_at:%Y-%m-%d %H:%M:%S} UTC.")
    session.out.print("Keys go on working; `groundwork key` prints an admin key made now. Start it: `groundwork up`.")


def _undo_upgrade(session: Session, folder: Path) -> None:
    from groundwork.stack.lifecycle import restore_backup as put_back

    with session.notes.status("Restoring …"):
        backup, replaced = put_back(session.home, folder)
    session.out.print(f"{session.home.root} is as it was at {backup.about.made_at:%Y-%m-%d %H:%M:%S} UTC.")
    if replaced is not None:
        session.out.print(f"What was there until now: {replaced.folder}", soft_wrap=True)
    version = backup.about.written_by or f"the version before {backup.about.before}"
    session.out.print(f"Install {version} before `groundwork up`: this version would upgrade it again.")


def _bar(session: Session, what: str) -> Progress:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=session.notes, transient=True)
    bar.add_task(what, total=None)
    return bar


def _moving(bar: Progress) -> Changed:
    return lambda done, total: bar.update(bar.task_ids[0], completed=done, total=total)
