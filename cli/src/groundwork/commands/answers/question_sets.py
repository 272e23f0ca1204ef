"""`groundwork questions …`: question sets saved, shown, exported and deleted."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, get_args

import typer

from contracts.core.base import NAME
from contracts.improvement.evaluations import SafetySuite
from groundwork.client.improvement.question_sets import question_lines, read_question_file
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

commands = typer.Typer(name="questions", no_args_is_help=True, help="Question sets: what evaluations ask.")
REFERENCE = "NAME, or NAME@NUMBER; NAME alone is the newest version."
SetArgument = Annotated[str, typer.Argument(metavar="NAME[@N]", help=REFERENCE)]
SUITES = get_args(SafetySuite)
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


class NoSuchQuestionSet(GroundworkError):
    """What was given names no version."""

    def __init__(self, text: str, suites: bool = False) -> None:
        more = f" Those that ship are {', '.join(SUITES)}." if suites else ""
        super().__init__(f"'{text[:100]}' names no question set. Write {REFERENCE}{more}")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.add_typer(commands)


@commands.command("list")
def listed(context: typer.Context) -> None:
    """List question sets with their newest versions."""
    session = session_of(context)
    with session.client() as client:
        for one in client.question_sets.list():
            splits = ", ".join(f"{name} {count}" for name, count in one.splits.items())
            session.out.print(f"{one.name}\tversion {one.version}\t{one.questions} questions\t{splits}")


@commands.command()
def show(context: typer.Context, name: SetArgument) -> None:
    """Show what a version has, and which versions there are."""
    session = session_of(context)
    which, version = set_reference(name)
    with session.client() as client:
        found = client.question_sets.get(which, version)
        versions = ", ".join(str(one.version) for one in client.question_sets.versions(which))
    splits = ", ".join(f"{split} {count}" for split, count in found.splits.items()) or "none"
    rows = {
        "version": f"{found.version} of {versions}",
        "questions": f"{found.questions}: {found.answerable} with what answers, {found.unanswerable} that nothing does",
        "splits": splits,
        "saved": found.updated_at.isoformat(timespec="seconds"),
        "digest": found.digest,
    }
    session.write(f"{found.name}  {found.description}".rstrip())
    for label, value in rows.items():
        session.write(f"{label:<10} {value}")


@commands.command()
def save(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Which set; it is made if there is none.")],
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON lines, CSV, a folder as BEIR has it, or - for JSON lines.")
    ],
    append: Annotated[
        bool,
        typer.Option(
            "--append",
            help="Add to the newest version's questions; one with an id of its own replaces the one that has it.",
        ),
    ] = False,
    skip: Annotated[
        bool, typer.Option("--skip-duplicates", help="Leave out what asks the same, where it is refused otherwise.")
    ] = False,
    description: Annotated[str | None, typer.Option(help="What the set is.")] = None,
) -> None:
    """Save questions as a version; content that the newest version has already makes none."""
    read = question_lines("standard input", sys.stdin.read()) if str(source) == "-" else None
    file = read or read_question_file(source)
    session = session_of(context)
    with session.client() as client:
        saved = client.question_sets.save(name, file, append=append, skip_duplicates=skip, description=description)
    for one in saved.skipped:
        session.notes.print(f"left out: {one.id}, which asks what {one.like} does")
    session.out.print(f"{saved.name} version {saved.version}, {saved.questions} questions")


@commands.command()
def export(
    context: typer.Context,
    name: SetArgument,
    split: Annotated[str | None, typer.Option(help="Only the questions of this split.")] = None,
) -> None:
    """Print the questions as JSON lines, which `save` and `eval` read."""
    session = session_of(context)
    which, version = set_reference(name)
    with session.client() as client:
        for one in client.question_sets.questions(which, version, split=split):
            session.write(one.model_dump_json(exclude_defaults=True))


@commands.command()
def delete(context: typer.Context, name: SetArgument) -> None:
    """Delete a version, or the set with all of them."""
    session = session_of(context)
    which, version = set_reference(name)
    with session.client() as client:
        client.question_sets.delete(which, version)
    session.out.print(f"{name} is gone")


def set_reference(text: str, *, suites: bool = False) -> tuple[str, int | None]:
    """Name and version of a set, with `suites` also of one that ships; raises `NoSuchQuestionSet`."""
    name, at, number = text.partition("@")
    if not (NAME.fullmatch(name) or (suites and name in SUITES)) or (at and not _NUMBER.fullmatch(number)):
        raise NoSuchQuestionSet(text, suites)
    return name, int(number) if at else None
