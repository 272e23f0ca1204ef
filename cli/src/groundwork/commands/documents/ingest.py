"""`ingest`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from contracts.documents.documents import Document
from extraction.formats.catalog import media_type_of
from groundwork.client import Groundwork
from groundwork.client.transfers.bulk import Batch, ingest_files
from groundwork.client.transfers.files import Found, find_files
from groundwork.commands.api_words import in_commands
from groundwork.commands.documents.watch import watch_folder
from groundwork.commands.session import Session, session_of

STAGES = ("uploading", "parsing", "indexing", "ready")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(ingest)


def ingest(
    context: typer.Context,
    paths: Annotated[list[str], typer.Argument(help="Files, folders (with all below) or patterns.", metavar="PATH...")],
    collection: Annotated[
        str, typer.Option("--collection", "-c", help="Where they go; made with the defaults if it does not exist.")
    ],
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until all are ready.")] = 3600.0,
    watch: Annotated[bool, typer.Option("--watch", help="Keep the collection in step with one folder.")] = False,
    name: Annotated[
        str | None, typer.Option(help="With --watch: what the folder is called, instead of its path on this machine.")
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="With --watch: seconds between two looks.")] = 1.0,
) -> None:
    """Upload documents and wait until they can be found. Exit status 1 if any failed, with each reason.

    With --watch, upload what is new or changed in a folder and delete what vanished from it, until Ctrl-C.
    """
    session = session_of(context)
    if watch:
        watch_folder(session, paths, collection, name, interval)
        return
    found = find_files(paths)
    _say_skipped(session, found)
    if not found.files:
        session.notes.print("There is nothing to ingest.", style="red")
        raise typer.Exit(1)
    with session.client() as client:
        client.collections.ensure(collection)
        with _bars(session, len(found.files)) as bars:
            batch = ingest_files(client, collection, found.files, timeout=timeout, changed=lambda now: _show(bars, now))
        unread = [document for document in _documents(client, collection, batch) if document.unread_pages]
    _summarise(session, collection, batch)
    for document in unread:
        pages = ", ".join(map(str, document.unread_pages))
        session.notes.print(f"{document.source}: pages {pages} are pictures and were not read", style="yellow")
    if batch.failed:
        raise typer.Exit(1)


def _documents(client: Groundwork, collection: str, batch: Batch) -> Iterator[Document]:
    """The batch's documents that have pages, as they are now."""
    for state in batch.states:
        if state.document is not None and state.job is not None and state.job.pages_total:
            yield client.documents.get(collection, state.document.id)


def _say_skipped(session: Session, found: Found) -> None:
    for file in found.skipped:
        why = "it is empty" if media_type_of(file.name) else "its name tells of no document that can be read"
        session.notes.print(f"skipped {file}: {why}; name it to try", style="yellow")


def _bars(session: Session, total: int) -> Progress:
    bars = Progress(
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=session.notes,
        transient=True,
    )
    for stage in STAGES:
        bars.add_task(stage, total=total)
    return bars


def _show(bars: Progress, batch: Batch) -> None:
    counts = {
        "uploading": sum(state.uploaded for state in batch.states),
        "parsing": sum(state.past("parsing") for state in batch.states),
        "indexing": sum(state.past("indexing") for state in batch.states),
        "ready": sum(state.ready for state in batch.states),
    }
    for task in bars.tasks:
        bars.update(task.id, completed=counts[task.description])


def _summarise(session: Session, collection: str, batch: Batch) -> None:
    for state in batch.failed:
        session.notes.print(f"failed {state.file}: {in_commands(state.failure or '')}", style="red")
    ready = sum(state.ready for state in batch.states)
    unchanged = sum(state.unchanged for state in batch.states)
    details = [f"{unchanged} unchanged"] if unchanged else []
    details += [f"{len(batch.failed)} failed"] if batch.failed else []
    more = f" ({', '.join(details)})" if details else ""
    session.out.print(f"{ready} of {len(batch.states)} documents ready in '{collection}'{more}, {batch.seconds:.1f} s")
