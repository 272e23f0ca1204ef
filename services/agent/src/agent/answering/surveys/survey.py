"""The node `survey`: questions that no single passage answers, but a collection or a document as a whole."""

from __future__ import annotations

from agent.answering.state import AnswerState, Context
from agent.answering.surveys.document_list import list_documents
from agent.answering.surveys.overview import describe_collections
from agent.answering.surveys.parts import answer_parts
from agent.answering.surveys.summary import summarise
from agent.questions.kind import DocumentList, Overview, Parts, Summary


async def survey(state: AnswerState, context: Context) -> AnswerState:
    """The answer with its report; nothing where the question is better taken as an ordinary one."""
    kind = state["kind"]
    if isinstance(kind, Overview):
        return await describe_collections(kind, state, context)
    if isinstance(kind, DocumentList):
        return await list_documents(kind, state, context)
    if isinstance(kind, Summary):
        return await summarise(kind, state, context)
    if isinstance(kind, Parts):
        return await answer_parts(kind, state, context)
    return {}
