from __future__ import annotations

import json
from typing import Any

import pytest
from services.agent.tests.answering.answers import INCLUDE, kind_of
from services.agent.tests.conftest import LEAVE, PRICES, Bench, content_of

from agent.answering.drafting.prompt import FORM_PROMPT
from agent.testing.scripted_answers import CAPABLE, PACKAGED, ScriptedModels, echo
from agent.testing.scripted_reader import ScriptedReader
from contracts.models.chat import AnswerReport, ChatCompletion
from servicekit.core.errors import InvalidRequest, ServiceError, UpstreamFailed

SAYS_27 = "Full-time employees get 27 days of paid leave per year."
SAYS_30_JUNE = "Unused days can be carried over until 30 June."
QUESTION = "What does the leave policy say?"
NULLABLE = {
    "type": "object",
    "properties": {
        "days": {"type": ["integer", "null"]},
        "carried_over_until": {"type": ["string", "null"]},
        "dress_code": {"type": ["string", "null"]},
    },
    "required": ["days", "carried_over_until", "dress_code"],
    "additionalProperties": False,
}
FIRM = {
    "type": "object",
    "properties": {"days": {"type": "integer"}, "notes": {"type": "string"}},
    "required": ["days"],
}
FILLED = {"days": 27, "carried_over_until": "30 June", "dress_code": "smart casual"}


def form(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "leave", "schema": schema}}


async def fill(bench: Bench, schema: dict[str, Any], **groundwork: Any) -> ChatCompletion:
    return await bench.ask(QUESTION, response_format=form(schema), groundwork={**INCLUDE, **groundwork})


def bench(says: object, **more: Any) -> Bench:
    return Bench(says=says if isinstance(says, str) else json.dumps(says), info=CAPABLE, **more)


def report(answer: ChatCompletion) -> AnswerReport:
    assert isinstance(answer.groundwork, AnswerReport)
    return answer.groundwork


async def test_each_value_has_its_citation_and_what_no_source_says_is_null() -> None:
    answer = await fill(bench(FILLED), NULLABLE)
    assert json.loads(content_of(answer)) == {"days": 27, "carried_over_until": "30 June", "dress_code": None}
    told = report(answer)
    assert (told.answer_kind, told.grounded, told.degraded) == ("generated", True, ["fields_unsupported"])
    assert told.fields is not None
    assert {at: len(cited) for at, cited in told.fields.items()} == {
        "/days": 1,
        "/carried_over_until": 1,
        "/dress_code": 0,
    }
    for cited in told.fields.values():
        for one in cited:
            assert LEAVE.text[one.start : one.end] == one.quote
            assert one.url
    assert answer.choices[0].message.annotations == [], "there is no marker in JSON"


async def test_the_model_gets_the_schema_the_sources_and_a_prompt_of_its_own() -> None:
    asked = bench(FILLED)
    answer = await fill(asked, NULLABLE)
    request = asked.models.requests[0]
    assert (request.model_extra or {})["response_format"] == form(NULLABLE)
    assert "dress_code" in request.messages[0].plain_text()
    assert "27 days" in request.messages[1].plain_text()
    assert "dress code" in asked.search.requests[0].query
    receipt = report(answer).receipt
    assert receipt is not None
    assert receipt.prompt == FORM_PROMPT


async def test_annotate_keeps_what_no_source_says_and_off_looks_for_nothing() -> None:
    annotated = await fill(bench(FILLED), NULLABLE, grounding="annotate")
    assert json.loads(content_of(annotated)) == FILLED
    assert (report(annotated).fields or {})["/dress_code"] == []
    assert not report(annotated).grounded
    plain = await fill(bench(FILLED), NULLABLE, grounding="off")
    assert json.loads(content_of(plain)) == FILLED
    assert report(plain).fields is None


async def test_a_field_that_takes_no_null_is_left_out_or_the_answer_is_refused_in_words() -> None:
    answer = await fill(bench({"days": 27, "notes": "Ponies are welcome."}), FIRM)
    assert json.loads(content_of(answer)) == {"days": 27}
    with pytest.raises(InvalidRequest, match=r"do not say '/days'.*allows no null"):
        await fill(bench({"days": 99}), FIRM)


@pytest.mark.parametrize("says", ["NO ANSWER", {"days": None, "carried_over_until": None, "dress_code": None}])
async def test_a_form_with_nothing_in_it_is_an_abstention(says: object) -> None:
    answer = await fill(bench(says), NULLABLE)
    assert kind_of(answer) == "abstained"
    assert json.loads(content_of(answer)) == {"days": None, "carried_over_until": None, "dress_code": None}
    with pytest.raises(ServiceError) as caught:
        await fill(bench("NO ANSWER"), FIRM)
    assert (caught.value.http_status, caught.value.code) == (400, "fields_unsupported")


async def test_citations_stay_with_their_items_when_others_are_left_out() -> None:
    schema = {"type": "object", "properties": {"leave": {"type": "array", "items": {"type": "string"}}}}
    answer = await fill(bench({"leave": ["smart casual", "27 days", "30 June"]}), schema)
    assert json.loads(content_of(answer)) == {"leave": ["27 days", "30 June"]}
    told = report(answer)
    assert {at: [one.quote for one in cited] for at, cited in (told.fields or {}).items()} == {
        "/leave/0": [SAYS_27],
        "/leave/1": [SAYS_30_JUNE],
    }
    assert told.grounded


