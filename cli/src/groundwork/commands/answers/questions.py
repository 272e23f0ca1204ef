"""`search`, `ask`, `summary` and `classify`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Annotated

import typer
from rich.text import Text

from contracts.core.abstention import Abstain
from contracts.models.chat import AnswerOptions
from contracts.models.citations import Annotation
from contracts.retrieval.search import Hit, SearchMode
from groundwork.client import Answer, Groundwork, TextDelta
from groundwork.commands.collection_choice import called, choose_collections
from groundwork.commands.session import Session, session_of
from groundwork.errors import ApiError, GroundworkError, NoSuchName

QUOTE_CHARACTERS = 300
SHOWN_IDS = 10
Collection = Annotated[
    str | None,
    typer.Option("--collection", "-c", callback=called, help="Where; the only collection there is, if just one is."),
]


class DocumentUnclear(GroundworkError):
    """Several documents have the name that was given."""


def register(app: typer.Typer) -> None:
    """Add this group's commands."""
    app.command()(search)
    app.command()(ask)
    app.command()(summary)
    app.command()(classify)


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    collection: Collection = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="How many chunks to show.")] = 5,
    mode: Annotated[
        SearchMode | None, typer.Option(help="By meaning, by words, or both; as the collection says by default.")
    ] = None,
) -> None:
    """Find the chunks that fit a query best."""
    session = session_of(context)
    with session.client() as client:
        (where,) = choose_collections(session, client, [] if collection is None else [collection])
        reply = client.search(where, query, limit=limit, mode=mode)
    for number, hit in enumerate(reply.hits, start=1):
        _print_hit(session, number, hit)
    if reply.degraded:
        session.notes.print(f"Answered without: {', '.join(reply.degraded)}.", style="yellow")
    if not reply.hits:
        session.notes.print(f"Nothing in '{where}' fits.")


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="The question.")],
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            "-c",
            callback=called,
            help="Where to look for the answer; may be repeated. The only one, if one.",
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Chat model that words the answer.")] = None,
    abstain: Annotated[
        Abstain | None, typer.Option(help="Who decides that there is no answer; else as the collection says.")
    ] = None,
) -> None:
    """Answer a question from documents, as it is written, then list what each citation quotes."""
    session = session_of(context)
    answer = None
    with session.client() as client:
        where = choose_collections(session, client, collection or [])
        for event in client.ask_stream(where, question, AnswerOptions(model=model, abstain=abstain)):
            if isinstance(event, TextDelta):
                session.write(event.text, end="")
            else:
                answer = event.answer
    session.write("")
    if answer is not None:
        _print_citations(session, answer)


def summary(
    context: typer.Context,
    document: Annotated[str, typer.Argument(help="Its id, title, source or file name.")],
    collection: Collection = None,
    sentences: Annotated[
        int | None, typer.Option("--sentences", "-n", min=1, max=12, help="How many; else by its length.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Chat model that words it; else the document's own sentences.")
    ] = None,
) -> None:
    """Sum a document up, with where in it each sentence stands."""
    session = session_of(context)
    with session.client() as client:
        (where,) = choose_collections(session, client, [] if collection is None else [collection])
        try:
            made = client.documents.summary(where, document, sentences=sentences, model=model)
        except (ApiError, NoSuchName) as error:
            missing = isinstance(error, NoSuchName) or error.code == "document_not_found"
            named = _id_of(client, where, document) if missing else None
            if named is None:
                raise
            made = client.documents.summary(where, named, sentences=sentences, model=model)
    session.out.print(Text(made.title, "bold"))
    session.write(made.content)
    session.out.print()
    for note in _first_of_each_marker(made.annotations):
        session.out.print(Text.assemble(f"{note.marker} ", (_place(note), "bold")))
        session.write(f"    “{_shortened(note.quote)}”")
    if made.degraded:
        session.notes.print(f"Made without: {', '.join(made.degraded)}.", style="yellow")


def _id_of(client: Groundwork, collection: str, named: str) -> str | None:
    """The id of the one document of that title, source or file name; raises `DocumentUnclear` for several."""
    found = [
        one.id
        for one in client.documents.list(collection, q=named)
        if named in (one.title, one.source, PurePosixPath(one.source).name)
    ]
    if len(found) > 1:
        raise DocumentUnclear(f"'{named}' is several documents. Name one by its id: {', '.join(found[:SHOWN_IDS])}.")
    return found[0] if found else None


def classify(
    context: typer.Context,
    texts: Annotated[list[str], typer.Argument(help="The texts, each quoted as one argument.")],
    label: Annotated[
        list[str] | None,
        typer.Option("--label", "-l", help="NAME, or NAME=WHAT IT IS ABOUT; repeat. Without any, the model's own."),
    ] = None,
    model: Annotated[str, typer.Option(help="A classification model, or with labels an embedding model.")] = "default",
) -> None:
    """Say which of some labels each text has, with the label's score and the text."""
    session = session_of(context)
    named = {name: about or name for name, _, about in (each.partition("=") for each in label or ())}
    with session.client() as client:
        classified = client.classify(texts, named or None, model=model)
    for text, found in zip(texts, classified, strict=True):
        session.out.print(Text.assemble((found.label, "bold"), f"  {found.scores[found.label]:.2f}"))
        session.write(f"   {_shortened(text)}")


def _print_citations(session: Session, answer: Answer) -> None:
    if answer.citations:
        session.out.print()
    for note in _first_of_each_marker(answer.citations):
        session.out.print(Text.assemble(f"{note.marker} ", (note.title, "bold"), f" ({_place(note)})"))
        session.write(f"    “{_shortened(note.quote)}”")
    report = answer.report
    if report is None or report.abstained or report.grounded:
        return
    if report.answer_kind == "generated":  # else quotes, or "You are welcome."
        session.notes.print("Not every sentence is supported by a source.", style="yellow")


def _first_of_each_marker(citations: Sequence[Annotation]) -> list[Annotation]:
    firsts: dict[tuple[str, int], Annotation] = {}
    for note in citations:
        firsts.setdefault((note.marker, note.start), note)
    return list(firsts.values())


def _print_hit(session: Session, number: int, hit: Hit) -> None:
    where = " › ".join(hit.heading_path)
    page = f", page {hit.page}" if hit.page else ""
    place = f" ({hit.source}{page})  score {hit.score:.3f}"
    session.out.print(Text.assemble(f"{number}. ", (hit.title, "bold"), place))
    if where:
        session.out.print(f"   {where}", style="dim")
    session.write(f"   {_shortened(hit.text)}")


def _place(note: Annotation) -> str:
    return note.source + (f", page {note.page}" if note.page else "")


def _shortened(text: str) -> str:
    """Within one line, or the lines of a table below one another: run together they would be other rows."""
    lines = [line for line in (" ".join(line.split()) for line in text.splitlines()) if line]
    flat = ("\n     " if any(" | " in line for line in lines) else " ").join(lines)
    return flat if len(flat) <= QUOTE_CHARACTERS else flat[: QUOTE_CHARACTERS - 1] + "…"
