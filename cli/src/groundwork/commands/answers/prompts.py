"""`groundwork prompt …`: save, show, compare, label, try."""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.agents.prompts import PRODUCTION, Prompt, PromptReference
from groundwork.client import Groundwork
from groundwork.commands.answers.prompt_files import read_prompt, write_prompt
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

commands = typer.Typer(name="prompt", no_args_is_help=True, help="Prompts: templates with versions and labels.")
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Which prompt.")]
REFERENCE = "NAME, NAME@LABEL or NAME@NUMBER; NAME alone is the one in production."


class NoSuchReference(GroundworkError):
    """What was given names no version."""

    def __init__(self, text: str) -> None:
        super().__init__(f"'{text[:100]}' names no prompt. Write {REFERENCE}")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.add_typer(commands)


@commands.command("list")
def listed(context: typer.Context) -> None:
    """List prompts with their labels."""
    session = session_of(context)
    with session.client() as client:
        for prompt in client.prompts.list():
            shipped = "\tas it ships" if prompt.packaged else ""
            labels = ", ".join(f"{label.label} {label.version}" for label in prompt.labels)
            session.out.print(f"{prompt.name}\tnewest {prompt.newest}\t{labels}\t{prompt.model}{shipped}")


@commands.command()
def show(
    context: typer.Context, prompt: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N]", help=REFERENCE)]
) -> None:
    """Print a version as a Markdown file, which `save` reads."""
    session = session_of(context)
    with session.client() as client:
        session.write(write_prompt(_version(client, prompt)).removesuffix("\n"))


@commands.command()
def save(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Markdown: a header in YAML, then '## system', '## user' … with texts.")],
    name: Annotated[str | None, typer.Option(help="Instead of the file's own name.")] = None,
    label: Annotated[str | None, typer.Option(help="Then have this label point at it.")] = None,
) -> None:
    """Save a prompt; content that was there already makes no version."""
    content = read_prompt(file)
    own = content.pop("name")
    session = session_of(context)
    with session.client() as client:
        prompt = client.prompts.save(name or own, content, label=label)
    session.out.print(f"{prompt.name} version {prompt.version}")


@commands.command()
def diff(
    context: typer.Context,
    one: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N]", help=REFERENCE)],
    other: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N]", help=REFERENCE)],
) -> None:
    """Show what differs between two versions."""
    session = session_of(context)
    with session.client() as client:
        before, after = (write_prompt(_version(client, each)).splitlines() for each in (one, other))
    for line in unified_diff(before, after, one, other, lineterm=""):
        session.write(line)


@commands.command()
def label(
    context: typer.Context,
    name: NameArgument,
    label: Annotated[str, typer.Argument(help="production, candidate or one of your own.")],
    version: Annotated[int, typer.Argument(min=1, help="The version that it is to point at.")],
) -> None:
    """Have a label point at a version, at once for all callers."""
    session = session_of(context)
    with session.client() as client:
        client.prompts.move(name, label, version)
    session.out.print(f"{name}@{label} is version {version}")


@commands.command()
def rollback(
    context: typer.Context,
    name: NameArgument,
    label: Annotated[str, typer.Option(help="The label that goes back.")] = PRODUCTION,
) -> None:
    """Have a label point at the version before."""
    session = session_of(context)
    with session.client() as client:
        prompt = client.prompts.rollback(name, label)
    session.out.print(f"{name}@{label} is version {prompt.version}")


@commands.command("try")
def attempt(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(metavar="NAME[@LABEL|@N]", help=REFERENCE)],
    question: Annotated[str | None, typer.Argument(help="What is said after the template's messages.")] = None,
    variable: Annotated[list[str] | None, typer.Option("--var", "-v", help="NAME=VALUE; again for several.")] = None,
) -> None:
    """Ask a model by a prompt and print its answer."""
    session = session_of(context)
    with session.client() as client:
        declared = _version(client, prompt).variables
        given = [each.partition("=") for each in variable or ()]
        values = {
            name: value if name in declared and declared[name].type == "string" else typed(value)
            for name, _, value in given
        }
        session.write(client.prompts.ask(prompt, question, values))


def _version(client: Groundwork, text: str) -> Prompt:
    reference = PromptReference.of(text)
    if reference is None:
        raise NoSuchReference(text)
    if reference.label is None:
        return client.prompts.get(reference.name, reference.version)
    prompt = client.prompts.get(reference.name)
    numbers = {each.label: each.version for each in prompt.labels} | {"newest": prompt.newest}
    if reference.label not in numbers:
        raise NoSuchReference(text)
    return client.prompts.get(reference.name, numbers[reference.label])


def typed(value: str) -> Any:
    """A number, a truth value, an object or a list where the text is one as JSON writes it."""
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, bool | int | float | dict | list) else value
