"""`doctor`."""

from __future__ import annotations

import typer
from rich.text import Text

from groundwork.commands.session import session_of


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(doctor)


def doctor(context: typer.Context) -> None:
    """Check this installation and say how to mend what is wrong. Exit status 1 if anything is."""
    from groundwork.stack.doctor import examine

    session = session_of(context)
    sick = False
    for finding in examine(session.home, port=session.settings.port):
        mark = ("✓", "green") if finding.ok else ("✗", "red")
        session.out.print(Text.assemble(mark, f" {finding.check}: {finding.detail}"))
        if not finding.ok:
            sick = True
            session.out.print(f"    {finding.mend}")
    if sick:
        raise typer.Exit(1)
