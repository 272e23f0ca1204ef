"""`collection`: make one with settings of its own, change how it is asked, look at all, delete one."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from pydantic import ValidationError
from rich.table import Table

from contracts.core.abstention import Abstain, AbstainOrDefault
from contracts.core.validation import what_is_wrong
from contracts.retrieval.collections import (
    AUTO_MODEL,
    Chunking,
    ChunkingStrategy,
    Collection,
    CollectionCreate,
    VectorOptions,
)
from contracts.retrieval.search import SearchMode
from groundwork.commands.collection_choice import called
from groundwork.commands.session import session_of
from groundwork.errors import GroundworkError

Name = Annotated[str, typer.Argument(callback=called, help="The collection.", metavar="NAME")]
ChunkingOption = Annotated[ChunkingStrategy | None, typer.Option("--chunking", help="How documents are cut.")]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help="With --chunking: size of a chunk in tokens.")]
Overlap = Annotated[int, typer.Option("--overlap", help="With --chunking: tokens that neighbouring chunks share.")]
Quantization = Annotated[
    Literal["none", "scalar", "binary"] | None,
    typer.Option("--quantization", help="Vectors in memory: in full, a byte or a bit a dimension."),
]
OnDisk = Annotated[bool | None, typer.Option("--on-disk/--in-memory", help="Where the full vectors are kept.")]

DECIDES = "Who decides, for answers that don't say otherwise, that its documents hold none."


class CollectionUnusable(GroundworkError):
    """The options don't make a collection, or a way to cut documents."""


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    group = typer.Typer(no_args_is_help=True, help="Make, change, list and delete collections.")
    for command, name in (
        (create, "create"),
        (change, "change"),
        (show, "list"),
        (documents, "documents"),
        (delete, "delete"),
    ):
        group.command(name)(command)
    app.add_typer(group, name="collection")


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is called.", metavar="NAME")],
    description: Annotated[str, typer.Option(help="What is in it, for people and agents.")] = "",
    embedding_model: Annotated[
        str, typer.Option(help="The model that embeds it; `auto`: by its language, else that of its first document.")
    ] = AUTO_MODEL,
    chunking: ChunkingOption = None,
    max_tokens: MaxTokens = None,
    overlap: Overlap = 0,
    language: Annotated[str, typer.Option(help="How words are analysed: `auto` or a two-letter code.")] = "auto",
    quantization: Quantization = None,
    on_disk: OnDisk = None,
    mode: Annotated[SearchMode, typer.Option(help="How searches look that don't say otherwise.")] = "hybrid",
    rerank: Annotated[bool, typer.Option("--rerank", help="Rerank searches that don't say otherwise.")] = False,
    abstain: Annotated[Abstain | None, typer.Option(help=DECIDES)] = None,
) -> None:
    """Make a collection. `groundwork ingest` makes one with the defaults where there is none."""
    cut = chunking_of(chunking, max_tokens, overlap)
    try:
        wanted = CollectionCreate(
            name=name,
            description=description,
            embedding_model=embedding_model,
            chunking=cut or Chunking(),
            language=language,
            vectors=vectors_of(quantization, on_disk, VectorOptions()) or VectorOptions(),
            mode=mode,
            rerank=rerank,
            abstain=abstain,
        )
    except ValidationError as error:
        raise CollectionUnusable(_first(error)) from None
    with session_of(context).client() as client:
        made = client.collections.make(wanted)
    session_of(context).out.print(f"made '{made.name}': {_about(made)}")


def change(
    context: typer.Context,
    name: Name,
    description: Annotated[str | None, typer.Option(help="What is in it, for people and agents.")] = None,
    mode: Annotated[SearchMode | None, typer.Option(help="How searches look that don't say otherwise.")] = None,
    rerank: Annotated[bool | None, typer.Option(help="Rerank searches that don't say otherwise.")] = None,
    abstain: Annotated[AbstainOrDefault | None, typer.Option(help=f"{DECIDES} default: as the key says.")] = None,
) -> None:
    """Change how a collection is described, searched and asked; what is not given stays."""
    with session_of(context).client() as client:
        client.collections.change(name, description=description, mode=mode, rerank=rerank, abstain=abstain)
    session_of(context).out.print(f"changed '{name}'")


def show(context: typer.Context) -> None:
    """List the collections that the key may use."""
    session, table = session_of(context), Table(box=None)
    for heading in ("name", "documents", "chunks", "embedding model", "language", "vectors", "index", "why this model"):
        table.add_column(heading)
    with session.client() as client:
        for one in client.collections.list():
            numbers = (str(one.documents), str(one.chunks))
            about = (one.embedding_model, one.language, _vectors(one.vectors), one.index.state, _why(one))
            table.add_row(one.name, *numbers, *about)
    session.out.print(table)


def documents(context: typer.Context, name: Name) -> None:
    """List a collection's documents, with the id by which other commands name them."""
    session, table = session_of(context), Table(box=None)
    for heading in ("id", "source", "title", "status"):
        table.add_column(heading)
    with session.client() as client:
        for one in client.documents.list(name):
            table.add_row(one.id, one.source, one.title, one.status)
    session.out.print(table)


def delete(
    context: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a collection with all of its documents."""
    with session_of(context).client() as client:
        there = client.collections.get(name)
        if not yes:
            typer.confirm(f"Delete '{name}' with its {there.documents} documents?", abort=True)
        client.collections.delete(name)
    session_of(context).out.print(f"deleted '{name}'")


def chunking_of(strategy: ChunkingStrategy | None, max_tokens: int | None, overlap: int) -> Chunking | None:
    """What the options say of cutting documents, null where they say nothing; raises `CollectionUnusable`."""
    if strategy is None:
        if max_tokens is not None or overlap:
            raise CollectionUnusable("--max-tokens and --overlap say how --chunking cuts; give that, too.")
        return None
    try:
        return Chunking(strategy=strategy, max_tokens=max_tokens, overlap=overlap)
    except ValidationError as error:
        raise CollectionUnusable(_first(error)) from None


def vectors_of(
    quantization: Literal["none", "scalar", "binary"] | None, on_disk: bool | None, now: VectorOptions
) -> VectorOptions | None:
    """What the options say of keeping vectors, the rest as it is `now`; null where they say nothing."""
    given = {"quantization": quantization, "on_disk": on_disk}
    changed = {name: value for name, value in given.items() if value is not None}
    return now.model_copy(update=changed) if changed else None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'chunking'}: {what_is_wrong(first)}."


def _about(one: Collection) -> str:
    why = f" ({_why(one)})" if _why(one) else ""
    return f"model {one.embedding_model}{why}, chunking {one.chunking.strategy}, vectors {_vectors(one.vectors)}"


def _why(one: Collection) -> str:
    if one.embedding_model == AUTO_MODEL:
        return "its first document chooses"
    return one.embedding_model_reason or ""


def _vectors(options: VectorOptions) -> str:
    kept = "in full" if options.quantization == "none" else options.quantization
    return f"{kept}, on disk" if options.on_disk else kept
