"""`upgrade`."""

from __future__ import annotations

from typing import Annotated

import typer

from groundwork.commands.installation.lifecycle import start_home
from groundwork.commands.session import Session, session_of

MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(upgrade)


def upgrade(
    context: typer.Context,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
    without_backup: Annotated[
        bool, typer.Option("--without-backup", help="Make no backup first: there is another one.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the gateway (GROUNDWORK_PORT); 0: any free one.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until everything is ready.")] = 600.0,
) -> None:
    """Bring this home's data to the version that is installed: stop, back up, migrate, start.

    The backup is a folder in the home; `groundwork restore FOLDER` goes back to it.
    """
    from groundwork.stack.lifecycle import down

    session = session_of(context)
    _show_plan(session, without_backup=without_backup)
    if check:
        return
    with session.notes.status("Stopping …"):
        down(session.home)
    start_home(session, port, timeout, with_backup=not without_backup)


def _show_plan(session: Session, *, without_backup: bool) -> None:
    from groundwork.stack.upgrades.plan import make_plan

    plan = make_plan(session.home)
    session.out.print(f"Installed: {plan.installed}. Data written by: {plan.written_by}.")
    for schema in plan.pending:
        session.out.print(f"{schema.service}: schema {schema.revision} becomes {schema.newest}")
    if not plan.pending:
        session.out.print("No database of this home needs a migration.")
    elif without_backup:
        session.out.print("No backup is made.")
    else:
        size = f"{plan.backup_bytes / MEGABYTE:.0f} MB"
        session.out.print(f"Backup before that: {size} in {session.home.backups}", soft_wrap=True)
    if plan.elsewhere:
        session.out.print(
            f"Not in that backup: {', '.join(plan.elsewhere)}. Before you install another version, run "
            "`groundwork backup --everything FILE` with the one that runs.",
            soft_wrap=True,
        )
    for backup in plan.backups:
        session.out.print(f"To go back: groundwork restore {backup.folder}", soft_wrap=True)
