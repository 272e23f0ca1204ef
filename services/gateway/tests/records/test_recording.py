from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import Installation

from contracts.access.guardrails import Guardrails
from contracts.access.records import AnswerRecord
from contracts.agents.prompts import RenderedPrompt
from contracts.models.versions import ModelVersion
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH
from gateway.chat.completions import Completions
from gateway.chat.responses.translation import Responses
from gateway.chat.service import chat
from gateway.chat.translation import TranslatedExchange, Translation
from gateway.guardrails.errors import ContentBlocked
from gateway.records.errors import RecordHeaderUnclear
from gateway.records.repository import Reader, RecordFilter
from gateway.streaming.errors import StreamBrokenOff
from servicekit.core.errors import ServiceError, UpstreamFailed

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
ID = "chatcmpl_0123456789abcdef01234567"
FILL = "/v1/prompts/greeting/fill"
MAIL = "jo@example.org"
SOURCE = {
    "number": 1, "collection": "a", "document_id": "d1", "revision": 3, "chunk_id": "c1", "title": "T", "source": "s",
    "text": "Leave is 30 days.", "start": 0, "end": 17, "score": 0.5,
}  # fmt: skip
CITED = {**{name: SOURCE[name] for name in ("collection", "document_id", "revision", "chunk_id")}, "quote": "30 days"}


def _whole(text: str = "Hi", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": ID, "created": 1, "model": "m", "choices": [choice], "usage": USAGE, **more}


def _frames(*texts: str, end: bool = True) -> tuple[bytes, ...]:
    deltas = [{"content": text} for text in texts]
    chunks = [{"id": ID, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"id": ID, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE})
    frames = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]
    return (*frames, b"data: [DONE]\n\n") if end else tuple(frames[:-1])


def _key(mode: str = "full", **more: Any) -> Principal:
    return Principal("k1", "acme", frozenset(("chat", "agents")), records=mode, **more)  # type: ignore[arg-type]


async def _ask(installation: Installation, key: Principal, wish: str = "yes", **body: Any) -> Caller:
    whole = {"model": "m", "messages": [{"role": "user", "content": "How much leave?"}], **body}
    caller = Caller.of(whole, x_groundwork_record=wish)
    with contextlib.suppress(ServiceError):
        await chat(caller.exchange, installation.deps, key)
    return caller


async def _records(installation: Installation, tenant: str = "acme") -> list[AnswerRecord]:
    deps = installation.deps
    await deps.recorder.all_written()
    reader = Reader(tenant)
    page = await deps.records.list_records(reader, RecordFilter(), 50, None)
    return [await deps.records.get_record(reader, one.id) for one in page.data]


@pytest.fixture(autouse=True)
def _answering(installation: Installation) -> None:
    installation.inference.answers(PATH, _whole())
    sizes = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
    shown = {"name": "a", "embedding_model": "e", **sizes, "created_at": "2026-11-01T00:00:00Z"}
    installation.retriever.answers("/v1/collections/a", shown)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_found_by_its_id_with_question_answer_and_receipt(
    installation: Installation, stream: bool
) -> None:
    installation.inference.answers(PATH, Streamed(_frames("H", "i")) if stream else _whole())
    await _ask(installation, _key(), stream=stream, temperature=0.5, user="jo")
    (record,) = await _records(installation)
    assert (record.id, record.question, record.answer) == (ID, "How much leave?", "Hi")
    assert record.messages == [{"role": "user", "content": "How much leave?"}]
    assert (record.model, record.answered_by, record.streamed, record.user) == ("m", "m", stream, "jo")
    assert (record.parameters, record.finish_reason, record.error_type) == ({"temperature": 0.5}, "stop", None)
    assert record.receipt is not None
    assert record.receipt["tokens"]["prompt"] == 3
    assert [one["outcome"] for one in record.receipt["attempts"]] == ["ok"]
    (row,) = await installation.rows()
    assert (record.call_id, record.request_id) == (row["id"], row["request_id"])


def _rendered(*texts: tuple[str, str]) -> RenderedPrompt:
    messages = [{"role": role, "content": text} for role, text in texts]
    facts = {"name": "greeting", "version": 3, "model": "m", "messages": messages}
    return RenderedPrompt.model_validate({**facts, "parameters": {"temperature": 0}})


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", [[{"role": "user", "content": "Now."}], []], ids=["said", "nothing"])
async def test_what_a_prompt_said_is_on_record_beside_what_its_caller_sent(
    installation: Installation, stream: bool, said: list[Any]
) -> None:
    pieces = _frames("Hi") if stream else (json.dumps(_whole()).encode(),)
    made_by = ModelVersion("m", "sha256:ab", "f1").headers()
    installation.inference.answers(PATH, Streamed(pieces, headers={"content-type": "application/json", **made_by}))
    filled = (("system", "Greet Ann."), ("user", "Hi"), ("assistant", "Ho"))
    installation.agent.answers(FILL, _rendered(*filled))
    options = {"variables": {"who": "Ann"}}
    for _ in range(2):
        await _ask(installation, _key(), model="prompt:greeting", messages=said, groundwork=options, stream=stream)
    records = await _records(installation)
    assert sorted(one.cache for one in records) == ["hit", "miss"]
    for record in records:
        assert record.prompt_messages == [{"role": role, "content": text} for role, text in filled]
        assert (record.messages, record.question) == (said, "Now." if said else "")
        assert record.parameters == {"groundwork": options}
        assert (record.model, record.prompt, record.answer) == ("prompt:greeting", "greeting@3", "Hi")
        assert not record.truncated
        assert (await installation.deps.records.get_record(Reader("acme", "k1"), record.id)).prompt_messages is None


