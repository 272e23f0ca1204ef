"""`groundwork evaluation monitor …`: whether live answers are as good as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer
from rich.table import Table

from contracts.improvement.monitors import Monitor, MonitorFigure, MonitorVerdicts
from contracts.models.experiments import JudgedMetric
from groundwork.commands.collection_choice import called
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

METRICS: tuple[str, ...] = get_args(JudgedMetric)
commands = typer.Typer(
    name="monitor", no_args_is_help=True, help="Monitors: measures of live answers, and which of them fell."
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As `groundwork evaluation monitor list` shows it.")]


class UnknownMetric(GroundworkError):
    """A measure that no monitor has, or a number that is none."""


@commands.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME")],
    model: Annotated[str | None, typer.Option(help="Only answers of it: a model, rag:, agent:, a route.")] = None,
    collection: Annotated[str | None, typer.Option(callback=called, help="Only answers from it.")] = None,
    percent: Annotated[str | None, typer.Option(help="Only so many in a hundred of them, drawn by their ids.")] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(METRICS)}; NAME=NUMBER: the worst that is still good. For several."),
    ] = None,
    window_hours: Annotated[int | None, typer.Option(help="Count answers by so many hours (24).")] = None,
    baseline_days: Annotated[int | None, typer.Option(help="Compare with so many days before (7).")] = None,
    p: Annotated[float | None, typer.Option(help="It has fallen from this p on (0.001).")] = None,
    judge: Annotated[str | None, typer.Option(help="A model that says of some answers whether they are right.")] = None,
    rubric: Annotated[Path | None, typer.Option(help="A file with the words that it judges by.")] = None,
    judge_percent: Annotated[str | None, typer.Option(help="It judges so many in a hundred of them (10).")] = None,
    judge_most: Annotated[int | None, typer.Option(help="And no more answers of one window (200).")] = None,
    judge_budget: Annotated[str | None, typer.Option(help="And none once so many dollars were spent in it.")] = None,
) -> None:
    """Watch measures of recorded answers."""
    session = session_of(context)
    options = {
        "model": model,
        "collection": collection,
        "sample_percent": percent,
        "window_hours": window_hours,
        "baseline_days": baseline_days,
        "p": p,
        "judge": _judge(judge, rubric, sample_percent=judge_percent, most=judge_most, budget_usd=judge_budget),
    }
    with session.client() as client:
        made = client.monitors.create(name, metrics=_metrics(metric), **options)
    session.out.print(f"{made.name} watches {', '.join(made.metrics)}")
    if not any(one.answers or one.baseline_people for one in made.figures.values()):
        session.notes.print(
            "No such answer is on record yet. Answers are where `records` of their key or tenant is `metadata` or "
            "`full`.",
            style="yellow",
        )


@commands.command("list")
def listed(context: typer.Context) -> None:
    """List monitors with what has fallen."""
    session = session_of(context)
    with session.client() as client:
        for one in client.monitors.list():
            fallen = ", ".join(fall.metric for fall in one.falls)
            session.out.print(f"{one.name}\t{_target(one)}\t{f'fallen: {fallen}' if fallen else 'steady'}")


@commands.command()
def show(context: typer.Context, monitor: NameArgument) -> None:
    """Show a monitor with the figures of its window so far."""
    session = session_of(context)
    with session.client() as client:
        one = client.monitors.get(monitor)
    since = "" if one.window is None else f" since {one.window:%Y-%m-%d %H:%M} UTC"
    session.out.print(f"{one.name}  {_target(one)}: {one.sample_percent} % of what was recorded{since}")
    table = Table(box=None, pad_edge=False)
    for column in ("measure", "state", "now", "95 % interval", "expected", "p", "answers"):
        table.add_column(column, justify="left" if column in ("measure", "state") else "right")
    for metric, figure in one.figures.items():
        table.add_row(metric, *_cells(figure))
    session.out.print(table)
    if one.judge is not None and one.verdicts is not None:
        session.out.print(_judged(one.judge.model, one.verdicts))
    for fall in one.falls:
        session.out.print(
            f"{fall.metric} fell to {fall.value:.4g} where {fall.expected:.4g} was expected, p {fall.p:.2g}, found "
            f"{fall.at:%Y-%m-%d %H:%M} UTC: groundwork evaluation monitor worst {one.name} {fall.metric}"
        )


@commands.command()
def worst(
    context: typer.Context,
    monitor: NameArgument,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help=f"{', '.join(METRICS)}.")],
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many.")] = 20,
) -> None:
    """List the records that pull a measure down, the worst first."""
    session = session_of(context)
    with session.client() as client:
        for one in client.monitors.worst(monitor, _known(metric), limit=limit):
            why = "" if one.reason is None else f"\t{one.reason}"
            session.out.print(f"{one.record}\t{one.value:.4g}\t{one.at:%Y-%m-%d %H:%M:%S}\t{one.model}{why}")


@commands.command()
def delete(context: typer.Context, monitor: NameArgument) -> None:
    """Watch no more."""
    session = session_of(context)
    with session.client() as client:
        client.monitors.delete(monitor)
    session.out.print(f"{monitor} is gone")


def _judge(model: str | None, rubric: Path | None, **bounds: Any) -> dict[str, Any] | None:
    known = {name: value for name, value in bounds.items() if value is not None}
    if model is None:
        if rubric is not None or known:
            raise UnknownMetric("A rubric, or how much a judge may do, is for a judge: name its model with --judge.")
        return None
    if rubric is not None:
        try:
            known["rubric"] = rubric.read_text("utf-8")
        except (OSError, UnicodeError) as error:
            raise UnknownMetric(f"The rubric {rubric} can't be read: {error}") from None
    return {"model": model, **known}


def _judged(model: str, done: MonitorVerdicts) -> str:
    said = f"{model} judged {done.right} right, {done.wrong} wrong; failed at {done.failed}"
    said += "" if done.cost_usd is None else f"; {done.cost_usd} USD"
    if done.limited is not None:
        said += f"; no more in this window ({done.limited})"
    if done.error is not None:
        said += f"; waits: {done.error}" if done.waits else f"; last failed by {done.error}"
    rated = done.rated
    said += f"; agrees with people on {rated.agreed} of {rated.answers} answers that were rated"
    if rated.kappa is not None and rated.low is not None and rated.high is not None:
        return f"{said}, κ {rated.kappa:.2f} ({rated.low:.2f} … {rated.high:.2f})"
    return said if rated.enough else f"{said}, too few for κ (30 are needed)"


def _metrics(given: list[str] | None) -> dict[JudgedMetric, float | None] | None:
    if not given:
        return None
    found: dict[JudgedMetric, float | None] = {}
    for each in given:
        name, equals, number = each.partition("=")
        try:
            found[_known(name)] = float(number) if equals else None
        except ValueError:
            raise UnknownMetric(f"'{each[:100]}' has no number after its '='.") from None
    return found


def _known(name: str) -> JudgedMetric:
    if name not in METRICS:
        raise UnknownMetric(f"There is no measure '{name[:100]}'. Monitors know {', '.join(METRICS)}.")
    return cast("JudgedMetric", name)


def _target(one: Monitor) -> str:
    return " ".join(filter(None, (one.model, one.collection and f"from {one.collection}"))) or "all answers"


def _cells(figure: MonitorFigure) -> list[str]:
    state: str = figure.state
    if state == "waiting":
        state += f" ({figure.people} of 30 people now)" if figure.people < 30 else " for a baseline"
    between = "" if figure.low is None else f"{figure.low:.4g} … {figure.high:.4g}"
    numbers = ["" if value is None else f"{value:.4g}" for value in (figure.value, figure.expected)]
    return [state, numbers[0], between, numbers[1], "" if figure.p is None else f"{figure.p:.2g}", str(figure.answers)]
