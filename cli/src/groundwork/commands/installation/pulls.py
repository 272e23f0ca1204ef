"""`model pull` and `model pulls`: have a model fetched, watch it come, end it."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from contracts.models.catalog import ModelInfo
from contracts.models.pulls import Pull
from groundwork.client import Groundwork
from groundwork.client.model_sources import Kind
from groundwork.client.pulls import pull_from
from groundwork.commands.api_words import in_commands
from groundwork.commands.session import Session, session_of
from groundwork.errors import GroundworkError


class PullEnded(GroundworkError):
    """It was not fetched; the message says why."""


def fetch(
    session: Session, name: str, place: str, kind: Kind | None, *, default: bool, **more: int | str | None
) -> ModelInfo:
    """Have a model fetched and wait for it; raises `PullEnded`."""
    asked = pull_from(name, place, kind=kind, default=True if default else None, **more)  # type: ignore[arg-type]
    with session.client() as client:
        pull = client.pulls.create(asked)
        try:
            ended = _follow(session, client, pull)
        except KeyboardInterrupt:
            session.notes.print(
                f"It goes on by itself. Look: groundwork model pulls; end it: groundwork model pulls --cancel {pull.id}"
            )
            raise typer.Exit(130) from None
        if ended.status != "ready":
            raise PullEnded(ended.error.message if ended.error else f"The pull of '{name}' was {ended.status}.")
        return client.model(name)


def pulls(
    context: typer.Context,
    cancel: Annotated[str | None, typer.Option(help="End this one.", metavar="ID")] = None,
) -> None:
    """Print the models that are fetched or were, the newest first; with --cancel, end one."""
    session = session_of(context)
    with session.client() as client:
        if cancel is not None:
            ended = client.pulls.cancel(cancel)
            session.out.print(f"The pull of '{ended.model}' ends.")
            return
        found = client.pulls.list()
    if not found:
        session.notes.print("No model was ever fetched. For example: groundwork model pull qwen --from ollama:qwen3:4b")
        return
    table = Table("id", "model", "status", "bytes", "of", "why", box=None, pad_edge=False)
    for pull in found:
        why = (
            in_commands(pull.error.message) if pull.error else f"waits for {pull.waiting_on}" if pull.waiting_on else ""
        )
        table.add_row(pull.id, pull.model, pull.status, f"{pull.bytes_done:,}", f"{pull.bytes_total or 0:,}", why)
    session.out.print(table)


def _follow(session: Session, client: Groundwork, pull: Pull) -> Pull:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=session.notes, transient=True, disable=not session.notes.is_terminal) as bar:
        task = bar.add_task(pull.status, total=pull.bytes_total)

        def changed(now: Pull) -> None:
            words = f"waits for {now.waiting_on}" if now.waiting_on else now.status
            bar.update(task, description=words, completed=now.bytes_done, total=now.bytes_total)

        return client.pulls.wait(pull, changed)
