"""The summary of a document that is named by its id: the survey's, without a question."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from agent.answering.drafting.writer import Writer
from agent.answering.graph import Answering
from agent.answering.receipt import ReceiptBuilder
from agent.answering.state import Context, Event, Piece
from agent.answering.surveys.digest import MOST, Digest, digest, write_passages
from agent.answering.surveys.worded_summary import word_summary
from agent.errors import CollectionNotAllowed, DeadlinePassed, DocumentNotSearchable, ModelNotAnswerable
from agent.metrics import ANSWERS
from agent.questions.conversation import Conversation
from agent.sanitisation.sanitiser import label
from contracts.models.chat import AnswerKind, DocumentSummary, SummaryRequest
from servicekit.auth.delegation import Caller


async def summarise_document(
    answering: Answering, collection: str, document_id: str, request: SummaryRequest, caller: Caller, request_id: str
) -> DocumentSummary:
    """The sentences that say most of a document, or what a model says of it, each cited.

    Raises `DocumentNotSearchable` where the index has nothing of it, and what searches raise.
    """
    if not caller.delegation.allows_collection(collection):
        raise CollectionNotAllowed(collection, param="name")
    if request.model is not None:
        caller.require("chat")
    receipt = ReceiptBuilder(request_id)
    said: list[Event] = []
    async with answering.working(request.model, caller.token, receipt, caller.tenant) as opened:
        context = replace(opened, send=said.append)
        writer = Writer(context.send, answering.settings.public_url)
        try:
            async with asyncio.timeout_at(context.deadline):
                with receipt.stage("survey"):
                    found, kind = await _write(collection, document_id, request, context, writer)
        except TimeoutError:
            raise DeadlinePassed from None
    writer.finish()
    ANSWERS.labels(kind, "strict").inc()
    return DocumentSummary(
        collection=collection,
        document_id=document_id,
        revision=found.read[0].revision,
        title=label(found.read[0].title),
        content="".join(event.text for event in said if isinstance(event, Piece)),
        annotations=writer.citations.annotations,
        answer_kind=kind,
        chunks=len(found.read),
        degraded=receipt.build().degraded,
        model=receipt.model if kind == "generated" else None,
        usage=receipt.usage(),
    )


async def _write(
    collection: str, document_id: str, request: SummaryRequest, context: Context, writer: Writer
) -> tuple[Digest, AnswerKind]:
    """Write the summary: what was read for it, and whose words it has."""
    conversation = Conversation((collection,), document_id)
    model = await context.model if request.model is not None else None
    if request.model is not None and model is None:
        raise ModelNotAnswerable(request.model)
    found = await digest(collection, document_id, document_id, request.sentences, conversation, context)
    if not found.read:
        raise DocumentNotSearchable(collection, document_id)
    if model is not None and await word_summary(found.read, request.sentences or MOST, model, context, writer):
        return found, "generated"
    write_passages(found.sentences or found.headings, writer)
    return found, "extractive"
