"""`key`."""

from __future__ import annotations

import typer

from groundwork.commands.session import read_admin_key, session_of


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(key)


def key(context: typer.Context) -> None:
    """Print the admin key of this home, and nothing else, so that it can be used in scripts."""
    session = session_of(context)
    typer.echo(read_admin_key(session.home.admin_key_file))
