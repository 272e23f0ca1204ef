"""`groundwork tune …`: models that learn the answers of question sets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.improvement.tuning import FineTuningJob
from groundwork.commands.answers.question_sets import SetArgument, set_reference
from groundwork.commands.api_words import in_commands
from groundwork.commands.collection_choice import called
from groundwork.commands.session import Session, session_of

commands = typer.Typer(name="tune", no_args_is_help=True, help="Tuning: models that learn from question sets.")
Collection = Annotated[str | None, typer.Option(callback=called, help="What embedding, reading and rerank learn from.")]
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `groundwork tune list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.add_typer(commands)


@commands.command()
def start(
    context: typer.Context,
    questions: SetArgument,
    model: Annotated[str, typer.Argument(help="A chat model that llama.cpp serves, or as --method says.")],
    method: Annotated[
        str, typer.Option(help="supervised, dpo, classification, embedding, reading, rerank.")
    ] = "supervised",
    collection: Collection = None,
    suffix: Annotated[str | None, typer.Option(help="What is learnt is served as MODEL+SUFFIX.")] = None,
    validation: Annotated[str | None, typer.Option(metavar="NAME[@N]", help="A question set to be judged by.")] = None,
    epochs: Annotated[int | None, typer.Option(help="How often each question is learnt.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Questions of one step.")] = None,
    beta: Annotated[float | None, typer.Option(help="Of dpo: how near it stays to the model that it began as.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Multiplies the usual learning rate.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same one comes to the same result.")] = None,
    skip_leaks: Annotated[
        bool, typer.Option("--skip-leaks", help="Leave out what other sets ask, too, instead of ending.")
    ] = False,
    general: Annotated[str | None, typer.Option(metavar="NAME[@N]", help="What it must not be worse at.")] = None,
    sensitive: Annotated[
        str | None, typer.Option(help="Secrets and personal data: mask (the default), refuse or keep.")
    ] = None,
    publish: Annotated[bool, typer.Option(help="Serve what is learnt, where it is better.")] = True,
    wait: Annotated[float | None, typer.Option(help="Wait so many seconds for what comes of it.")] = None,
) -> None:
    """Have a model learn the answers of a set; prints the id, and with --wait what came of it."""
    session = session_of(context)
    which, version = set_reference(questions)
    given = {"n_epochs": epochs, "batch_size": batch_size, "learning_rate_multiplier": rate, "beta": beta}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    more: dict[str, Any] = {"validation": validation, "suffix": suffix, "seed": seed, "general": general}
    more |= {"method": method, "collection": collection, "skip_leaks": skip_leaks, "publish": publish}
    more["sensitive"] = sensitive
    with session.client() as client:
        made = client.tuning.start(which, model, version=version, hyperparameters=chosen, **more)
        session.out.print(made.id)
        if wait is not None:
            ended = client.tuning.wait(made.id, timeout=wait)
            _show(session, ended)
            if ended.status != "succeeded":
                raise typer.Exit(1)


@commands.command("list")
def listed(context: typer.Context) -> None:
    """List tuning jobs, newest first."""
    session = session_of(context)
    with session.client() as client:
        for one in client.tuning.list():
            progress = f"{one.groundwork.done} of {one.groundwork.steps}"
            served = one.fine_tuned_model or "-"
            session.out.print(f"{one.id}\t{one.status}\t{one.model}\t{one.training_file}\t{progress}\t{served}")


@commands.command()
def show(context: typer.Context, job: IdArgument) -> None:
    """Show a job and what came of it."""
    session = session_of(context)
    with session.client() as client:
        _show(session, client.tuning.get(job))


@commands.command()
def events(context: typer.Context, job: IdArgument) -> None:
    """What happened in a job, newest first."""
    session = session_of(context)
    with session.client() as client:
        for one in client.tuning.events(job):
            session.out.print(f"{one.created_at}\t{one.level}\t{one.message}", soft_wrap=True)


@commands.command()
def download(
    context: typer.Context,
    job: IdArgument,
    file: Annotated[Path, typer.Argument(help="Where to write it: adapter.gguf.")],
) -> None:
    """Write what a job has learnt to a file."""
    session = session_of(context)
    with session.client() as client:
        content = client.tuning.artifact(job)
    file.write_bytes(content)
    session.out.print(f"{file}\t{len(content):,} bytes")


@commands.command()
def publish(context: typer.Context, job: IdArgument) -> None:
    """Serve what a job has learnt, also where it was not better, or in place of a newer one."""
    session = session_of(context)
    with session.client() as client:
        session.out.print(client.tuning.publish(job).fine_tuned_model)


@commands.command()
def cancel(context: typer.Context, job: IdArgument) -> None:
    """End a job."""
    session = session_of(context)
    with session.client() as client:
        session.out.print(client.tuning.cancel(job).status)


@commands.command()
def delete(context: typer.Context, job: IdArgument) -> None:
    """Delete a job that has ended, with what it learnt."""
    session = session_of(context)
    with session.client() as client:
        client.tuning.delete(job)


def _counts(kinds: Mapping[str, int]) -> str | None:
    return ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or None


def _show(session: Session, one: FineTuningJob) -> None:
    report = one.groundwork
    rows: dict[str, object] = {
        "status": one.status,
        "model": one.model,
        "learns from": one.training_file,
        "held out": None if report.card is None else f"{report.card.held_out} questions ({report.card.split_by})",
        "masked": None if report.card is None else _counts(report.card.masked),
        "steps": f"{report.done} of {report.steps}",
        "tokens": one.trained_tokens,
        "waits for": report.waiting_on,
        "verdict": report.words,
        "in general": report.general,
        "served as": one.fine_tuned_model,
        "not served": None if report.not_published is None else in_commands(report.not_published.message),
        "artifact": report.artifact,
        "error": None if one.error is None else f"{in_commands(one.error.message)} [{one.error.code}]",
    }
    for name, value in rows.items():
        if value is not None:
            session.out.print(f"{name}\t{value}", soft_wrap=True)
