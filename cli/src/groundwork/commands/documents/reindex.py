"""`reindex`."""

from __future__ import annotations

import time
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from contracts.documents.jobs import Job
from contracts.retrieval.collections import Collection
from groundwork.client import Groundwork
from groundwork.commands.collection_choice import called
from groundwork.commands.documents.collections import (
    ChunkingOption,
    MaxTokens,
    OnDisk,
    Overlap,
    Quantization,
    chunking_of,
    vectors_of,
)
from groundwork.commands.session import Session, session_of


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(reindex)


def reindex(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(callback=called, help="The collection.")],
    embedding_model: Annotated[
        str | None, typer.Option(help="The model that embeds it from now on; `default` for the current default.")
    ] = None,
    chunking: ChunkingOption = None,
    max_tokens: MaxTokens = None,
    overlap: Overlap = 0,
    language: Annotated[str | None, typer.Option(help="How words are analysed: `auto` or a two-letter code.")] = None,
    quantization: Quantization = None,
    on_disk: OnDisk = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until it is done.")] = 86_400.0,
) -> None:
    """Build a collection's index anew while the old one serves, then put it in its place. Nothing is uploaded again.

    Ctrl-C stops waiting, not the job.
    """
    session = session_of(context)
    cut = chunking_of(chunking, max_tokens, overlap)
    began = time.monotonic()
    with session.client() as client:
        vectors = vectors_of(quantization, on_disk, client.collections.get(collection).vectors)
        job = client.collections.reindex(
            collection, embedding_model=embedding_model, chunking=cut, language=language, vectors=vectors
        )
        _wait(session, client, job, timeout)
        _summarise(session, client.collections.get(collection), time.monotonic() - began)


def _wait(session: Session, client: Groundwork, job: Job, timeout: float) -> None:
    columns = (TextColumn("{task.description:<10}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session.notes, transient=True) as bars:
        bar = bars.add_task(job.stage, total=1.0)
        client.jobs.wait(
            job.id,
            timeout=timeout,
            on_change=lambda now: bars.update(bar, description=now.stage, completed=now.progress),
        )


def _summarise(session: Session, now: Collection, seconds: float) -> None:
    chunking = now.chunking.strategy
    session.out.print(
        f"'{now.name}' serves generation {now.index.generation}: {now.chunks} chunks of {now.documents} documents, "
        f"model {now.embedding_model}, chunking {chunking}, {seconds:.1f} s"
    )
