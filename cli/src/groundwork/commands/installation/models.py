"""`model`: list, add and remove models while everything runs, and choose the default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from contracts.models.catalog import ModelInfo
from groundwork.client import model_sources
from groundwork.client.model_sources import Kind, Place, SourceUnclear
from groundwork.commands.installation.pulls import fetch, pulls
from groundwork.commands.session import session_of

SHOWN_DIGEST = len("sha256:") + 12
FAILED = "it failed to load"
"""How the reason of one that failed begins."""
PLAIN = ("chat", "embedding", "rerank", "reading", "classification")


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(no_args_is_help=True, help="List, add and remove models, without a restart.")
    group.command("list")(show)
    group.command("add")(add)
    group.command("pull")(pull)
    group.command("pulls")(pulls)
    group.command("remove")(remove)
    group.command("default")(choose)
    group.command("suggest")(suggest)
    app.add_typer(group, name="model")


def show(context: typer.Context) -> None:
    """Print every model: what it is, whether it works, and why not."""
    session = session_of(context)
    with session.client() as client:
        names = [model.id for model in client.models() if model.kind in PLAIN]
        models = [client.model(name) for name in names]
    table = Table("model", "kind", "default", "context", "declared", "digest", "state", box=None, pad_edge=False)
    for model in models:
        works = Text("asleep", "dim") if model.asleep else Text("ready", "green")
        state = works if model.state in (None, "ready") else Text(_trouble(model), "red")
        table.add_row(
            model.id,
            model.kind,
            "default" if model.default else "",
            str(model.context_length or ""),
            _origin(model),
            (model.digest or "")[:SHOWN_DIGEST],
            state,
        )
    session.out.print(table)


def _origin(model: ModelInfo) -> str:
    if model.tuned is not None:
        return f"{model.tuned.parent} tuned by {model.tuned.job}"
    if model.target_kinds is not None:
        return "route"
    return "added" if model.added else "models.yaml"


def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What callers write as `model`.", metavar="NAME")],
    openai: Annotated[str | None, typer.Option(help="A model of OpenAI.", metavar="MODEL")] = None,
    anthropic: Annotated[str | None, typer.Option(help="A model of Anthropic.", metavar="MODEL")] = None,
    gemini: Annotated[str | None, typer.Option(help="A model of Google.", metavar="MODEL")] = None,
    cohere: Annotated[str | None, typer.Option(help="A model of Cohere.", metavar="MODEL")] = None,
    ollama: Annotated[str | None, typer.Option(help="A model that Ollama has.", metavar="MODEL")] = None,
    vllm: Annotated[str | None, typer.Option(help="A model that vLLM serves.", metavar="MODEL")] = None,
    gguf: Annotated[Path | None, typer.Option(help="A GGUF file on inference's host.", metavar="FILE")] = None,
    url: Annotated[str | None, typer.Option(help="Where the server is, if not at its usual place.")] = None,
    key_env: Annotated[str | None, typer.Option(help="The variable with its key, if not the usual one.")] = None,
    kind: Annotated[str, typer.Option(help="chat, embedding or rerank.")] = "chat",
    context_length: Annotated[int | None, typer.Option("--context", min=16, help="Tokens that it reads.")] = None,
    dimensions: Annotated[int | None, typer.Option(min=1, help="Length of an embedding model's vectors.")] = None,
    images: Annotated[bool, typer.Option("--images", help="It reads pictures.")] = False,
    default: Annotated[bool, typer.Option("--default", help="Have `default` mean it.")] = False,
) -> None:
    """Add a model, or replace one that was added: groundwork model add gpt --openai gpt-4.1-mini"""
    file = str(gguf.resolve()) if gguf is not None else None
    hosted: dict[Place, str | None] = {"openai": openai, "anthropic": anthropic, "gemini": gemini, "cohere": cohere}
    given: dict[Place, str | None] = {**hosted, "ollama": ollama, "vllm": vllm, "gguf": file}
    place, model = _only(given)
    declaration = model_sources.at(
        place,
        model,
        kind=_kind(kind),
        url=url,
        key=key_env,
        context_length=context_length,
        dimensions=dimensions,
        images=True if images else None,
        default=True if default else None,
    )
    session = session_of(context)
    with session.client() as client, session.notes.status(Text(f"Adding '{name}' …")):
        added = client.put_model(name, declaration)
    _report(session, added)


def pull(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What callers write as `model`.", metavar="NAME")],
    place: Annotated[
        str, typer.Option("--from", help="hf:org/name[/file.gguf][@revision], or ollama:tag.", metavar="PLACE")
    ],
    url: Annotated[str | None, typer.Option(help="Where Ollama is, if not on inference's host.")] = None,
    sha256: Annotated[str | None, typer.Option(help="What the GGUF file must have.")] = None,
    kind: Annotated[str | None, typer.Option(help="chat, embedding or rerank; of a whole folder embedding.")] = None,
    context_length: Annotated[int | None, typer.Option("--context", min=16, help="Tokens that it reads.")] = None,
    dimensions: Annotated[int | None, typer.Option(min=1, help="Length of an embedding model's vectors.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Have `default` mean it.")] = False,
) -> None:
    """Fetch a model and add it: groundwork model pull qwen --from hf:Qwen/Qwen2.5-0.5B-Instruct-GGUF/FILE.gguf

    It goes on where it was after any break, and without this command: Ctrl-C only ends the watching."""
    session = session_of(context)
    chosen = _kind(kind) if kind is not None else None
    sizes = {"context_length": context_length, "dimensions": dimensions}
    _report(session, fetch(session, name, place, chosen, default=default, url=url, sha256=sha256, **sizes))


def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An added model, or one that a job has tuned.", metavar="NAME")],
) -> None:
    """Remove a model that was added. What it is answering now it answers to the end."""
    session = session_of(context)
    with session.client() as client:
        client.delete_model(name)
    session.out.print(f"'{name}' is removed.")


def choose(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The model that `default` is to mean for its kind.", metavar="NAME")],
) -> None:
    """Choose the default of a kind of model; the one that models.yaml says undoes it."""
    session = session_of(context)
    with session.client() as client:
        chosen = client.set_default_model(name)
    session.out.print(f"'{chosen.id}' is the default for {chosen.kind} now.")


def suggest(context: typer.Context) -> None:
    """Look at this machine and print the one command that connects a better model."""
    from groundwork.stack.suggestion import suggestion

    session = session_of(context)
    found = suggestion()
    session.out.print(found.reason)
    session.write(found.command)


def _only(given: dict[Place, str | None]) -> tuple[Place, str]:
    named = [(place, model) for place, model in given.items() if model is not None]
    if len(named) != 1:
        raise SourceUnclear(f"Say where the model is, by one of {', '.join(f'--{place}' for place in given)}.")
    return named[0]


def _kind(word: str) -> Kind:
    for kind in ("chat", "embedding", "rerank"):
        if kind == word:
            return kind
    raise SourceUnclear(f"'{word}' is no kind of model: chat, embedding or rerank.")


def _report(session: Any, model: ModelInfo) -> None:
    if model.state == "ready":
        means = f", and the default for {model.kind}" if model.default else ""
        session.out.print(f"'{model.id}' is ready{means}. It reads {model.context_length} tokens.")
        return
    session.out.print(f"'{model.id}' is added. {_trouble(model)}.")
    if model.state == "not_answering":
        session.out.print(
            "See that its server runs and its key is right: it is used once it answers. If it is elsewhere (--url) or "
            f"called otherwise, add it again, or: groundwork model remove {model.id}"
        )
    elif model.state != "loading":
        session.out.print(f"Correct that and add it again, or: groundwork model remove {model.id}")
    if model.state != "loading":
        raise typer.Exit(1)


def _trouble(model: ModelInfo) -> str:
    """Its state and why; of one that failed to load the reason begins with that."""
    reason = (model.reason or "inference says no more").rstrip(".")
    if model.state == "failed" and reason.startswith(FAILED):
        return reason.replace(FAILED, "failed to load", 1)
    return f"{(model.state or '').replace('_', ' ')}: {reason}"
