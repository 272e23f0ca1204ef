"""`groundwork evaluation …`: question sets asked of what answers, and two runs compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from contracts.improvement.correction import SIGNIFICANT, holm
from contracts.improvement.evaluations import AskedJudge, Evaluation, EvaluationComparison
from groundwork.commands.answers import monitors, sweeps
from groundwork.commands.answers.prompts import typed
from groundwork.commands.answers.question_sets import set_reference
from groundwork.commands.api_words import in_commands
from groundwork.commands.session import Session, session_of
from groundwork.errors import GroundworkError

SUCCEEDED = "succeeded"
"""The measure of every question: whether there is an answer."""
JUDGED = "judge_"
"""How measures of a judge begin."""
commands = typer.Typer(
    name="evaluation", no_args_is_help=True, help="Evaluations: question sets asked of models, rag:, agent:, prompt:."
)
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `groundwork evaluation list` shows it.")]


class BadParameter(GroundworkError):
    """An option that is not NAME=VALUE."""


class NothingGated(GroundworkError):
    """A gate that compares nothing passes nothing."""


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    commands.add_typer(monitors.commands)
    commands.add_typer(sweeps.commands)
    app.add_typer(commands)


@commands.command()
def start(
    context: typer.Context,
    questions: Annotated[
        str, typer.Argument(metavar="SET", help="NAME[@N], or a suite that ships: safety:injection, …")
    ],
    model: Annotated[str, typer.Argument(help="A model, rag: or search:COLLECTION, agent:NAME, prompt:NAME[@N].")],
    split: Annotated[str | None, typer.Option(help="Only the questions of this split.")] = None,
    setting: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE of `groundwork`; for several.")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE of the chat: temperature=0; for several.")
    ] = None,
    measure: Annotated[list[str] | None, typer.Option(help="Only this measure; again for several.")] = None,
    judge: Annotated[str | None, typer.Option(help="A model that says of each answer whether it is right.")] = None,
    rubric: Annotated[Path | None, typer.Option(help="A file with the words that it judges by.")] = None,
    budget: Annotated[str | None, typer.Option("--budget", metavar="USD", help="Ask no more once it is spent.")] = None,
    name: Annotated[str, typer.Option(help="What the run is about.")] = "",
    wait: Annotated[float | None, typer.Option(help="Wait so many seconds for its figures.")] = None,
) -> None:
    """Ask every question of a set; prints the id, and with --wait the figures."""
    session = session_of(context)
    which, version = set_reference(questions, suites=True)
    own_rubric = _rubric(rubric, judge)
    with session.client() as client:
        made = client.evaluations.start(
            which,
            model,
            version=version,
            split=split,
            groundwork=_values(setting),
            parameters=_values(parameter),
            measures=measure or None,
            judge=judge,
            rubric=own_rubric,
            budget_usd=budget,
            name=name,
        )
        session.out.print(made.id)
        if wait is not None:
            _show_ended(session, client.evaluations.wait(made.id, timeout=wait))


@commands.command("list")
def listed(context: typer.Context) -> None:
    """List evaluations, newest first, with the settings that they asked with."""
    session = session_of(context)
    with session.client() as client:
        for one in client.evaluations.list():
            asked = f"{one.question_set}@{one.version}\t{one.target.model}\t{one.done} of {one.questions}"
            settings = {**(one.target.groundwork or {}), **one.target.parameters}
            shown = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in settings.items())
            session.out.print(f"{one.id}\t{one.status}\t{asked}\t{shown}\t{one.name}")


@commands.command()
def show(context: typer.Context, evaluation: IdArgument) -> None:
    """Show an evaluation with its figures."""
    session = session_of(context)
    with session.client() as client:
        _show(session, client.evaluations.get(evaluation))


@commands.command()
def compare(
    context: typer.Context,
    evaluation: IdArgument,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="The one that it is compared with.")],
    gate: Annotated[
        list[str] | None,
        typer.Option(
            "--gate", help="Exit 1 where this measure is significantly worse, 2 where that can't be told; for several."
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also labels without a difference.")] = False,
) -> None:
    """Say whether an evaluation is better than another, measure by measure, or it was luck."""
    session = session_of(context, gates=gate)
    with session.client() as client:
        found = client.evaluations.compare(evaluation, other)
        unfinished = [each for each in (evaluation, other) if client.evaluations.get(each).status != "completed"]
    for broken in unfinished:
        session.notes.print(f"{broken} was not completed: only what it answered is compared.", style="yellow")
    if not found.same_version:
        session.notes.print(
            "They asked different versions: only questions that both have are compared.", style="yellow"
        )
    if not found.same_judge:
        session.notes.print("Another model or rubric judged each: no verdicts are compared.", style="yellow")
    shown = [one for one in found.measures if everything or one.label is None or one.verdict != "no difference"]
    for one in shown:
        session.out.print(one.words if one.label is None else f"{one.label}: {one.words}")
    if len(shown) < len(found.measures):
        session.out.print(f"by label no difference in {len(found.measures) - len(shown)} more: --all shows them")
    if gate:
        if unfinished:
            raise NothingGated(f"{unfinished[0]} was not completed, so that nothing is said by it. Start it again.")
        _pass(found, gate)


@commands.command()
def cancel(context: typer.Context, evaluation: IdArgument) -> None:
    """End an evaluation; what was answered stays."""
    session = session_of(context)
    with session.client() as client:
        found = client.evaluations.cancel(evaluation)
    session.out.print(f"{found.id} is {'to end' if found.status == 'running' else found.status}")


@commands.command()
def delete(context: typer.Context, evaluation: IdArgument) -> None:
    """Delete an evaluation that has ended, with its answers."""
    session = session_of(context)
    with session.client() as client:
        client.evaluations.delete(evaluation)
    session.out.print(f"{evaluation} is gone")


def _pass(found: EvaluationComparison, gates: list[str]) -> None:
    """End with 1 where a gate is missed, or fewer questions got an answer; raises `NothingGated` for a measure that the
    two do not share, and for two of different questions."""
    if not found.same_version:
        raise NothingGated("The two asked different versions. A gate compares evaluations of the same one: NAME@N.")
    overall = {one.measure: one for one in found.measures if one.label is None}
    if not found.same_judge and (judged := [name for name in gates if name.startswith(JUDGED)]):
        raise NothingGated(
            f"'{judged[0]}' can't be compared: another model or rubric judged each. Start both with the same --judge "
            "and --rubric."
        )
    if missing := [name for name in gates if name not in overall]:
        raise NothingGated(f"The two do not share the measure '{missing[0]}'; they share {', '.join(overall)}.")
    named = [overall[name] for name in dict.fromkeys(gates)]
    adjusted = holm([one.p for one in named])
    fewer = SUCCEEDED in overall and overall[SUCCEEDED].verdict == "worse"
    if fewer or any(one.verdict == "worse" and p < SIGNIFICANT for one, p in zip(named, adjusted, strict=True)):
        raise typer.Exit(1)


def _rubric(file: Path | None, judge: str | None) -> str | None:
    if file is None:
        return None
    if judge is None:
        raise BadParameter("--rubric is what a judge judges by: add --judge MODEL.")
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise BadParameter(f"'{file}' can't be read: {error.strerror}.") from None


def _values(given: list[str] | None) -> dict[str, Any]:
    values = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise BadParameter(f"'{each[:100]}' is not NAME=VALUE.")
        values[name] = typed(value)
    return values


def _judge_words(judge: AskedJudge) -> str:
    """Who judged, and what that is worth."""
    who = f"judged by {judge.model} ({judge.rubric}, {judge.digest[:8]})"
    if not judge.people:
        return f"{who}; how far people agree with it is not known: give questions `metadata.judged`"
    kappa = "not defined" if judge.kappa is None else f"{judge.kappa:.2f}"
    return f"{who}: agrees with people on {judge.agreed} of {judge.people} answers, kappa {kappa}"


def _show_ended(session: Session, ended: Evaluation) -> None:
    _show(session, ended)
    if ended.status == "failed":
        raise typer.Exit(1)


def _show(session: Session, found: Evaluation) -> None:
    session.out.print(
        f"{found.id}  {found.status}  {found.question_set}@{found.version} asked of {found.target.model}: "
        f"{found.done} of {found.questions}, {found.failed} without an answer"
    )
    if found.error is not None:
        session.out.print(in_commands(found.error.message))
    if not found.figures:
        return
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "mean", "95 % interval", "questions"):
        table.add_column(column, justify="left" if column == "measure" else "right")
    for measure, one in found.figures.items():
        table.add_row(measure, f"{one.mean:.4g}", f"{one.low:.4g} … {one.high:.4g}", str(one.questions))
    session.out.print(table)
    if found.judge is not None:
        session.out.print(_judge_words(found.judge))
        if found.judge.unreadable:
            session.notes.print(
                f"{found.judge.unreadable} entries of metadata.judged were left out: each has `answer`, a text, and "
                "`right`, true or false.",
                style="yellow",
            )
    session.out.print(f"cost {'not known' if found.cost_usd is None else f'{found.cost_usd} USD'}")
