"""The node `fill`: a model fills in the caller's schema, and each value is kept only with a source that says it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog

from agent.answering.drafting.drafts import DraftSentence
from agent.answering.drafting.generation import begin_draft, chat_request, chosen_model
from agent.answering.drafting.prompt import prompt_of
from agent.answering.drafting.sentence_check import check
from agent.answering.drafting.writer import Writer
from agent.answering.errors import FieldsUnsupported, FormNeedsModel, OutputUnfit
from agent.answering.state import AnswerState, Begun, Context, is_refused
from agent.answering.verification import finish
from agent.grounding.citations import Support
from agent.grounding.fields import MAX_VALUES, Path, Value, find_value_support, pointer, values, without
from agent.grounding.support import is_factual
from agent.grounding.verbatim import FEWEST, find_verbatim
from agent.questions.output_form import OutputForm
from agent.relevance.evidence import Evidence
from agent.schemas.json_output import correction, read_output, shown_json, shown_value
from agent.schemas.validation import places, problems, resolved
from agent.text.refusals import is_refusal
from agent.text.sentences import sentences
from contracts.models.catalog import ModelInfo
from contracts.models.chat import AnswerKind, AnswerOptions, Message

log = structlog.get_logger(__name__)
MAX_REPAIRS = 1
MAX_DEPTH = 16
"""Of objects in each other that are made of nulls."""
MAX_BLANKS = 1_000
"""Fields of such objects: a schema that refers to itself many times has more than any machine."""
UNSUPPORTED = "fields_unsupported"


async def check_can_fill(context: Context, options: AnswerOptions) -> None:
    """Raise unless there is a model that fills in schemas. Before any work is done."""
    model = await chosen_model(context, options)
    if model is None or model.packaged:
        raise FormNeedsModel


async def fill(state: AnswerState, context: Context) -> AnswerState:
    """The form as JSON, whole: a model's words are not known to fit before their end."""
    conversation, evidence = state["conversation"], state["evidence"]
    form, model = conversation.form, await context.model
    assert form is not None, "only answers to forms come here"
    assert model is not None, "it was checked that there is one"
    grounding = conversation.options.grounding or ("annotate" if state["decides"] == "never" else "strict")
    asked = state["hits"] and not is_refused(state)
    written = await _written(form, model, state, context) if asked else None
    value = shown_value(form.schema, _blank(form.schema) if written is None else written)
    fields: dict[str, Sequence[Support]] = {}
    if grounding != "off":
        given = values(value)[:MAX_VALUES]
        unfit = set(places(form.schema, value)) if grounding == "strict" else ()  # what is live was broken in it
        found = {one.path: [] if one.path in unfit else await _supports(one, evidence, context) for one in given}
        missing = [one.path for one in values(value) if not found.get(one.path)]
        left_out: Sequence[Path] = ()
        if missing:
            context.receipt.degrade(UNSUPPORTED)
        if grounding == "strict":
            value, left_out = _emptied(form.schema, value, missing)
        fields = {pointer(at): supports for at, supports in _kept(found, left_out)}
    return _finished({**state, "grounding": grounding}, context, value, fields)


def _finished(state: AnswerState, context: Context, value: Any, fields: Mapping[str, Sequence[Support]]) -> AnswerState:
    """Send the value and report what supports it."""
    context.send(Begun(state["hits"]))
    writer = Writer(context.send, context.settings.public_url)
    writer.write(shown_json(value))
    writer.finish()
    kind: AnswerKind = "generated" if values(value) else "abstained"
    grounded = kind == "generated" and bool(fields) and all(fields.get(pointer(one.path)) for one in values(value))
    done = finish(state, writer, kind, grounded)
    if state["grounding"] != "off":
        cited = {at: [writer.citations.of_field(one) for one in supports] for at, supports in fields.items()}
        done["report"] = done["report"].model_copy(update={"fields": cited})
    return done


