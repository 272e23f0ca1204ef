"""`groundwork eval sweep …` and `groundwork evaluation sweep …`: settings of a collection's search, tried on a set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from contracts.improvement.evaluations import MeasureComparison
from contracts.improvement.sweeps import Trial, TrialCandidate
from groundwork.client import Groundwork
from groundwork.commands.answers.prompts import typed
from groundwork.commands.answers.question_sets import set_reference
from groundwork.commands.api_words import in_commands
from groundwork.commands.collection_choice import called
from groundwork.commands.session import Session, session_of
from groundwork.errors import GroundworkError

NAME = "sweep"
SET = "--set"
SETTINGS = (
    "NAME=VALUE,VALUE… to try: mode=hybrid,dense,sparse, rerank=yes,no, rerank_model=…, chunk_size=200,400 in "
    "tokens, embedding_model=…; again for more. An index is built for each chunk size and embedding model."
)
LATENCY = "latency_ms"
WORDS = {"yes": True, "no": False}
commands = typer.Typer(name=NAME, no_args_is_help=True, help="Settings of a collection's search, tried on a set.")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `groundwork evaluation sweep list` shows it.")]


class BadSetting(GroundworkError):
    """An option that is not NAME=VALUE[,VALUE…]."""


def is_meant(words: Sequence[str]) -> bool:
    """Whether what follows `eval sweep` tries settings, and is no questions for a collection of this name."""
    return any(word.partition("=")[0] == SET for word in words) or list(words) in (["--help"], ["-h"])


@commands.command()
def start(
    context: typer.Context,
    collection: Annotated[str, typer.Argument(callback=called, help="The collection that is searched.")],
    questions: Annotated[str, typer.Argument(metavar="SET", help="NAME or NAME@N of a question set on the server.")],
    setting: Annotated[list[str], typer.Option(SET, help=SETTINGS)],
    choose: Annotated[str | None, typer.Option(metavar="SPLIT", help="Its questions choose a winner.")] = None,
    confirm: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Its questions confirm it; without both, halves of the set do.")
    ] = None,
    measure: Annotated[str | None, typer.Option(help="What decides; retrieval_ndcg_10 by default.")] = None,
    answers: Annotated[bool, typer.Option("--answers", help="Have each question answered, which costs more.")] = False,
    budget: Annotated[str | None, typer.Option("--budget", metavar="USD", help="Of all of it.")] = None,
    wait: Annotated[float | None, typer.Option(help="Wait so many seconds for what it finds.")] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="With --wait: apply what is significantly better where it was confirmed.")
    ] = False,
) -> None:
    """Try each setting with each on a question set, and say which is significantly better than what serves."""
    session = session_of(context)
    which, version = set_reference(questions)
    settings = _settings(setting)
    if apply and wait is None:
        raise BadSetting("--apply needs what the sweep finds: add --wait SECONDS, or apply it later by its id.")
    with session.client() as client:
        made = client.sweeps.start(
            collection,
            which,
            settings,
            version=version,
            choose_split=choose,
            confirm_split=confirm,
            measure=measure,
            answers=answers,
            budget_usd=budget,
        )
        session.out.print(made.id)
        if wait is not None:
            _follow(session, client, made.id, wait, apply=apply)


@commands.command("list")
def listed(
    context: typer.Context,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", callback=called, help="Only of this collection.")
    ] = None,
) -> None:
    """List sweeps, newest first."""
    session = session_of(context)
    with session.client() as client:
        for one in client.sweeps.list(collection=collection):
            session.out.print(
                f"{one.id}\t{one.status}\t{one.collection}\t{one.question_set}@{one.version}\t{one.done} of at most "
                f"{one.questions}"
            )


@commands.command()
def show(context: typer.Context, trial: IdArgument) -> None:
    """Show a sweep with what each combination has shown."""
    session = session_of(context)
    with session.client() as client:
        _show(session, client.sweeps.get(trial))


@commands.command()
def apply(context: typer.Context, trial: IdArgument) -> None:
    """Have the collection searched as the sweep found significantly better."""
    session = session_of(context)
    with session.client() as client:
        _say_applied(session, client.sweeps.apply(trial))


@commands.command()
def revert(context: typer.Context, trial: IdArgument) -> None:
    """Undo what was applied."""
    session = session_of(context)
    with session.client() as client:
        found = client.sweeps.revert(trial)
    once = _once_reindexed(found)
    session.out.print(f"'{found.collection}' is searched as before{once}: {found.candidates[0].words}")


@commands.command()
def cancel(context: typer.Context, trial: IdArgument) -> None:
    """End a sweep; what was measured stays."""
    session = session_of(context)
    with session.client() as client:
        found = client.sweeps.cancel(trial)
    session.out.print(f"{found.id} is {'to end' if found.status in ('queued', 'running') else found.status}")


@commands.command()
def delete(context: typer.Context, trial: IdArgument) -> None:
    """Delete a sweep that has ended, with its evaluations."""
    session = session_of(context)
    with session.client() as client:
        client.sweeps.delete(trial)
    session.out.print(f"{trial} is gone")


def _follow(session: Session, client: Groundwork, trial_id: str, seconds: float, *, apply: bool) -> None:
    """Wait for what it finds, show it, and apply it if that is wanted and it may be."""
    ended = client.sweeps.wait(trial_id, timeout=seconds)
    _show(session, ended)
    if apply and ended.may_apply:
        _say_applied(session, client.sweeps.apply(trial_id))
    if ended.status == "failed":
        raise typer.Exit(1)


def _settings(given: Sequence[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in given:
        name, _, values = each.partition("=")
        words = [word.strip() for word in values.split(",") if word.strip()]
        if not name or not words:
            raise BadSetting(f"'{each[:100]}' is not NAME=VALUE[,VALUE…], such as mode=hybrid,sparse.")
        found.setdefault(name, []).extend(WORDS.get(word, typed(word)) for word in words)
    return found


def _say_applied(session: Session, found: Trial) -> None:
    number = 0 if found.confirmation is None else found.confirmation.number
    words = f"{found.candidates[number].words}{_once_reindexed(found) or ' now'}"
    session.out.print(
        f"'{found.collection}' is searched by {words}. Back: groundwork evaluation sweep revert {found.id}"
    )


def _once_reindexed(found: Trial) -> str:
    """Of one whose index is on its way."""
    job = None if found.applied is None else found.applied.job
    return "" if job is None else f" once its reindex {job} is done (`groundwork collection list` shows it)"


def _show(session: Session, found: Trial) -> None:
    session.out.print(
        f"{found.id}  {found.status}  {found.question_set}@{found.version} asked of '{found.collection}': "
        f"{found.done} of at most {found.questions}"
    )
    if found.error is not None:
        session.out.print(in_commands(found.error.message))
    session.out.print(_table(found))
    session.notes.print(
        f"On the {found.choose_questions} questions that choose; differences are to what serves. p accounts for all "
        "combinations (Holm); intervals are 95 %.",
        style="dim",
    )
    for one in found.candidates:
        for what, count in one.degraded.items():
            session.notes.print(f"{one.words}: {count} searches went without something: {what}.", style="yellow")
        if one.error is not None:
            session.notes.print(f"{one.words}: {in_commands(one.error.message)}", style="yellow")
    if found.verdict:
        session.out.print(found.verdict)
    if found.may_apply:
        session.out.print(f"Apply it: groundwork evaluation sweep apply {found.id}")
    session.out.print(f"cost {'not known' if found.cost_usd is None else f'{found.cost_usd} USD'}")


def _table(found: Trial) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for column in (found.measure, "95 % interval", "difference", "95 % interval", "p", "ms", "USD"):
        table.add_column(column, justify="right")
    for one in found.candidates:
        table.add_row(*_cells(one, found.measure))
    return table


def _cells(one: TrialCandidate, measure: str) -> list[str]:
    figure, latency = one.figures.get(measure), one.figures.get(LATENCY)
    cells = [one.words if one.number else f"{one.words} (serves)"]
    cells += ["", ""] if figure is None else [f"{figure.mean:.4f}", f"{figure.low:.3f} … {figure.high:.3f}"]
    decided = next((each for each in one.against if each.measure == measure), None)
    cells += ["", "", ""] if decided is None else _difference(decided)
    return [*cells, "" if latency is None else f"{latency.mean:.0f}", one.cost_usd or ""]


def _difference(one: MeasureComparison) -> list[str]:
    p = f"{one.p:.2g}" if one.p < 0.1 else f"{one.p:.2f}"
    return [f"{one.difference:+.4f}", f"{one.low:+.3f} … {one.high:+.3f}", p]