async def test_what_a_prompt_said_is_masked_as_all_else_and_kept_where_the_answer_is_refused_and_not_without_words(
    installation: Installation,
) -> None:
    rules = Guardrails.model_validate({"input": {"pii": "redact"}, "output": {"pii": "block"}})
    installation.agent.answers(FILL, _rendered(("system", f"Be kind, and name {MAIL}.")))
    installation.inference.answers(PATH, _whole(f"It is {MAIL}."))
    asked = {"model": "prompt:greeting", "groundwork": {"variables": {"who": MAIL}}, "messages": []}
    await _ask(installation, _key(guardrails=rules), **asked)
    await _ask(installation, _key("metadata"), **asked)
    refused, wordless = sorted(await _records(installation), key=lambda one: one.mode)
    assert MAIL not in refused.model_dump_json() + wordless.model_dump_json()
    assert refused.error_type == "content_blocked"
    assert refused.prompt_messages == [{"role": "system", "content": f"Be kind, and name {'*' * len(MAIL)}."}]
    assert refused.parameters == {"groundwork": {"variables": {"who": "*" * len(MAIL)}}}
    assert (wordless.prompt, wordless.prompt_messages, wordless.parameters) == ("greeting@3", None, {})


async def test_the_instructions_of_a_prompt_are_on_record_of_an_answer_from_documents(
    installation: Installation,
) -> None:
    report = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    installation.agent.answers(PATH, _whole("30 days", groundwork=report))
    installation.agent.answers(FILL, _rendered(("system", "Be brief."), ("user", "unused")))
    options = {"prompt": "greeting@candidate", "variables": {"x": 1}, "top_k": 3}
    await _ask(installation, _key(), model="rag:a", groundwork=options)
    (record,) = await _records(installation)
    assert record.prompt_messages == [{"role": "system", "content": "Be brief."}]
    assert record.messages == [{"role": "user", "content": "How much leave?"}]
    assert (record.prompt, record.parameters) == ("greeting@3", {"groundwork": options})


@pytest.mark.parametrize("asked", [False, True], ids=["unasked", "asked"])
async def test_an_answer_from_documents_is_kept_with_its_hits_which_only_who_asks_is_sent(
    installation: Installation, asked: bool
) -> None:
    report = {"grounded": True, "abstained": True, "answer_kind": "abstained", "collections": ["a"]}
    receipt = {"request_id": "r", "tokens": {}, "collection_revisions": {"a": 1}, "model": "m", "prompt": "p@2"}
    made_by = {"model_digest": "sha256:ab", "adapter": "house-style"}
    answer = _whole(groundwork={**report, "sources": [SOURCE], "receipt": {**receipt, **made_by}})
    answer["choices"][0]["message"]["annotations"] = [CITED]
    installation.agent.answers(PATH, answer)
    options = {"groundwork": {"include": ["sources", "receipt"]}} if asked else {}
    caller = await _ask(installation, _key(), model="rag:a", **options)
    assert set(caller.json["groundwork"]) == {*report, *(("sources", "receipt") if asked else ())}
    (record,) = await _records(installation)
    (hit,) = record.hits
    assert (hit.document_id, hit.revision, hit.text, hit.cited) == ("d1", 3, "Leave is 30 days.", True)
    assert (record.model, record.collections, record.abstained) == ("rag:a", ["a"], True)
    assert (record.prompt, record.model_digest, record.answered_by) == ("p@2", "sha256:ab", "m")
    assert record.adapter == "house-style"
    assert record.report == report


async def test_without_words_the_record_says_what_happened_and_nothing_that_was_said(
    installation: Installation,
) -> None:
    report = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    receipt = {"request_id": "r", "tokens": {}, "queries": ["How much leave?"]}
    installation.agent.answers(PATH, _whole("30 days", groundwork={**report, "sources": [SOURCE], "receipt": receipt}))
    await _ask(installation, _key("metadata"), model="rag:a")
    (record,) = await _records(installation)
    assert (record.id, record.report, record.hits[0].chunk_id) == (ID, report, "c1")
    text = record.model_dump_json()
    assert "leave" not in text.lower()
    assert "30 days" not in text


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_from_the_cache_is_an_answer_of_its_own(installation: Installation, stream: bool) -> None:
    pieces = _frames("Hi") if stream else (json.dumps(_whole()).encode(),)
    made_by = ModelVersion("m", "sha256:ab", "f1", "house-style").headers()
    installation.inference.answers(PATH, Streamed(pieces, headers={"content-type": "application/json", **made_by}))
    callers = [await _ask(installation, _key(), stream=stream) for _ in range(2)]
    records = await _records(installation)
    assert sorted(one.cache for one in records) == ["hit", "miss"]
    assert [(one.answer, one.answered_by, one.model_digest) for one in records] == [("Hi", "m", "sha256:ab")] * 2
    assert [one.adapter for one in records] == ["house-style"] * 2
    again = next(one for one in records if one.cache == "hit")
    assert again.id != ID
    assert again.id.encode() in b"".join(callers[1].pieces)
    assert ID.encode() not in b"".join(callers[1].pieces)