async def _written(form: OutputForm, model: ModelInfo, state: AnswerState, context: Context) -> Any:
    """What the model wrote, which fits the schema; None where it says that there is no answer."""
    prompt = await context.prompt(prompt_of(model, form))
    request = chat_request(state, context, model, prompt)
    wrong: list[str] = []
    for _ in range(1 + MAX_REPAIRS):
        draft = await begin_draft(request, context, model)
        text = "".join([piece async for piece in draft.pieces])
        await draft.end()
        if is_refusal(text):
            return None
        value, wrong = read_output(form.schema, text)
        if not wrong:
            return value
        log.info("form does not fit", wrong=wrong)
        reply = [Message(role="assistant", content=text), Message(role="user", content=correction(wrong))]
        request = request.model_copy(update={"messages": [*request.messages, *reply]})
    raise OutputUnfit(wrong if value is None else [pointer(at) or "the whole" for at in places(form.schema, value)])


async def _supports(value: Value, evidence: Evidence, context: Context) -> list[Support]:
    """What supports a value: one span, or of running text one for each sentence; none unless all of it is supported."""
    if not value.is_running_text:
        await asyncio.sleep(0)  # others go on, and so do the deadline and a caller who leaves
        one = find_value_support(value, evidence) or _verbatim(value, evidence)
        return [] if one is None else [one]
    text = value.said
    found: list[Support] = []
    for begin, end in sentences(text):
        checked = await check(DraftSentence(text[begin:end], ""), evidence, context)
        if checked is None:
            return []
        found.append(checked.support)
    return found


def _verbatim(value: Value, evidence: Evidence) -> Support | None:
    """Where a text stands word for word, if it says enough to be looked for by itself."""
    stated = isinstance(value.content, str) and is_factual(value.said) and len(value.said.split()) >= FEWEST
    return find_verbatim(value.said, evidence.found) if stated else None


def _emptied(schema: Mapping[str, Any], value: Any, missing: Sequence[Path]) -> tuple[Any, Sequence[Path]]:
    """The value with null for what no source says, or without it where the schema takes no null, and what it is
    without; raises if neither can be."""
    left_out: Sequence[Path] = ()
    for nulls, left_out in _ways_to_empty(schema, value, missing):
        emptied = without(value, nulls, left_out)
        if not problems(schema, emptied):
            return emptied, left_out
    raise FieldsUnsupported([pointer(path) for path in left_out or missing])


def _ways_to_empty(
    schema: Mapping[str, Any], value: Any, missing: Sequence[Path]
) -> Iterator[tuple[Sequence[Path], Sequence[Path]]]:
    """What to make null and what to leave out, the best first: whole objects are made null where nothing is in them."""
    yield missing, ()
    refused = set(places(schema, without(value, missing, ())))
    gone, paths = set(missing), [one.path for one in values(value)]
    empty = [at for at in refused - gone if all(path in gone for path in paths if path[: len(at)] == at)]
    if empty:
        yield [*missing, *empty], ()
    yield [path for path in missing if path not in refused], [path for path in missing if path in refused]


def _kept(
    found: Mapping[Path, Sequence[Support]], left_out: Sequence[Path]
) -> Iterator[tuple[Path, Sequence[Support]]]:
    """Where each value stands once some are left out: what follows in a list moves up."""
    items = [path for path in left_out if isinstance(path[-1], int)]
    for path, supports in found.items():
        if path not in items:
            yield tuple(_moved(path, at, items) for at in range(len(path))), supports


def _moved(path: Path, at: int, gone: Sequence[Path]) -> str | int:
    step = path[at]
    if isinstance(step, str):
        return step
    return step - sum(len(one) == at + 1 and one[:at] == path[:at] and int(one[at]) < step for one in gone)


def _blank(schema: Mapping[str, Any]) -> Any:
    """The form with nothing in it; raises where it takes no nulls."""
    blank = _nulls(schema, schema, MAX_DEPTH, iter(range(MAX_BLANKS)))
    if problems(schema, blank):
        raise FieldsUnsupported(())
    return blank


def _nulls(part: Any, schema: Mapping[str, Any], depth: int, left: Iterator[int]) -> Any:
    """What a part of a schema takes that says nothing: an object of nulls, an empty list, or null."""
    part = resolved(schema, part)
    properties, required = part.get("properties"), part.get("required")
    if isinstance(properties, Mapping) and depth and next(left, None) is not None:
        names = required if isinstance(required, list) else []
        return {name: _nulls(properties.get(name, {}), schema, depth - 1, left) for name in names}
    return [] if part.get("type") == "array" else None
