"""`config`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from groundwork.commands.session import session_of


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(config)


def config(
    context: typer.Context,
    service: Annotated[str | None, typer.Argument(help="Only this service.")] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what differs from the defaults.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each setting means.")] = False,
) -> None:
    """Show the effective configuration of every service and where each value came from. Secrets stay hidden."""
    from groundwork.stack.configuration.files import SERVICES, effective, unknown_settings
    from groundwork.stack.configuration.overrides import Overrides
    from groundwork.stack.lifecycle import running_state

    session = session_of(context)
    if service is not None and service not in SERVICES:
        raise typer.BadParameter(f"There is no service '{service}'. They are {', '.join(SERVICES)}.")
    home = session.home
    state, overrides = running_state(home), Overrides.read(home)
    for name in [service] if service else SERVICES:
        table = Table("setting", "value", "from", *(["meaning"] if explain else []), box=None, pad_edge=False)
        for row in effective(home, state, overrides, name):
            if changed and row.source == "default":
                continue
            cells = [row.variable, row.value, row.source, *([row.meaning] if explain else [])]
            table.add_row(*cells, style=None if row.source == "default" else "bold")
        session.out.print(name, style="bold")
        session.out.print(table)
        session.out.print()
        for variable in unknown_settings(overrides, name):
            session.notes.print(f"{variable} is not a setting of {name}; is it misspelt?", style="yellow")
    when = "as it runs" if state else "as it would start"
    session.notes.print(
        f"{when}; from: default · groundwork (chosen by `up`) · .env · home ({home.settings_file}) · environment"
    )
