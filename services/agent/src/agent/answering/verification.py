"""The node `verify`: checks a draft sentence by sentence, and falls back on an extractive answer."""

from __future__ import annotations

from agent.answering.abstention import closest_documents, write_abstention
from agent.answering.drafting.annotate_mode import write_at_once
from agent.answering.drafting.prompt import ANSWER_PROMPT
from agent.answering.drafting.strict_mode import write_supported
from agent.answering.drafting.writer import Writer
from agent.answering.state import AnswerState, Context, Finished
from agent.grounding.citations import Support
from agent.grounding.conflicts import find_conflicts
from agent.grounding.extraction import extract, extract_list
from agent.metrics import ANSWERS
from agent.prompts.packaged import QUERIES_PROMPT, WithNamed
from agent.relevance.evidence import Evidence
from agent.relevance.passages import readable
from agent.sanitisation.sanitiser import sanitise
from contracts.models.chat import FORMAT_IGNORED, PROMPT_IGNORED, STYLE_IGNORED, AnswerKind, AnswerReport

NOT_REWRITTEN = frozenset(("rewrite_timeout", "rewrite_unavailable"))


async def verify(state: AnswerState, context: Context) -> AnswerState:
    """Write the answer: what is supported of the draft, or the extractive answer; then the report."""
    writer = Writer(context.send, context.settings.public_url)
    kind, grounded = await write_answer(state, context, writer)
    if kind == "abstained":
        write_abstention(state, writer)
    writer.finish()
    return finish(state, writer, kind, grounded)


async def write_answer(state: AnswerState, context: Context, writer: Writer) -> tuple[AnswerKind, bool]:
    """Write what answers, nothing if nothing does: the kind of answer that it became, and whether it is grounded."""
    evidence, draft, grounding = state["evidence"], state.get("draft"), state["grounding"]
    kind: AnswerKind = "generated"
    grounded, always = False, state.get("decides") == "never"
    if draft is not None and grounding == "strict":
        kind = await write_supported(draft, evidence, context, writer, always)
        grounded = kind == "generated"
    elif draft is not None:
        kind, grounded = await write_at_once(draft, evidence, context, writer, grounding, always)
    if draft is not None:
        await draft.end()  # before the receipt is written, which the gateway completes once this call is settled
    if kind == "generated" and grounding != "off" and draft is not None:
        _write_conflicts(evidence, writer)
    if draft is None or kind == "extractive":
        shown = always or not state.get("abstain")
        answers = shown and _write_extract(evidence, writer)
        kind = "extractive" if answers else "abstained"
        grounded = kind == "extractive"
    return kind, grounded


async def abstain(state: AnswerState, context: Context) -> AnswerState:
    """Say that the documents do not hold the answer, where was looked, and what comes closest."""
    writer = Writer(context.send, context.settings.public_url)
    write_abstention(state, writer)
    writer.finish()
    return finish(state, writer, "abstained", False)


def finish(state: AnswerState, writer: Writer, kind: AnswerKind, grounded: bool) -> AnswerState:
    """The report of an answer that is written."""
    conversation = state["conversation"]
    include = conversation.options.include
    report = AnswerReport(
        grounded=grounded,
        abstained=kind == "abstained",
        answer_kind=kind,
        collections=list(conversation.collections),
        abstain=state.get("decides"),
        closest=closest_documents(state.get("evidence")) if kind == "abstained" else None,
        sources=writer.citations.sources(state["hits"]) if "sources" in include else None,
    )
    ANSWERS.labels(kind, state.get("grounding") or conversation.options.grounding or "strict").inc()
    return {"report": report}


def _write_extract(evidence: Evidence, writer: Writer) -> bool:
    """The best passages, each with its citation; False if there is none."""
    lines = False
    shown = extract_list(evidence.question, evidence.listed) if evidence.listed else extract(evidence)
    for piece in shown:
        separator = "\n" if lines or piece.own_line else " "
        if writer.write_cited(piece.text, separator, piece.support):
            lines = piece.own_line
    return not writer.empty


def _write_conflicts(evidence: Evidence, writer: Writer) -> None:
    """What other sources say otherwise, each on a line of its own with its citation."""
    read = [*(support.against for support in writer.cited if support.against), *writer.contradicted]
    for passage in find_conflicts(evidence, writer.cited, read):
        text = f"Another source says: {sanitise(readable(passage))}"
        writer.write_cited(text, "\n", Support(passage.hit, passage.span, 1.0))


def _ignored(state: AnswerState) -> list[str]:
    """What the message said about how to answer that words of the sources do not keep to."""
    conversation, hits = state["conversation"], state.get("hits") or ()
    if conversation.form is not None:
        return []
    unmet = conversation.manner.unmet(hits[0].text if hits else conversation.question)
    return [FORMAT_IGNORED if one == "format" else STYLE_IGNORED for one in unmet]


def _counts(named: WithNamed, report: AnswerReport, context: Context) -> bool:
    """Whether a model was asked by the version that the caller named, and what it wrote is sent or searched for."""
    if named.file == QUERIES_PROMPT:
        return named.is_used and NOT_REWRITTEN.isdisjoint(context.receipt.degraded)
    return named.is_used and report.answer_kind == "generated"


def final_event(state: AnswerState, context: Context) -> Finished:
    """The last event, with the receipt if it was asked for."""
    report = state["report"]
    worded = report.answer_kind == "generated" and context.receipt.prompt_file == ANSWER_PROMPT
    if state["conversation"].options.style is not None and not (worded or report.abstained):
        context.receipt.degrade(STYLE_IGNORED)
    if not (worded or report.abstained):
        context.receipt.degrade(*_ignored(state))
    named = context.prompts
    if isinstance(named, WithNamed) and not (report.abstained or _counts(named, report, context)):
        context.receipt.degrade(PROMPT_IGNORED)
    receipt = context.receipt.build()
    report = report.model_copy(update={"degraded": receipt.degraded})
    if "receipt" in state["conversation"].options.include:
        report = report.model_copy(update={"receipt": receipt})
    return Finished(report, context.receipt.usage())
