"""The node `verify`: checks a draft sentence by sentence, and falls back on an extractive answer."""

from __future__ import annotations

from agent.answering.annotate_mode import write_at_once
from agent.answering.state import AnswerState, Context, Finished
from agent.answering.strict_mode import write_supported
from agent.answering.writer import Writer
from agent.grounding.citations import Support
from agent.grounding.conflicts import find_conflicts
from agent.grounding.extraction import extract
from agent.metrics import ANSWERS
from agent.relevance.evidence import Evidence
from agent.relevance.passages import readable
from agent.sanitisation.sanitiser import sanitise
from contracts.models.chat import AnswerKind, AnswerReport


async def verify(state: AnswerState, context: Context) -> AnswerState:
    """Write the answer: what is supported of the draft, or the extractive answer; then the report."""
    writer = Writer(context.send, context.settings.public_url)
    kind, grounded = await write_answer(state, context, writer)
    if kind == "abstained":
        writer.write(abstention(state["conversation"].collections))
    writer.finish()
    return finish(state, writer, kind, grounded)


async def write_answer(state: AnswerState, context: Context, writer: Writer) -> tuple[AnswerKind, bool]:
    """Write what answers, nothing if nothing does: the kind of answer that it became, and whether it is grounded."""
    evidence, draft, grounding = state["evidence"], state.get("draft"), state["grounding"]
    kind: AnswerKind = "generated"
    grounded = False
    if draft is not None and grounding == "strict":
        grounded = await write_supported(draft, evidence, context, writer)
        kind = "generated" if grounded else "extractive"
    elif draft is not None:
        kind, grounded = await write_at_once(draft, evidence, context, writer, grounding)
    if draft is not None:
        await draft.end()  # before the receipt is written, which the gateway completes once this call is settled
    if kind == "generated" and grounding != "off" and draft is not None:
        _write_conflicts(evidence, writer)
    if draft is None or kind == "extractive":
        kind = "extractive" if _write_extract(evidence, writer) else "abstained"
        grounded = kind == "extractive"
    return kind, grounded


async def abstain(state: AnswerState, context: Context) -> AnswerState:
    """Say that the documents do not hold the answer, and where was looked."""
    writer = Writer(context.send, context.settings.public_url)
    writer.write(abstention(state["conversation"].collections))
    writer.finish()
    return finish(state, writer, "abstained", False)


def abstention(collections: tuple[str, ...]) -> str:
    """What is said when there is no answer."""
    names = [f"'{name}'" for name in collections]
    where = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"The documents in {where} do not hold an answer to this question."


def finish(state: AnswerState, writer: Writer, kind: AnswerKind, grounded: bool) -> AnswerState:
    """The report of an answer that is written."""
    conversation = state["conversation"]
    include = conversation.options.include
    report = AnswerReport(
        grounded=grounded,
        abstained=kind == "abstained",
        answer_kind=kind,
        collections=list(conversation.collections),
        sources=writer.citations.sources(state["hits"]) if "sources" in include else None,
    )
    ANSWERS.labels(kind, state.get("grounding") or conversation.options.grounding or "strict").inc()
    return {"report": report}


def _write_extract(evidence: Evidence, writer: Writer) -> bool:
    """The best passages, each with its citation; False if there is none."""
    lines = False
    for piece in extract(evidence.question, evidence.ranked, evidence.found):
        separator = "\n" if lines or piece.own_line else " "
        if writer.write_cited(piece.text, separator, piece.support):
            lines = piece.own_line
    return not writer.empty


def _write_conflicts(evidence: Evidence, writer: Writer) -> None:
    """What other sources say otherwise, each on a line of its own with its citation."""
    for passage in find_conflicts(evidence, writer.cited):
        text = f"Another source says: {sanitise(readable(passage))}"
        writer.write_cited(text, "\n", Support(passage.hit, passage.span, 1.0))


def final_event(state: AnswerState, context: Context) -> Finished:
    """The last event, with the receipt if it was asked for."""
    receipt = context.receipt.build()
    report = state["report"].model_copy(update={"degraded": receipt.degraded})
    if "receipt" in state["conversation"].options.include:
        report = report.model_copy(update={"receipt": receipt})
    return Finished(report, context.receipt.usage())
