"""The node `judge`: compares the sources with the question and decides whether they hold an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from agent.answering.reading import read_evidence
from agent.answering.state import AnswerState, Context
from agent.errors import is_policy
from agent.grounding.support import cosine
from agent.ports import Vector
from agent.questions.question import Question
from agent.questions.topic import topic_of
from agent.relevance.codes import coded_first, names_unknown
from agent.relevance.evidence import Evidence, chance_of_answer
from agent.relevance.lexicon import Lexicon, words_to_compare
from agent.relevance.lists import asked_list
from agent.relevance.passages import Passage, passages
from agent.relevance.ranking import RECONSIDERED, Scored, preselect, rank, reconsider, term_weights
from agent.relevance.rows import named_rows_first
from agent.relevance.topics import spoken_of
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)
MAX_WORDS = 192
"""The most words that are embedded for one question; those that are known already cost nothing."""


async def judge(state: AnswerState, context: Context) -> AnswerState:
    """Compare by embeddings, first whole passages, then the words of the best; a reading model, if there is one, has
    the last word. Abstain below the threshold, but where whatever is said of a topic is asked for and something is."""
    question = Question(state["standalone"])
    found = passages(state["hits"], context.columns)
    context.comparison.choose(question.text, state["hits"][0].text if state["hits"] else "")
    compared = preselect(question, found, term_weights(question.terms, found), context.settings.compared_passages)
    vectors = await compare(context, [question.text, *(passage.embedded_text for passage in compared)])
    ranked = first_ranking(question, compared, vectors, context.comparison.unrelated)
    if vectors is not None and context.comparison.by_words:
        await compare(context, [], unknown_words(question, ranked, context.lexicon))
    own = context.comparison.model is not None
    evidence = weigh(question, found, compared, vectors, ranked, context.lexicon, own)
    evidence = await read_evidence(_named_first(evidence), context)
    evidence = evidence if evidence.answering else _named_first(evidence)
    settings = context.settings
    least = settings.reader_threshold if evidence.read else settings.abstain_threshold
    abstain = evidence.chance < least or names_unknown(question, found)
    topic = topic_of(question.text) if abstain and not question.codes else None
    if topic is not None and (spoken := spoken_of(topic, evidence.ranked, context.lexicon)):
        evidence, abstain = replace(evidence, ranked=spoken), False
    if not names_unknown(question, found) and (listed := asked_list(question, evidence.ranked, found)):
        quoted = {id(one) for each in evidence.answering for one in each}
        if not quoted or any(id(one) in quoted for one in listed):
            evidence = replace(evidence, listed=listed)
    log.info(
        "evidence judged", chance=round(evidence.chance, 3), read=evidence.read, abstain=abstain, passages=len(found)
    )
    return {"evidence": evidence, "abstain": abstain}


def _named_first(evidence: Evidence) -> Evidence:
    """The same, in the order of what the question names by a code, a range or a row's own words."""
    ranked = named_rows_first(evidence.question, coded_first(evidence.question, evidence.ranked))
    return replace(evidence, ranked=ranked)


def first_ranking(
    question: Question, compared: list[Passage], vectors: Sequence[Vector] | None, unrelated: float = 0.0
) -> list[Scored]:
    """The passages by their own wording and cosine; `vectors` has the question's first, then one for each passage."""
    near = [cosine(vectors[0], vector, unrelated) for vector in vectors[1:]] if vectors else []
    return rank(question, compared, near)


def unknown_words(question: Question, ranked: Sequence[Scored], lexicon: Lexicon) -> list[str]:
    """The words of the question and of the best passages and their chunks whose vectors are still to be learned."""
    best = [one.passage for one in ranked[:RECONSIDERED]]
    texts = [passage.in_context for passage in best] + [passage.chunk_in_context for passage in best[:2]]
    return lexicon.unknown(words_to_compare(question.terms, texts))[:MAX_WORDS]


def weigh(
    question: Question,
    found: list[Passage],
    compared: list[Passage],
    vectors: Sequence[Vector] | None,
    ranked: Sequence[Scored],
    lexicon: Lexicon,
    own: bool = False,
) -> Evidence:
    """Rank once more, with other words for the same thing, and judge."""
    final = reconsider(question, ranked, lexicon)
    chance = chance_of_answer(question, final, lexicon, compared=vectors is not None, own=own)
    return Evidence(question, found, compared, list(vectors[1:]) if vectors else None, final, chance, own)


async def compare(context: Context, texts: list[str], words: Sequence[str] = ()) -> list[Vector] | None:
    """The vectors of the texts; None where embeddings can't be had, unless that is a decision about the caller."""
    try:
        return await context.vectors_of(texts, words)
    except ServiceError as error:
        if is_policy(error):
            raise
        log.warning("embeddings unavailable", code=error.code)
        context.receipt.degrade("embeddings_unavailable")
        return None
