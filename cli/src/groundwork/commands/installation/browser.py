"""`open`: the console in a browser, signed in."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from groundwork.commands.installation.one_time_link import one_time_link
from groundwork.commands.session import session_of

BROWSER_SECONDS = 60.0
"""A browser that has not come by then will not."""


def register(app: typer.Typer) -> None:
    """Add this group's command."""
    app.command("open")(open_console)


def open_console(
    context: typer.Context,
    show: Annotated[
        bool, typer.Option("--print", help="Print the address that signs in, good once and for a minute.")
    ] = False,
) -> None:
    """Open the console in the browser, signed in with the key of this home (or --api-key)."""
    session = session_of(context)
    address = console_address(session.base_url())
    with session.client() as client:

        def signing_in() -> str:
            return f"{address}#token={client.session_token().token}"

        if show:
            session.write(signing_in())
            return
        with one_time_link(signing_in) as link:
            opened = webbrowser.open(link.address)
            came = opened and link.used.wait(BROWSER_SECONDS)
        if link.fault is not None:
            raise link.fault
        if came:
            session.out.print(f"Opened {address}")
            return
        session.notes.print(
            "The browser did not come to this machine's address." if opened else "There is no browser here.",
            "Within a minute, open in one that reaches this address:",
        )
        session.write(signing_in())


def console_address(base_url: str) -> str:
    """Where a server has its console."""
    return f"{base_url.rstrip('/')}/console/"
