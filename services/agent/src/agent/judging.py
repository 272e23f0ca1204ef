"""The node `judge`: compares the sources with the question and decides whether they hold an answer."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from agent.answers import AnswerState, Context, Evidence
from agent.evidence import chance_of_answer
from agent.grounding import cosine
from agent.passages import Passage, passages
from agent.policy import is_policy
from agent.ports import Vector
from agent.questions import Question
from agent.ranking import preselect, rank, term_weights
from servicekit.errors import ServiceError

log = structlog.get_logger(__name__)


async def judge(state: AnswerState, context: Context) -> AnswerState:
    """One embedding call for the question and the promising passages; abstain below the threshold."""
    question = Question(state["standalone"])
    found = passages(state["hits"])
    weights = term_weights(question.terms, found)
    compared = preselect(question, found, weights, context.settings.compared_passages)
    vectors = await _embed(context, [question.text, *(passage.embedded_text for passage in compared)])
    evidence = weigh(question, found, compared, vectors)
    abstain = evidence.chance < context.settings.abstain_threshold
    log.info("evidence judged", chance=round(evidence.chance, 3), abstain=abstain, passages=len(found))
    return {"evidence": evidence, "abstain": abstain}


def weigh(question: Question, found: list[Passage], compared: list[Passage], vectors: list[Vector] | None) -> Evidence:
    """Rank the passages and judge them; `vectors` has the question's first, then one for each of `compared`."""
    cosines = [cosine(vectors[0], vector) for vector in vectors[1:]] if vectors else []
    ranked = rank(question, compared, cosines)
    chance = chance_of_answer(question, ranked, compared=vectors is not None)
    return Evidence(question, found, compared, vectors[1:] if vectors else None, ranked, chance)


async def _embed(context: Context, texts: Sequence[str]) -> list[Vector] | None:
    if len(texts) < 2:
        return None
    try:
        embedded = await context.models.embed(texts, context.token)
    except ServiceError as error:
        if is_policy(error):
            raise
        log.warning("embeddings unavailable", code=error.code)
        context.ledger.degrade("embeddings_unavailable")
        return None
    context.ledger.tokens.embedding += embedded.tokens
    return embedded.vectors
