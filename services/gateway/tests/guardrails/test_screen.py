"""What of a request and of an answer is looked at: all of it but references, joined where a model reads it joined."""

from __future__ import annotations

import json

import pytest
from services.gateway.tests.guardrails.samples import CARD, CITATION, MAIL, MASK, REPORT, chat, parts, screen
from services.gateway.tests.guardrails.test_answer_observer import Through

from contracts.access.guardrails import Guardrails, TextGuards
from contracts.models.chat import ChatRequest
from contracts.operations.reach import READS_RUN
from gateway.guardrails.answer_observer import GuardrailObserver
from gateway.guardrails.delta_texts import spoken
from gateway.guardrails.errors import BodyUnreadable, ContentBlocked, InputTooLong
from gateway.guardrails.screen import Screen

FUNCTION = {"name": "f", "parameters": {"type": "object", "properties": {MAIL: {"type": "string"}}}}


SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"description": MAIL}}}


HIDDEN = {
    "an address in two parts": chat(parts("mail jane.roe@", "acme.example")),
    "an address in three parts": chat(parts("mail jane.", "roe@acme", ".example")),
    "a card in two messages": chat("card 4111 1111", "1111 1111"),
    "a card in four messages": chat("4111", "1111", "1111", "1111"),
    "an object's key": chat("x", tools=[{"type": "function", "function": FUNCTION}]),
    "a key beside the messages": chat("x", metadata={MAIL: 1}),
    "stop": chat("x", stop=[MAIL]),
    "the description of a tool": chat(
        "x", tools=[{"type": "function", "function": {"name": "f", "description": MAIL}}]
    ),
    "user": chat("x", user=MAIL),
    "metadata": chat("x", metadata={"who": [MAIL]}),
    "a schema": chat("x", response_format=SCHEMA),
    "a number": chat("x", metadata={"card": 4111111111111111}),
    "a field that names something": chat("x", metadata={"id": f"the address {MAIL}"}),
    "an invisible character": chat("jane.roe\u200b@acme.example"),
}


@pytest.mark.parametrize("where", HIDDEN)
async def test_what_may_not_be_sent_is_found_wherever_it_stands_in_a_request(where: str) -> None:
    with pytest.raises(ContentBlocked):
        await screen(input={"pii": "block"}).question(HIDDEN[where], 0)
    masking = screen(input={"pii": "redact"})
    told = (await masking.question(HIDDEN[where], 0)).model_dump_json()
    assert masking.header() == {"X-Groundwork-Guardrails": "input.pii=redact:1"}
    assert "jane.roe" not in told
    assert "acme.example" not in told
    assert "1111" not in told


@pytest.mark.parametrize(
    "asked",
    [
        chat("x", tools=[{"type": "function", "function": {"name": "f", "description": "d" * 10_000}}]),
        chat("x", metadata={"k" * 5_000: 1}),
        chat("x", stop=["s" * 600]),
        chat("x" * 300, "y" * 300),
        chat("x", metadata={"id": "i" * 600}),
    ],
)
async def test_every_character_that_reaches_a_model_counts(asked: ChatRequest) -> None:
    with pytest.raises(InputTooLong):
        await screen(max_input_chars=500).question(asked, 0)
    assert await screen(max_input_chars=12_000).question(asked, 0) is asked


async def test_a_body_that_is_not_parsed_here_is_screened_as_it_is_or_refused() -> None:
    body = json.dumps({"agent": "a", "input": MAIL}).encode()
    route = "POST /v1/threads/{id}/runs"
    told = await screen(route, input={"pii": "redact"}).question_body(body)
    assert json.loads(told) == {"agent": "a", "input": MASK}
    assert await screen(route, input={"secrets": "redact"}).question_body(body) == body
    for wrong in (b'{"input": ', b'{"input": "\xff"}', b'{"a":' * 100_000):
        with pytest.raises(BodyUnreadable):
            await screen(route, input={"pii": "redact"}).question_body(wrong)


async def test_what_is_kept_of_a_conversation_is_screened_whoever_said_it_and_its_references_stay() -> None:
    route, cited = "POST /v1/threads/{id}/messages", {**CITATION, "document_id": "4111-1111-1111-1111"}
    answer = {"role": "assistant", "content": f"Ask {MAIL}.", "annotations": [cited], "groundwork": REPORT}
    body = json.dumps({"messages": [{"role": "user", "content": f"I am {MAIL}."}, answer], "position": 0}).encode()
    kept = await screen(route, input={"pii": "redact"}).question_body(body)
    assert MAIL.encode() not in kept
    asked, said = json.loads(kept)["messages"]
    assert (asked["content"], said["content"]) == (f"I am {MASK}.", f"Ask {MASK}.")
    assert said["annotations"][0]["document_id"] == "4111-1111-1111-1111"
    assert said["groundwork"]["receipt"]["request_id"] == "req_1"
    with pytest.raises(ContentBlocked):
        await screen(route, input={"pii": "block"}).question_body(body)


