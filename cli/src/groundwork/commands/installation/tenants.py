"""`tenant`: make, list, show, change and delete tenants."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.text import Text

from contracts.access.keys import Limits, Tenant, TenantCreate, TenantPatch
from contracts.access.records import RecordMode
from groundwork.commands.installation.bounds import (
    Concurrency,
    DayBudget,
    MonthBudget,
    RequestsPerMinute,
    TokensPerMinute,
    parse_budgets,
    parse_limits,
    said_of_budgets,
)
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

JOB_SECONDS = 3600.0
Name = Annotated[str, typer.Argument(help="As `groundwork tenant list` shows it.", metavar="NAME")]
Records = Annotated[
    RecordMode | None,
    typer.Option(help="What is kept of answers, where a key says nothing else: off, metadata (no words) or full."),
]
RecordsDays = Annotated[int | None, typer.Option(min=1, max=3650, help="For how long that is kept.")]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(no_args_is_help=True, help="Make, list, show, change and delete tenants.")
    group.command("create")(create)
    group.command("list")(list_names)
    group.command("show")(show)
    group.command("change")(change)
    group.command("delete")(delete)
    app.add_typer(group, name="tenant")


def list_names(context: typer.Context) -> None:
    """Print the names of all tenants."""
    session = session_of(context)
    with session.client() as client:
        for tenant in client.tenants.list():
            session.out.print(tenant.name + ("  (being deleted)" if tenant.deleting else ""))


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Small letters, digits and hyphens.", metavar="NAME")],
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    concurrency: Concurrency = None,
    usd_a_day: DayBudget = None,
    usd_a_month: MonthBudget = None,
    records: Records = None,
    records_days: RecordsDays = None,
) -> None:
    """Make a tenant. Limits and budgets hold for all of its keys together; `groundwork key create` makes these."""
    limits = parse_limits(requests_per_minute, tokens_per_minute, concurrency)
    wanted = {**_given(records, records_days), "limits": Limits(**limits)}
    session = session_of(context)
    body = TenantCreate(name=name, budgets=parse_budgets(usd_a_day, usd_a_month, []), **wanted)
    with session.client() as client:
        session.out.print(_described(client.tenants.create(body)))


def show(context: typer.Context, name: Name) -> None:
    """Print the limits and budgets of a tenant, and what is kept of its answers."""
    session = session_of(context)
    with session.client() as client:
        session.out.print(_described(client.tenants.get(name)))


def change(
    context: typer.Context,
    name: Name,
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    concurrency: Concurrency = None,
    usd_a_day: DayBudget = None,
    usd_a_month: MonthBudget = None,
    records: Records = None,
    records_days: RecordsDays = None,
) -> None:
    """Change limits and budgets of a tenant, and what is kept of its answers; what is not given stays."""
    wanted = _given(records, records_days)
    if limits := parse_limits(requests_per_minute, tokens_per_minute, concurrency):
        wanted["limits"] = Limits(**limits)
    has_budgets = usd_a_day is not None or usd_a_month is not None
    if not wanted and not has_budgets:
        raise GroundworkError("Say what is to change, as in --usd-a-month 50 or --records full.")
    session = session_of(context)
    with session.client() as client:
        if has_budgets:
            wanted["budgets"] = parse_budgets(usd_a_day, usd_a_month, client.tenants.get(name).budgets)
        session.out.print(_described(client.tenants.change(name, TenantPatch(**wanted))))


def _given(records: RecordMode | None, records_days: int | None) -> dict[str, Any]:
    given: dict[str, Any] = {"records": records, "records_days": records_days}
    return {option: value for option, value in given.items() if value is not None}


def _described(tenant: Tenant) -> str:
    """A line each: limits, budgets, records."""
    limits = (
        (tenant.limits.requests_per_minute, "requests a minute"),
        (tenant.limits.tokens_per_minute, "tokens a minute"),
        (tenant.limits.concurrency, "calls at once"),
    )
    said = ", ".join(f"{number} {of}" for number, of in limits if number is not None)
    lines = [
        f"Limits of '{tenant.name}': {said or 'none'}.",
        f"Budgets: {said_of_budgets(tenant.budgets) or 'none'}.",
        f"Records: {tenant.records}" + ("." if tenant.records == "off" else f", kept {tenant.records_days} days."),
    ]
    return "\n".join([*lines, "It is being deleted."] if tenant.deleting else lines)


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
