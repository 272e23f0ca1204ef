"""`up`, `down` and `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from groundwork.commands.installation.browser import console_address
from groundwork.commands.session import Session, session_of
from groundwork.errors import GroundworkError

if TYPE_CHECKING:
    from groundwork.stack.supervision.readiness import Readiness

MEGABYTE = 1_000_000


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of the gateway (GROUNDWORK_PORT); 0: any free one.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait until everything is ready.")] = 120.0,
) -> None:
    """Start everything in the background and wait until it is ready.

    Data of an older version are backed up before this one changes them; see `groundwork upgrade`.
    """
    start_home(session_of(context), port, timeout)


def start_home(session: Session, port: int | None, timeout: float, *, with_backup: bool = True) -> None:
    """Start a home and print what somebody who has started it needs."""
    from groundwork.stack.home.errors import StartFailed
    from groundwork.stack.lifecycle import up as start

    wanted = session.settings.port if port is None else port
    is_first = not session.home.admin_key_file.exists()
    try:
        with Live(console=session.notes, transient=True, refresh_per_second=8) as live:
            running = start(
                session.home,
                port=wanted,
                timeout=timeout,
                with_backup=with_backup,
                progress=lambda known, seconds: live.update(_progress(known, seconds)),
            )
    except StartFailed as error:
        if error.log:
            session.notes.print(error.log, soft_wrap=True)
        raise
    if running.backup is not None:
        session.out.print(f"Backup of the data as they were before: {running.backup.folder}", soft_wrap=True)
    if running.already:
        session.out.print(f"Groundwork runs already at {running.base_url}")
    else:
        session.out.print(f"Groundwork is ready at {running.base_url} ({running.seconds:.1f} s)")
    if is_first:
        session.out.print(f"Admin key, made now: {session.home.admin_key_file.read_text().strip()}", soft_wrap=True)
    session.out.print(f"Console: {console_address(running.base_url)}  `groundwork open` opens it, signed in.")
    session.out.print("Key: `groundwork key` prints it.  Stop: `groundwork down`.  Processes: `groundwork status`.")
    _suggest_model(session)


def _suggest_model(session: Session) -> None:
    """One line, where the packaged model is the one that answers."""
    from groundwork.stack.suggestion import suggestion

    try:
        with session.client() as client:
            is_packaged = any(model.default and model.packaged for model in client.models() if model.kind == "chat")
    except GroundworkError:
        return  # everything runs; this is only a hint
    if is_packaged:
        session.out.print(f"A better model than the packaged one: {suggestion().command}")


def down(context: typer.Context) -> None:
    """Stop everything that `up` started, gracefully."""
    from groundwork.stack.lifecycle import down as stop

    session = session_of(context)
    with session.notes.status("Stopping …"):
        ran = stop(session.home)
    session.out.print("Groundwork has stopped." if ran else f"Nothing runs in {session.home.root}.")


def status(context: typer.Context) -> None:
    """Show every process: state, port, memory, and what is not ready. Exit status 1 unless all are ready."""
    from groundwork.stack.lifecycle import base_url, require_running
    from groundwork.stack.status import look

    session = session_of(context)
    state = require_running(session.home)
    rows = look(session.home, state)
    table = Table("process", "pid", "state", "port", "memory", "ready", box=None, pad_edge=False)
    for row in rows:
        ready = Text("yes", "green") if row.readiness.ready else Text(row.readiness.detail, "red")
        memory = f"{row.memory.resident / MEGABYTE:.0f} MB" if row.memory.resident else ""
        state_ = "running" if row.readiness.ready else row.state.lower()
        table.add_row(row.name, str(row.pid or ""), state_, str(row.port or ""), memory, ready)
    session.out.print(f"{base_url(state)}  since {state.started_at:%Y-%m-%d %H:%M} UTC")
    session.out.print(table)
    together = sum(row.memory.share for row in rows)
    session.out.print(f"{together / MEGABYTE:.0f} MB in all, pages that processes share counted once")
    _exit_unless_ready(all(row.readiness.ready for row in rows))


def _exit_unless_ready(ready: bool) -> None:
    if not ready:
        raise typer.Exit(1)


def _progress(known: dict[str, Readiness], seconds: float) -> Table:
    table = Table(
        box=None, pad_edge=False, show_header=False, title=f"Starting … {seconds:.1f} s", title_justify="left"
    )
    for name, readiness in known.items():
        mark = Text("✓", "green") if readiness.ready else Text("…", "yellow")
        table.add_row(mark, name, "" if readiness.ready else readiness.detail)
    return table
