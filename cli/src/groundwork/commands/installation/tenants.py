"""`tenant`: list, change and delete tenants."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from contracts.access.keys import TenantPatch
from contracts.access.records import RecordMode
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

JOB_SECONDS = 3600.0


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(no_args_is_help=True, help="List, change and delete tenants.")
    group.command("list")(show)
    group.command("change")(change)
    group.command("delete")(delete)
    app.add_typer(group, name="tenant")


def show(context: typer.Context) -> None:
    """Print the names of all tenants."""
    session = session_of(context)
    with session.client() as client:
        for tenant in client.tenants.list():
            session.out.print(tenant.name + ("  (being deleted)" if tenant.deleting else ""))


def change(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As `groundwork tenant list` shows it.", metavar="NAME")],
    records: Annotated[
        RecordMode | None,
        typer.Option(help="What is kept of answers, where a key says nothing else: off, metadata (no words) or full."),
    ] = None,
    records_days: Annotated[int | None, typer.Option(min=1, max=3650, help="For how long that is kept.")] = None,
) -> None:
    """Change what is kept of the answers that a tenant's keys get; what is not given stays."""
    given: dict[str, Any] = {"records": records, "records_days": records_days}
    wanted = {option: value for option, value in given.items() if value is not None}
    if not wanted:
        raise GroundworkError("Say what is to change: --records, --records-days, or both.")
    session = session_of(context)
    with session.client() as client:
        tenant = client.tenants.change(name, TenantPatch(**wanted))
    session.out.print(f"Records of '{tenant.name}': {tenant.records}, kept {tenant.records_days} days.")


def delete(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose keys, documents, agents and threads are to go.", metavar="NAME")],
    confirmed: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for it.")] = JOB_SECONDS,
) -> None:
    """Remove a tenant with everything that it owns, for good, and wait until nothing is left."""
    session = session_of(context)
    if not confirmed and not typer.confirm(f"Delete '{name}' with all its keys, documents, agents and threads?"):
        raise GroundworkError("Nothing was deleted.")
    with session.client() as client, session.notes.status(Text(f"Deleting '{name}' …")):
        client.jobs.wait(client.tenants.delete(name).id, timeout=timeout)
    session.out.print(f"'{name}' is gone.")
