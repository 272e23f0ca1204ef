"""Where the examples find the server, how they end, and how they print what an answer rests on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from contracts.models.citations import Annotation
from groundwork.client import Groundwork, GroundworkError
from groundwork.commands.session import Session
from groundwork.settings import CommandSettings


def run(application: Callable[[Groundwork], Any]) -> NoReturn:
    """Run an application on the server that GROUNDWORK_BASE_URL and GROUNDWORK_API_KEY name, else on the one that
    `make up` has started. An error is one sentence and exit status 1."""
    try:
        with Session(CommandSettings()).client() as client:
            application(client)
    except GroundworkError as error:
        raise SystemExit(str(error)) from None
    except KeyboardInterrupt:
        raise SystemExit("Stopped.") from None
    raise SystemExit(0)


def citation_lines(citations: Sequence[Annotation]) -> Iterator[str]:
    """A line for each: its marker, its document with the page, and the quote."""
    for one in citations:
        page = f", page {one.page}" if one.page else ""
        yield f"{one.marker} {one.title} ({one.source}{page}): “{' '.join(one.quote.split())}”"


def packaged_chat_model(client: Groundwork) -> str | None:
    """The default chat model's name if it is the small one that ships: it can't write or judge; None otherwise."""
    default = next((model for model in client.models() if model.kind == "chat" and model.default), None)
    return default.id if default and default.packaged else None
