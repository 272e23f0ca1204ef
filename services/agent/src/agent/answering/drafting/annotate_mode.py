"""Grounding `annotate` and `off`: text is sent as it comes; `annotate` marks the sentences that a source supports."""

from __future__ import annotations

import structlog

from agent.answering.drafting.drafts import DraftSentence, partial_sentences
from agent.answering.drafting.sentence_check import examine
from agent.answering.drafting.writer import Writer
from agent.answering.state import Context, Draft
from agent.errors import is_policy
from agent.grounding.support import is_factual
from agent.relevance.evidence import Evidence
from agent.sanitisation.sanitiser import Sanitiser
from agent.text.refusals import is_apology, is_mark, is_refusal, is_verdict, says_no_answer
from contracts.models.chat import AnswerKind, Grounding
from servicekit.core.errors import ServiceError

log = structlog.get_logger(__name__)


async def write_at_once(
    draft: Draft, evidence: Evidence, context: Context, writer: Writer, grounding: Grounding, always: bool = False
) -> tuple[AnswerKind, bool]:
    """Write the draft. What kind of answer came of it, and whether every sentence is supported.

    `extractive` means that nothing was written: the model broke off, was silent or, in `annotate`, said no more than
    "Yes", which no source can be shown for; and the answer is to fall back.
    `abstained`: it begins by saying that there is no answer, whose agreed form is not written; more is not read. With
    `always` that is an answer, too.
    """
    verdicts: list[bool] = []
    sentences = _SentenceWriter(writer)
    verdict: DraftSentence | None = None
    begins, refused = True, False
    try:
        async for sentence, whole in partial_sentences(draft.pieces):
            if writer.empty and is_refusal(sentence.text, begun=not whole):
                if whole and not always:
                    return "abstained", False
                refused = whole
                continue
            if grounding == "annotate" and writer.empty and is_verdict(sentence.text, begun=not whole):
                verdict = sentence if whole else verdict
                continue
            sentences.begin_with(verdict)
            sentences.grow(sentence, whole)
            denied = whole and begins and not draft.packaged and says_no_answer(sentence.text)
            begins = begins and (not whole or is_apology(sentence.text))
            if whole and grounding == "annotate":
                verdicts.append(await _annotate(sentence, evidence, context, writer))
            if denied and not always and not writer.cited:  # else a source says so: an answer
                return "abstained", False
    except (ServiceError, TimeoutError) as error:
        if not writer.empty or (isinstance(error, ServiceError) and is_policy(error)):
            raise
        context.receipt.degrade("model_timeout" if isinstance(error, TimeoutError) else "model_unavailable")
    if writer.empty:
        context.receipt.degrade("draft_unsupported" if verdict or refused else "model_unavailable")
        return "extractive", False
    return "generated", bool(verdicts) and all(verdicts)


class _SentenceWriter:
    """Writes of a growing sentence what can be sanitised already."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._through: Sanitiser | None = None
        self._taken = 0
        self._lead = ""

    def begin_with(self, verdict: DraftSentence | None) -> None:
        """The "Yes" that was held back until more was said, in a person's words."""
        if verdict is not None and self._writer.empty and self._through is None and not is_mark(verdict.text):
            self.grow(verdict, True)

    def grow(self, sentence: DraftSentence, whole: bool) -> None:
        """The sentence as it is now; the next call with another one, if it is whole."""
        if self._through is None:
            self._through, self._taken = Sanitiser(), 0
            self._lead = "" if self._writer.empty else sentence.separator
        text = sentence.text.rstrip()
        fresh, self._taken = text[self._taken :], max(self._taken, len(text))
        said = self._through.feed(fresh)
        if whole:
            said += self._through.end()
            self._through = None
        if said:
            self._writer.write(self._lead + said)
            self._lead = ""


async def _annotate(sentence: DraftSentence, evidence: Evidence, context: Context, writer: Writer) -> bool:
    if not is_factual(sentence.text):
        return True
    try:
        checked, against = await examine(sentence, evidence, context)
    except ServiceError as error:
        log.warning("sentence not checked", code=error.code)
        context.receipt.degrade("embeddings_unavailable")
        return False
    if checked is None and against is not None:
        writer.contradicted.append(against)
    return checked is not None and writer.cite(checked.support)
