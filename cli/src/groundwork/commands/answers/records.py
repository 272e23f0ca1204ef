"""`records`: what was asked and answered, where a key or its tenant has that recorded."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Literal

import typer

from groundwork.commands.collection_choice import called
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

BEGINNING = 100
RecordId = Annotated[str, typer.Argument(help="The answer's, as `groundwork records list` shows it.", metavar="ID")]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(no_args_is_help=True, help="Answers that were recorded: list, show and delete them.")
    for command, name in ((show_all, "list"), (show, "show"), (delete, "delete")):
        group.command(name)(command)
    app.add_typer(group, name="records")


def show_all(
    context: typer.Context,
    words: Annotated[str | None, typer.Argument(help="Words of question or answer.", metavar="WORDS")] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", callback=called, help="Answers from this one.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="As it was asked for, or that worded the answer.")] = None,
    user: Annotated[str | None, typer.Option(help="OpenAI's `user`.")] = None,
    rating: Annotated[Literal["up", "down", "none"] | None, typer.Option(help="From feedback.")] = None,
    abstained: Annotated[bool | None, typer.Option(help="Whether the documents had no answer.")] = None,
    error: Annotated[bool | None, typer.Option(help="Whether the call ended with an error.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, help="How many.")] = 50,
) -> None:
    """Print answers, the newest first: id, time, model, what became of it, question."""
    session = session_of(context)
    with session.client() as client:
        found = client.records.list(
            collection=collection, model=model, user=user, rating=rating, abstained=abstained, error=error, q=words
        )
        for one in islice(found, most):
            end = one.error_type or ("abstained" if one.abstained else "answered")
            question = " ".join((one.question or "").split())[:BEGINNING]
            session.out.print(f"{one.id}\t{one.at:%Y-%m-%d %H:%M}\t{one.model}\t{end}\t{question}")


def show(context: typer.Context, record_id: RecordId) -> None:
    """Print all that is known of one answer, as JSON."""
    with session_of(context).client() as client:
        typer.echo(client.records.get(record_id).model_dump_json(indent=2, exclude_none=True))


def delete(
    context: typer.Context,
    record_id: Annotated[str | None, typer.Argument(help="The answer's.", metavar="ID")] = None,
    user: Annotated[str | None, typer.Option(help="All records of this user instead.")] = None,
) -> None:
    """Remove one record, or all of a user, for ever."""
    if (record_id is None) == (user is None):
        raise GroundworkError("Say which record: its id, or --user for all of a user.")
    session = session_of(context)
    with session.client() as client:
        if user is not None:
            session.out.print(f"{client.records.delete_of_user(user)} records are gone.")
        elif record_id is not None:
            client.records.delete(record_id)
            session.out.print(f"{record_id} is gone.")
