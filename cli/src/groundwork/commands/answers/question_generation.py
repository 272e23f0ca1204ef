"""`groundwork questions generate | runs | review`: questions made from documents, looked at before they are saved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.improvement.question_generation import GeneratedQuestion, Generation
from groundwork.commands.answers.question_sets import commands
from groundwork.commands.api_words import in_commands
from groundwork.commands.collection_choice import called
from groundwork.commands.session import Session, session_of
from groundwork.errors import QuestionsInvalid

NameArgument = Annotated[str, typer.Argument(metavar="SET", help="The question set; it need not be there yet.")]
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="As `groundwork questions runs SET` shows it.")]
Numbers = list[int] | None


def register(app: typer.Typer) -> None:
    """The commands are in the group of question sets."""


@commands.command()
def generate(
    context: typer.Context,
    name: NameArgument,
    collection: Annotated[str, typer.Argument(callback=called, help="Whose documents are asked about.")],
    count: Annotated[int, typer.Option(help="Most questions that the documents answer.")] = 50,
    near_misses: Annotated[
        int | None, typer.Option(help="Most questions that they do not answer; one for each five unless given.")
    ] = None,
    model: Annotated[str, typer.Option(help="Writes the questions.")] = "default",
    within: Annotated[int, typer.Option(help="A search finds the passage among so many chunks.")] = 10,
    seed: Annotated[int, typer.Option(help="Another one chooses other passages.")] = 0,
    split: Annotated[str | None, typer.Option(help="Where the questions belong: train, test, …")] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="USD", help="Begin no more once it is spent.")
    ] = None,
    accept_all: Annotated[bool, typer.Option("--accept-all", help="Save all at the end, without a review.")] = False,
    wait: Annotated[float | None, typer.Option(help="Wait so many seconds for the end.")] = None,
) -> None:
    """Make questions from a collection's documents; prints the run's id."""
    session = session_of(context)
    wanted = {"count": count, "near_misses": near_misses, "model": model, "within": within, "seed": seed}
    wanted |= {"split": split, "budget_usd": budget, "accept": accept_all}
    with session.client() as client:
        made = client.question_generation.start(name, collection, **wanted)
        session.out.print(made.id)
        if wait is not None:
            ended = client.question_generation.wait(name, made.id, timeout=wait)
            _show(session, ended)
            if ended.status == "failed":
                raise typer.Exit(1)


@commands.command()
def runs(context: typer.Context, name: NameArgument) -> None:
    """List the runs that made questions for a set, newest first."""
    session = session_of(context)
    with session.client() as client:
        for one in client.question_generation.list(name):
            states = ", ".join(f"{count} {state}" for state, count in one.states.items())
            session.out.print(f"{one.id}\t{one.status}\t{one.collection}\t{one.kept} of {one.count}\t{states}")


@commands.command()
def review(
    context: typer.Context,
    name: NameArgument,
    run: RunArgument,
    accept: Annotated[Numbers, typer.Option(help="The number of a question to accept; for several.")] = None,
    reject: Annotated[Numbers, typer.Option(help="The number of a question to reject; for several.")] = None,
    decisions: Annotated[
        Path | None,
        typer.Option(
            "--from", help="JSON lines: number, state (accepted, rejected), question and answers as corrected; - reads."
        ),
    ] = None,
    accept_all: Annotated[bool, typer.Option("--accept-all", help="Accept what is still proposed afterwards.")] = False,
    save: Annotated[bool, typer.Option("--save", help="Save what is accepted as a version of the set.")] = False,
    state: Annotated[str | None, typer.Option(help="Of what to show: proposed, dropped, …")] = "proposed",
    as_json: Annotated[bool, typer.Option("--json", help="Show JSON lines, which --from reads once edited.")] = False,
) -> None:
    """Show what a run has made and why, or say what of it is accepted or rejected, and save that."""
    said = _decisions(accept, reject, decisions)
    session = session_of(context)
    with session.client() as client:
        generation = client.question_generation
        if said or accept_all:
            reviewed = generation.review(name, run, said, accept_all=accept_all)
            session.out.print(", ".join(f"{count} {which}" for which, count in reviewed.states.items()))
        if save:
            saved = generation.save(name, run)
            session.out.print(f"{saved.name} version {saved.version}, {saved.questions} questions")
        if not (said or accept_all or save):
            for item in generation.items(name, run, state=state):
                _show_item(session, item, as_json=as_json)


def _decisions(accept: Numbers, reject: Numbers, file: Path | None) -> list[dict[str, Any]]:
    said: list[dict[str, Any]] = [{"number": number, "state": "accepted"} for number in accept or ()]
    said += [{"number": number, "state": "rejected"} for number in reject or ()]
    return [*said, *_lines(file)] if file is not None else said


def _lines(file: Path) -> list[dict[str, Any]]:
    """The decisions of a file, of each line only what a decision has; what is still proposed is none."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QuestionsInvalid(f"{file} can't be read: {error}.") from None
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
            state = one["state"]
        except (ValueError, TypeError, KeyError):
            raise QuestionsInvalid(
                f"{file}, line {number}: this is no decision. A line has number and state."
            ) from None
        if state in ("accepted", "rejected"):
            kept = ("number", "state", "question", "answers") if state == "accepted" else ("number", "state")
            found.append({field: one[field] for field in kept if one.get(field)})
    return found


def _show(session: Session, run: Generation) -> None:
    made = ", ".join(f"{count} by {'a model' if by == 'model' else 'rule'}" for by, count in run.made_by.items())
    cost = "unknown" if run.cost_usd is None else f"{run.cost_usd} USD"
    session.out.print(f"{run.status}: {run.kept} questions ({made or 'none'}), {run.kept_near_misses} near misses")
    session.out.print(f"{run.done} tried, cost {cost}")
    for reason, count in sorted(run.dropped.items(), key=lambda one: -one[1]):
        session.out.print(f"dropped: {count} {reason}")
    if run.error is not None:
        session.notes.print(in_commands(run.error.message))
    if run.version is not None:
        session.out.print(f"saved as version {run.version} of {run.question_set}")


def _show_item(session: Session, item: GeneratedQuestion, *, as_json: bool) -> None:
    if as_json:
        fields = {"number", "state", "question", "answers", "answerable", "made_by", "why", "span"}
        session.write(item.model_dump_json(include=fields))
        return
    answer = "; ".join(item.answers) if item.answerable else "(the documents do not say)"
    session.out.print(f"{item.number}\t{item.question or '-'}\t{answer}\t{item.made_by}")
    if item.span is not None and item.answerable:
        session.out.print(f"\t{item.span.title}: {item.span.text}")
    session.out.print(f"\t{item.reason or item.why}")
