"""`feedback`: what people say of answers, listed, and as lines to tune and measure with."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from groundwork.commands.session import session_of

FORMAT = "preference (prompt, chosen, rejected), kto (prompt, completion, label) or questions."
MOST = 100


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(no_args_is_help=True, help="What people say of answers.")
    group.command("list")(show)
    group.command("comparisons")(comparisons)
    group.command("export")(export)
    app.add_typer(group, name="feedback")


def show(
    context: typer.Context,
    rating: Annotated[str | None, typer.Option("--rating", help="up, down, or 1 to 5.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Only with this label.")] = None,
    user: Annotated[str | None, typer.Option("--user", help="Only of this person.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = MOST,
) -> None:
    """List feedback, newest first."""
    session, table = session_of(context), Table(box=None)
    for heading in ("answer", "part", "rating", "labels", "said", "user", "model"):
        table.add_column(heading)
    with session.client() as client:
        for one, _ in zip(client.feedback.list(rating=rating, label=label, user=user), range(limit), strict=False):
            part = "" if one.part is None else " ".join(f"{name} {n}" for name, n in one.part if n is not None)
            words = one.correction or one.comment or ""
            values = (
                one.answer_id,
                part,
                str(one.rating or ""),
                ",".join(one.labels),
                words,
                one.user,
                one.model or "",
            )
            table.add_row(*values)
    session.out.print(table)


def comparisons(
    context: typer.Context,
    model: Annotated[str | None, typer.Argument(help="Only with this target, and from its side.")] = None,
    other: Annotated[str | None, typer.Argument(help="Only with this other target.")] = None,
    versions: Annotated[bool, typer.Option("--versions", help="Tell apart the versions that answered.")] = False,
    since: Annotated[datetime | None, typer.Option("--from", help="Chosen then (UTC) or later.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Chosen before then (UTC).")] = None,
) -> None:
    """Which of two targets people chose who did not see which one an answer was of."""
    session, table = session_of(context), Table(box=None)
    asked: Any = {"by": "version" if versions else "target"}
    asked |= {name: at.replace(tzinfo=UTC) for name, at in (("since", since), ("until", until)) if at is not None}
    for heading in ("target", "beside", "questions", "better", "worse", "ties", "both bad", "share [95 %]", "p"):
        table.add_column(heading)
    with session.client() as client:
        for one in client.feedback.comparisons(model, other, **asked):
            share = "" if one.share is None else f"{one.share:.2f} [{one.low:.2f}, {one.high:.2f}]"
            counts = (one.questions, one.wins, one.losses, one.ties, one.both_bad)
            sides = (_side(one.model, one.version), _side(one.other, one.other_version))
            table.add_row(*sides, *map(str, counts), share, "" if one.p is None else f"{one.p:.2g}")
    session.out.print(table)


def _side(target: str, version: str | None) -> str:
    return target if version is None else f"{target} ({version})"


def export(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help=FORMAT, metavar="FORMAT")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output by default.")] = None,
    split: Annotated[str | None, typer.Option("--split", help="train or test; no question is in both.")] = None,
    test_percent: Annotated[int, typer.Option("--test-percent", min=1, max=50, help="The share of test.")] = 10,
) -> None:
    """Write feedback as JSON lines that TRL's trainers and `groundwork eval` load."""
    asked: Any = {"kind": kind, "split": split, "test_percent": test_percent}  # the server says which there are
    with (
        session_of(context).client() as client,
        nullcontext(sys.stdout.buffer) if output is None else output.open("wb") as file,
    ):
        client.feedback.export(into=file, **asked)
