"""Grounding `strict`: a sentence is sent only once a source supports it, and none before the draft answers."""

from __future__ import annotations

import asyncio

from agent.answering.drafting.drafts import sentences_of
from agent.answering.drafting.sentence_check import check
from agent.answering.drafting.writer import Writer
from agent.answering.state import Context, Draft
from agent.errors import is_policy
from agent.grounding.acceptance import Checked, is_answer
from agent.relevance.evidence import Evidence
from agent.text.refusals import is_refusal, says_no_answer
from contracts.models.chat import AnswerKind
from servicekit.core.errors import ServiceError

MAX_UNSUPPORTED = 2
"""So many sentences of the packaged model may fail; then the source itself is the quicker and the better answer."""


class _Release:
    """Holds supported sentences back until together they answer; from then on sends each at once."""

    def __init__(self, evidence: Evidence, writer: Writer, careful: bool) -> None:
        self._evidence = evidence
        self._writer = writer
        self._careful = careful
        self._kept: list[Checked] = []
        self.open = False

    def take(self, checked: Checked) -> None:
        """The next supported sentence; one that repeats an earlier one is left out."""
        if any(checked.text == other.text for other in self._kept):
            return
        self._kept.append(checked)
        if self.open:
            self._send(checked)
        elif is_answer(self._kept, self._evidence, self._careful):
            self.open = True
            for one in self._kept:
                self._send(one)

    def _send(self, checked: Checked) -> None:
        self._writer.write_cited(checked.text, checked.separator, checked.support)


async def write_supported(
    draft: Draft, evidence: Evidence, context: Context, writer: Writer, always: bool = False
) -> AnswerKind:
    """Write what is supported; nothing if that does not answer the question: `extractive` where the answer is to fall
    back, `abstained` where the model says that there is none, and not just what a source says. The packaged model says
    so at random; with `always` no model is asked whether there is one.

    Once something was written an error of the model is raised, since the answer would look whole without its end.
    """
    release = _Release(evidence, writer, draft.packaged)
    loop = asyncio.get_running_loop()
    give_up = loop.time() + context.settings.draft_seconds
    failed = 0
    try:
        async for sentence in sentences_of(draft.pieces):
            believed = not (draft.packaged or always or release.open)
            refused = is_refusal(sentence.text)
            if refused and not believed and not always:
                break
            checked = None if refused else await check(sentence, evidence, context)
            if checked is not None:
                release.take(checked)
            elif believed and (refused or says_no_answer(sentence.text)):
                return "abstained"
            failed += not release.open
            if draft.packaged and failed >= MAX_UNSUPPORTED and not release.open:
                break
            if not release.open and loop.time() > give_up:
                raise TimeoutError
    except (ServiceError, TimeoutError) as error:
        if release.open or (isinstance(error, ServiceError) and is_policy(error)):
            raise
        context.receipt.degrade("model_timeout" if isinstance(error, TimeoutError) else "model_unavailable")
    if not release.open:
        context.receipt.degrade("draft_unsupported")
        return "extractive"
    return "generated"
