"""`key`: the home's admin key, and the keys that it makes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from contracts.access.delegation import Scope
from contracts.access.keys import Key, KeyPatch, Limits
from contracts.access.records import RecordMode
from contracts.core.abstention import AbstainOrDefault
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
from groundwork.commands.session import read_admin_key, session_of

SCOPES = (
    "chat, documents, search, agents (run them), agents:write (make and change them, and prompts), "
    "prompts:release (move protected labels of prompts), feedback:write (rate answers), feedback:review (judge and "
    "export), records:read, records:write, evaluations:read, evaluations:write or admin; again for several."
)
KeyId = Annotated[str, typer.Argument(help="As `groundwork key list` shows it.", metavar="ID")]
Records = Annotated[
    Literal[RecordMode, "tenant"] | None,
    typer.Option(help="What is kept of its answers: off, metadata (no words), full; tenant: as its tenant has it."),
]
RecordsDays = Annotated[
    int | None, typer.Option(min=1, max=3650, help="For how long they are kept; else as its tenant has it.")
]

Decides = Annotated[
    AbstainOrDefault | None,
    typer.Option(
        "--abstain",
        help="Who decides for its answers that documents hold none; default: nobody in particular, as it is at first.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(invoke_without_command=True, help="Print the admin key of this home; make and change keys.")
    group.callback()(key)
    for command, name in (
        (create, "create"),
        (show, "list"),
        (change, "change"),
        (rotate, "rotate"),
        (revoke, "revoke"),
    ):
        group.command(name)(command)
    app.add_typer(group, name="key")


def key(context: typer.Context) -> None:
    """Print the admin key of this home, and nothing else, so that it can be used in scripts; or manage keys."""
    if context.invoked_subcommand is None:
        typer.echo(read_admin_key(session_of(context).home.admin_key_file))


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Whose; made if there is none.")] = "default",
    scope: Annotated[list[str] | None, typer.Option("--scope", help=SCOPES)] = None,
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    concurrency: Concurrency = None,
    usd_a_day: DayBudget = None,
    usd_a_month: MonthBudget = None,
    records: Records = None,
    records_days: RecordsDays = None,
    abstain: Decides = None,
) -> None:
    """Make a key and print its secret, which is shown this once."""
    scopes: Any = scope or ["chat", "documents", "search"]
    typed: list[Scope] = scopes  # the server says which there are
    limits = parse_limits(requests_per_minute, tokens_per_minute, concurrency)
    budgets = parse_budgets(usd_a_day, usd_a_month, [])
    with session_of(context).client() as client:
        made = client.keys.create(
            name,
            tenant=tenant,
            scopes=typed,
            limits=Limits(**limits),
            budgets=budgets,
            records=None if records == "tenant" else records,
            records_days=records_days,
            abstain=None if abstain == "default" else abstain,
        )
    session_of(context).notes.print(f"made {made.id}")
    typer.echo(made.secret)


def show(context: typer.Context) -> None:
    """List all keys with their limits and budgets."""
    session, table = session_of(context), Table(box=None)
    for heading in (
        "id",
        "name",
        "tenant",
        "scopes",
        "requests/min",
        "tokens/min",
        "at once",
        "budgets",
        "records",
        "abstain",
        "state",
    ):
        table.add_column(heading)
    with session.client() as client:
        for one in client.keys.list():
            limits = one.limits
            numbers = (limits.requests_per_minute, limits.tokens_per_minute, limits.concurrency)
            budgets = said_of_budgets(one.budgets)
            scopes, rest = ",".join(one.scopes), (one.records or "", one.abstain or "", _state(one))
            cells = [str(number) if number is not None else "" for number in numbers]
            table.add_row(one.id, one.name, one.tenant, scopes, *cells, budgets, *rest)
    session.out.print(table)


def change(
    context: typer.Context,
    key_id: KeyId,
    requests_per_minute: RequestsPerMinute = None,
    tokens_per_minute: TokensPerMinute = None,
    concurrency: Concurrency = None,
    usd_a_day: DayBudget = None,
    usd_a_month: MonthBudget = None,
    records: Records = None,
    records_days: RecordsDays = None,
    abstain: Decides = None,
) -> None:
    """Change limits and budgets of a key, what is kept of its answers and who decides that there is none; what is not
    given stays."""
    wanted: dict[str, Any] = {}
    if records is not None:
        wanted["records"] = None if records == "tenant" else records
    if records_days is not None:
        wanted["records_days"] = records_days
    if abstain is not None:
        wanted["abstain"] = None if abstain == "default" else abstain
    limits = parse_limits(requests_per_minute, tokens_per_minute, concurrency)
    if limits:
        wanted["limits"] = Limits(**limits)
    with session_of(context).client() as client:
        if usd_a_day is not None or usd_a_month is not None:
            now = next((one.budgets for one in client.keys.list() if one.id == key_id), [])
            wanted["budgets"] = parse_budgets(usd_a_day, usd_a_month, now)
        client.keys.change(key_id, KeyPatch(**wanted))


def rotate(
    context: typer.Context,
    key_id: KeyId,
    overlap: Annotated[int, typer.Option(min=0, help="Seconds for which the old secret is good, too.")] = 86_400,
) -> None:
    """Give a key a new secret and print it."""
    with session_of(context).client() as client:
        typer.echo(client.keys.rotate(key_id, overlap).secret)


def revoke(context: typer.Context, key_id: KeyId) -> None:
    """End a key for ever."""
    with session_of(context).client() as client:
        client.keys.revoke(key_id)


def _state(one: Key) -> str:
    if one.revoked_at is not None:
        return "revoked"
    return f"until {one.expires_at:%Y-%m-%d %H:%M}" if one.expires_at is not None else "works"