async def test_an_object_that_may_be_null_is_null_where_nothing_of_it_is_said() -> None:
    person = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    fields = {"days": {"type": "integer"}, "person": {"anyOf": [{"$ref": "#/$defs/Person"}, {"type": "null"}]}}
    schema = {"type": "object", "$defs": {"Person": person}, "properties": fields, "required": ["days", "person"]}
    answer = await fill(bench({"days": 27, "person": {"name": "Ann Other"}}), schema)
    assert json.loads(content_of(answer)) == {"days": 27, "person": None}


async def test_a_form_that_refers_to_itself_ten_times_over_is_refused_soon() -> None:
    names = list("abcdefghij")
    endless = {"type": "object", "properties": {name: {"$ref": "#"} for name in names}, "required": names}
    with pytest.raises(InvalidRequest, match="do not say what the schema requires"):
        await fill(bench("NO ANSWER"), endless)


async def test_an_answer_that_does_not_fit_is_told_by_its_places_not_by_its_values() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    with pytest.raises(UpstreamFailed) as caught:
        await fill(bench({"n": "DE89 3704 0044"}), schema)
    assert "/n" in caught.value.message
    assert "DE89" not in caught.value.message


async def test_a_schema_of_typed_clients_with_references_and_lists_is_filled_with_nothing() -> None:
    place = {"properties": {"city": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "required": ["city"]}
    schema = {
        "type": "object",
        "$defs": {"Place": {"type": "object", **place}},
        "properties": {"place": {"$ref": "#/$defs/Place"}, "names": {"type": "array", "items": {"type": "string"}}},
        "required": ["place", "names"],
    }
    answer = await fill(bench("NO ANSWER"), schema)
    assert json.loads(content_of(answer)) == {"place": {"city": None}, "names": []}


async def test_without_sources_no_model_is_asked() -> None:
    asked = bench(FILLED, hits=())
    assert kind_of(await fill(asked, NULLABLE)) == "abstained"
    assert asked.models.requests == []


async def test_what_does_not_fit_is_repaired_once_and_then_an_error() -> None:
    asked = bench("")
    said = iter(["27 days", json.dumps(FILLED)])
    asked.models = ScriptedModels(lambda _: [next(said)], CAPABLE)
    assert json.loads(content_of(await fill(asked, NULLABLE)))["days"] == 27
    assert "not valid JSON" in asked.models.requests[1].messages[-1].plain_text()
    with pytest.raises(ServiceError) as caught:
        await fill(bench('{"days": "many"}'), NULLABLE)
    assert (caught.value.http_status, caught.value.code) == (502, "invalid_output")


@pytest.mark.parametrize("info", [PACKAGED, None])
async def test_without_a_model_that_can_it_is_refused_before_any_work(info: Any) -> None:
    asked = Bench(says=json.dumps(FILLED), info=info)
    with pytest.raises(InvalidRequest, match=r"needs a larger model.*groundwork model add"):
        await fill(asked, NULLABLE)
    assert asked.search.requests == []


async def test_a_model_that_fails_is_an_error_and_no_other_kind_of_answer() -> None:
    asked = bench("")
    asked.models = ScriptedModels(echo(""), CAPABLE, failure=UpstreamFailed("broken"))
    with pytest.raises(UpstreamFailed):
        await fill(asked, NULLABLE)


async def test_a_stream_has_the_same_form_whole() -> None:
    chunks = await bench(FILLED).stream(QUESTION, response_format=form(NULLABLE))
    content = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert json.loads(content)["days"] == 27
    last = next(chunk.groundwork for chunk in reversed(chunks) if chunk.groundwork is not None)
    assert isinstance(last, AnswerReport)
    assert set(last.fields or {}) == {"/days", "/carried_over_until", "/dress_code"}


async def test_rows_are_told_apart_and_running_text_is_checked_sentence_by_sentence() -> None:
    products = {"type": ["string", "integer", "null"]}
    schema = {
        "type": "object",
        "properties": {
            "products": {"type": "array", "items": {"properties": {"name": products, "price": products}}},
            "summary": {"type": ["string", "null"]},
        },
    }
    says = {
        "products": [{"name": "Heron S2", "price": 189}, {"name": "Causeway G1 Solar", "price": 189}],
        "summary": "Full-time employees get 27 days of paid leave per year. Unused days can be carried over.",
    }
    answer = await Bench(hits=(PRICES, LEAVE), says=json.dumps(says), info=CAPABLE).ask(
        "List the products with prices, and sum up the leave policy.", response_format=form(schema)
    )
    filled = json.loads(content_of(answer))
    assert filled["products"] == [{"name": "Heron S2", "price": 189}, {"name": "Causeway G1 Solar", "price": None}]
    assert filled["summary"] == says["summary"]
    assert len((report(answer).fields or {})["/summary"]) == 2


async def test_nothing_live_is_in_a_value() -> None:
    says = {"days": None, "carried_over_until": "![x](https://evil.example/p.png?q=1) 30 June", "dress_code": None}
    answer = await fill(bench(says), NULLABLE, grounding="annotate")
    assert "](" not in content_of(answer)


async def test_a_value_that_stands_in_a_source_word_for_word_has_its_citation_whatever_its_field_is_called() -> None:
    schema = {"type": "object", "properties": {"motto": {"type": ["string", "null"]}}, "required": ["motto"]}
    reader = ScriptedReader(supports={"share": (0.0, 0.9)})
    for said in ("“Part-time employees get a share of it”", "unused days can be CARRIED over until 30 June"):
        answer = await fill(bench({"motto": said}, reader=reader), schema)
        assert json.loads(content_of(answer)) == {"motto": said}
        told = report(answer)
        assert told.grounded
        assert told.fields is not None
        assert len(told.fields["/motto"]) == 1
