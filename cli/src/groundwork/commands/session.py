"""What every command starts from: the home, the server to talk to, and where to print."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from groundwork.client import Groundwork
from groundwork.errors import GroundworkError
from groundwork.settings import CommandSettings

PIPE_WIDTH = 240
ERROR_STATUS = "groundwork.error_status"
"""In a context's `meta`: the exit status of errors."""

if TYPE_CHECKING:
    from groundwork.stack.home.folder import Home


class NoKey(GroundworkError):
    """There is a server, but no key for it."""


@dataclass(frozen=True)
class Session:
    """One command's settings and outputs. Results go to `out`, everything else to `notes`.

    Neither console reads markup or names of emoji in what it prints: documents, models and file names are full of
    brackets and colons. A style is given beside the text, or with `Text.assemble`.
    """

    settings: CommandSettings
    out: Console = field(default_factory=lambda: console_for_results())
    notes: Console = field(default_factory=lambda: console_for_notes())

    def write(self, text: str, end: str = "\n") -> None:
        """Results whose every character counts (quotes, answers, JSON): not even a tab becomes blanks."""
        typer.echo(text + end, nl=False, color=True)

    @property
    def home(self) -> Home:
        """The home. Only this needs the `stack` extra, so that the rest works without."""
        from groundwork.stack.home.folder import Home

        return Home.at(self.settings.home)

    def base_url(self) -> str:
        """The server to talk to: as named, otherwise the one that runs in the home; raises `NotRunning`."""
        if self.settings.base_url:
            return self.settings.base_url
        from groundwork.stack.lifecycle import base_url, require_running

        return base_url(require_running(self.home))

    def api_key(self) -> str:
        """The key to talk with: as given, otherwise the home's admin key; raises `NoKey`.

        The home's key is never sent to a server that was named, which may be anybody's.
        """
        if self.settings.api_key is not None:
            return self.settings.api_key.get_secret_value()
        if self.settings.base_url:
            raise NoKey(f"There is no key for {self.settings.base_url}. Give --api-key or set GROUNDWORK_API_KEY.")
        return read_admin_key(self.home.admin_key_file)

    def client(self) -> Groundwork:
        """The client of that server; close it."""
        return Groundwork(self.base_url(), self.api_key(), tls=self._tls())

    def _tls(self) -> ssl.SSLContext | None:
        """How the home's own gateway is known, where it is served by HTTPS; a server that was named has a name."""
        if self.settings.base_url:
            return None
        from groundwork.stack.configuration.certificates import trusting
        from groundwork.stack.lifecycle import require_running

        certificate = require_running(self.home).certificate
        return None if certificate is None else trusting(certificate)


def console_for_results() -> Console:
    """Standard output; wide when it is not a terminal, so that nothing is cut off in files and pipes."""
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def console_for_notes() -> Console:
    """Standard error; paths stay whole, so that they can be copied."""
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def read_admin_key(file: Path) -> str:
    """The key that the gateway wrote at its first start; raises `NoKey`."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise NoKey(f"{file} holds something else than a key. Put the key back there, or give --api-key.") from None
    except OSError:
        raise NoKey(
            f"There is no admin key in {file}; the gateway writes it at its first start: `groundwork up`."
        ) from None


def session_of(context: typer.Context, gates: Sequence[str] | None = None) -> Session:
    """The session that the global options made. With gates, errors end with 2: 1 says that one was missed."""
    if gates:
        context.meta[ERROR_STATUS] = 2
    session = context.find_object(Session)
    assert session is not None
    return session


@contextmanager
def progress_bar(session: Session, doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar beside the results, where notes go to a terminal; called with how many are done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=session.notes, transient=True, disable=not session.notes.is_terminal) as bar:
        task = bar.add_task(doing, total=total)
        yield lambda done: bar.update(task, completed=done)