async def test_what_is_only_kept_may_be_longer_than_what_is_sent() -> None:
    body = json.dumps({"messages": [{"role": "assistant", "content": "word " * 500}]}).encode()
    screens = screen("POST /v1/threads/{id}/messages", max_input_chars=100, input={"pii": "block"})
    assert await screens.question_body(body) == body


async def test_every_text_of_a_whole_answer_is_screened_and_what_names_something_stays() -> None:
    body = {"id": "c", "model": "m", "groundwork": REPORT, "choices": [{"message": {"annotations": [CITATION]}}]}
    out = await GuardrailObserver(Through(), screen(output={"pii": "redact"}), {}).whole(json.dumps(body).encode())
    assert MAIL.encode() not in out
    assert b"4111111111111111" not in out
    answer = json.loads(out)
    (annotation,) = answer["choices"][0]["message"]["annotations"]
    assert annotation["url_citation"] == {**CITATION["url_citation"], "title": f"Contact {MASK}"}  # type: ignore[dict-item]
    assert (annotation["document_id"], answer["groundwork"]["receipt"]["request_id"]) == ("contact", "req_1")
    assert answer["groundwork"]["pending_tool_calls"][0]["name"] == "post"


@pytest.mark.parametrize("holder", ["arguments", "metadata", "parameters", "schema", "output_schema"])
@pytest.mark.parametrize("name", ["id", "type", "name", "url", "model"])
def test_no_name_that_others_gave_keeps_a_finding_from_being_masked(holder: str, name: str) -> None:
    number = CARD.replace(" ", "")
    told = screen(output={"pii": "redact"}).screened_answer({"id": number, holder: {"of": [{name: number}]}})
    assert told == {"id": number, holder: {"of": [{name: "*" * len(number)}]}}
    assert [said for _, _, said in spoken({holder: {name: number}})] == [name]
    with pytest.raises(ContentBlocked):
        screen(input={"pii": "block"}).screened({holder: {name: number}}, TextGuards(pii="block"), "input")


async def test_callers_get_their_own_words_of_a_run_back_as_they_are() -> None:
    answer = {"data": [{"role": "user", "content": MAIL}, {"role": "tool", "content": MAIL}], "next_cursor": None}
    screens = Screen(Guardrails.model_validate({"output": {"pii": "redact"}}), READS_RUN)
    told = json.loads(await screens.answer(json.dumps(answer).encode()))
    assert [one["content"] for one in told["data"]] == [MAIL, MASK]
    run = {"thread_id": "t", "input": MAIL, "output": MAIL}
    assert json.loads(await screens.answer(json.dumps(run).encode())) == {**run, "output": MASK}


async def test_a_page_of_runs_has_those_that_may_be_seen_and_what_may_not_is_empty() -> None:
    runs = [
        {"thread_id": "t", "agent": "a", "status": "completed", "input": MAIL, "output": said, "error": None}
        for said in ("Fine.", f"Ask {MAIL}.")
    ]
    waits = {**runs[0], "output": None, "pending_tool_calls": [{"id": "c", "arguments": {MAIL: 1, "to": MAIL}}]}
    body = json.dumps({"data": [*runs, waits], "next_cursor": "more"}).encode()
    screens = Screen(Guardrails.model_validate({"output": {"pii": "block", "secrets": "redact"}}), READS_RUN)
    told = json.loads(await screens.answer(body))
    emptied = {**waits, "pending_tool_calls": [{"id": "c", "arguments": {"": 1, "to": ""}}]}
    assert told == {"data": [runs[0], {**runs[1], "output": ""}, emptied], "next_cursor": "more"}
    assert screens.header() == {"X-Groundwork-Guardrails": "output.pii=block:3"}
    for one in (runs[1], {"data": [{"role": "assistant", "content": MAIL}]}):
        with pytest.raises(ContentBlocked):
            await screens.answer(json.dumps(one).encode())


async def test_what_one_guard_masks_hides_no_head_of_what_another_one_finds() -> None:
    token, account = "glpat-a1a1a1a1a1a1a1a1a1a1a1a1", "AD53 9075 6967 RL11 R4JI DNVI"
    both = screen(input={"secrets": "redact", "pii": "redact"})
    told = (await both.question(chat(f"use {token}-{account} now"), 0)).model_dump_json()
    assert "use " in told
    assert " now" in told
    assert "9075" not in told
    assert "R4JI" not in told
    assert both.header() == {"X-Groundwork-Guardrails": "input.secrets=redact:1, input.pii=redact:1"}
