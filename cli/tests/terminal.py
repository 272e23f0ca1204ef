"""The command line, run in this process as somebody types it."""

from __future__ import annotations

import re

from typer.testing import CliRunner, Result

from groundwork.commands import app


def run(*arguments: str, typed: str | None = None) -> Result:
    """What a command did; `typed` is what the person answers to its questions."""
    return CliRunner().invoke(app, list(arguments), input=typed)


def output(*arguments: str) -> str:
    """What a command that succeeds prints to standard output."""
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def sentence(*arguments: str) -> str:
    """What a command that fails says on standard error: a sentence, never a traceback."""
    done = run(*arguments)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    return re.sub(r"\s+", " ", done.stderr).strip()