async def test_a_call_that_failed_was_refused_or_broke_off_is_recorded_with_the_reason(
    installation: Installation,
) -> None:
    installation.inference.answers(PATH, UpstreamFailed("The model is broken."))
    await _ask(installation, _key())
    (failed,) = await _records(installation)
    assert failed.error is not None
    assert (failed.error_type, failed.status, failed.error.message) == ("upstream_error", 502, "The model is broken.")
    assert failed.question == "How much leave?"
    installation.inference.answers(PATH, Streamed((*_frames("Hal", end=False), StreamBrokenOff())))
    await _ask(installation, _key(), stream=True)
    (broken,) = [one for one in await _records(installation) if one.id == ID]
    assert (broken.answer, broken.error_type, broken.finish_reason) == ("Hal", "upstream_error", None)


async def test_of_a_caller_that_left_there_is_what_it_had_got(installation: Installation) -> None:
    rest = asyncio.Event()
    installation.inference.answers(PATH, Streamed((*_frames("Hal", end=False), rest)))
    caller = Caller.of({"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": True})
    work = asyncio.create_task(chat(caller.exchange, installation.deps, _key()))
    async with asyncio.timeout(60):
        while not any(b"Hal" in piece for piece in caller.pieces if caller.sent):  # noqa: ASYNC110  # no event for it
            await asyncio.sleep(0.001)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    (record,) = await _records(installation)
    assert (record.answer, record.error_type, record.status) == ("Hal", "client_disconnected", 499)


async def test_what_guardrails_mask_or_refuse_is_nowhere_in_a_record(installation: Installation) -> None:
    rules = Guardrails.model_validate({"input": {"pii": "block"}, "output": {"pii": "redact"}})
    question = [{"role": "user", "content": f"I am {MAIL}."}]
    with pytest.raises(ContentBlocked):
        await chat(
            Caller.of({"model": "m", "messages": question, "user": MAIL}).exchange,
            installation.deps,
            _key(guardrails=rules),
        )
    report = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    source = {**SOURCE, "text": f"Write to {MAIL}."}
    answer = _whole(f"It is {MAIL}.", groundwork={**report, "sources": [source], "receipt": {"request_id": "r"}})
    installation.agent.answers(PATH, answer)
    await _ask(installation, _key(guardrails=rules), model="rag:a")
    records = await _records(installation)
    assert sorted(one.error_type or "" for one in records) == ["", "content_blocked"]
    assert all(MAIL not in one.model_dump_json() for one in records)
    assert {one.question for one in records} == {f"I am {'*' * len(MAIL)}.", "How much leave?"}
    found = await installation.deps.records.list_records(Reader("acme"), RecordFilter(user=MAIL), 50, None)
    assert len(found.data) == 1, "a user is found by a name that is masked"


async def test_nothing_is_recorded_of_a_key_that_has_it_off_nor_of_a_call_that_says_no(
    installation: Installation,
) -> None:
    await _ask(installation, _key("off"))
    await _ask(installation, _key(), "No")
    assert await _records(installation) == []
    with pytest.raises(RecordHeaderUnclear, match="Send `no`"):
        asked = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
        await chat(Caller.of(asked, x_groundwork_record="nope").exchange, installation.deps, _key())


@pytest.mark.parametrize(("translation", "prefix"), [(Completions(), "cmpl-"), (Responses(), "resp_")])
async def test_the_id_is_the_one_that_the_caller_saw(
    installation: Installation, translation: Translation, prefix: str
) -> None:
    body = {"model": "m", "prompt": "Hello"} if prefix == "cmpl-" else {"model": "m", "input": "Hello"}
    caller = Caller.of(body)
    exchange = TranslatedExchange(translation, *caller.connection)
    await chat(exchange, installation.deps, _key())
    (record,) = await _records(installation)
    assert record.id == caller.json["id"]
    assert record.id.startswith(prefix)
    assert record.question == "Hello"


async def test_a_huge_call_leaves_a_record_of_bounded_size_that_says_so(installation: Installation) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'A' * 5000}"}}
    many = [{"role": "user", "content": "x" * 4000} for _ in range(500)]
    many.append({"role": "user", "content": [{"type": "text", "text": "y\0" * 60_000}, picture]})  # type: ignore[dict-item]
    await _ask(installation, _key(), messages=many)
    (record,) = await _records(installation)
    assert record.truncated
    assert len(record.model_dump_json()) < 300_000
    assert record.question is not None
    assert record.question.startswith("yy")
