"""One trace through all services: real exporters to a real collector, ids in receipts and logs, no text in spans."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.support.home.collector import Seen
from tests.support.home.traced import PARENT, Traced

SECRET = "Kestrel"
TEXT = f"Project {SECRET} has a budget of 417 euros. " * 3
QUESTION = f"What is the budget of project {SECRET}?"
UPSTREAM = "POST upstream"
MOST_SPANS = 30
"""Of one answer."""
PROGRAMS = {"gateway": "gateway", "ingest": "ingest", "ingest-worker": "worker", "retriever": "retriever"}


@pytest.fixture(scope="module")
def uploaded(traced: Traced) -> str:
    """The trace id of an upload whose document is ready."""
    trace_id = "a" * 31 + "1"
    traced.home.client.collections.ensure("projects")
    accepted = traced.post("/v1/collections/projects/documents", {"text": TEXT, "document_id": "budget"}, trace_id)
    assert accepted.status_code == 202, accepted.text
    traced.home.client.jobs.wait(accepted.json()["job"]["id"])
    return trace_id


def _chain(spans: list[Seen], last: Seen) -> list[str]:
    """Services from the first to the one of a span, by the parents that the spans name."""
    by_id, chain, span = {one.span_id: one for one in spans}, [last.service], last
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        if span.service != chain[0]:
            chain.insert(0, span.service)
    assert span.parent_id == PARENT, f"{last.name} of {last.service} hangs on a span that never came: {span}"
    return chain


def _whole(*names: str) -> Callable[[list[Seen]], bool]:
    """Whether all of a trace has arrived: some `service: name`, and the parent of every span."""

    def complete(spans: list[Seen]) -> bool:
        ids = {span.span_id for span in spans} | {PARENT}
        there = {f"{span.service}: {span.name}" for span in spans}
        return there.issuperset(names) and all(span.parent_id in ids for span in spans)

    return complete


def _of(spans: list[Seen], service: str, name: str) -> list[Seen]:
    return [span for span in spans if span.service == service and span.name == name]


def test_an_upload_is_one_trace_from_the_gateway_to_the_models(traced: Traced, uploaded: str) -> None:
    complete = _whole(
        "ingest-worker: job document",
        "ingest-worker: process ingest",
        "retriever: write",
        "inference: embeddings scripted-embedding",
    )
    spans = traced.collector.wait_for(uploaded, complete)
    services = {span.service for span in spans}
    assert services == {"gateway", "ingest", "ingest-worker", "retriever", "inference"}
    (embedding, *_) = _of(spans, "inference", "embeddings scripted-embedding")
    assert _chain(spans, embedding) == ["gateway", "ingest", "ingest-worker", "retriever", "inference"]
    assert embedding.attributes["gen_ai.operation.name"] == "embeddings"
    assert embedding.attributes["gen_ai.usage.input_tokens"] > 0
    (woken,) = _of(spans, "ingest-worker", "process ingest")
    assert _chain(spans, woken) == ["gateway", "ingest", "ingest-worker"], "the wake-up by Celery belongs to it, too"
    stages = {span.name for span in spans if span.service == "ingest-worker"}
    assert {"parsing", "chunking", "indexing"} <= stages, "so small a document is committed with its only batch"
    for span in spans:
        _chain(spans, span)


def test_an_ask_is_one_trace_and_its_receipt_names_it(traced: Traced, uploaded: str) -> None:
    trace_id = "b" * 31 + "2"
    body = {"model": "rag:projects", "messages": [{"role": "user", "content": QUESTION}]}
    answer = traced.ask({**body, "groundwork": {"include": ["receipt"], "rerank": True}}, trace_id)
    assert answer["groundwork"]["receipt"]["trace_id"] == trace_id
    complete = _whole("retriever: retrieval", "gateway: chat scripted-chat", "inference: rerank scripted-rerank")
    spans = traced.collector.wait_for(trace_id, complete)
    assert {span.service for span in spans} == {"gateway", "agent", "retriever", "inference"}
    for span in spans:
        _chain(spans, span)
    (search,) = _of(spans, "retriever", "retrieval")
    assert _chain(spans, search) == ["gateway", "agent", "retriever"]
    assert search.attributes["gen_ai.data_source.id"] == "projects"
    assert _of(spans, "inference", "rerank scripted-rerank")
    (chat,) = [one for one in spans if one.attributes.get("gen_ai.operation.name") == "chat"]
    assert _chain(spans, chat) == ["gateway", "agent", "gateway"], "its model calls pass the gateway again"
    usage = chat.attributes["gen_ai.usage.input_tokens"], chat.attributes["gen_ai.usage.output_tokens"]
    assert usage == (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"])
    assert {"condense", "retrieve", "judge", "answer", "verify"} <= {
        one.name for one in spans if one.service == "agent"
    }
    (root,) = [one for one in spans if one.parent_id == PARENT]
    assert root.attributes["openinference.span.kind"] == "CHAIN"
    assert len(spans) <= MOST_SPANS, [f"{one.service}: {one.name}" for one in spans]
    assert not [one.name for one in spans if one.failed]


def test_a_run_of_an_agent_belongs_to_the_trace_of_its_call_down_to_the_model_server(traced: Traced) -> None:
    trace_id = "c" * 31 + "3"
    traced.home.client.agents.save("reckoner", {"model": "calls", "instructions": "Multiply.", "tools": ["calculator"]})
    traced.ask({"model": "agent:reckoner", "messages": [{"role": "user", "content": "6 * 7?"}]}, trace_id)
    whole = _whole("agent: invoke_agent reckoner")
    spans = traced.collector.wait_for(trace_id, lambda seen: whole(seen) and len(_of(seen, "inference", UPSTREAM)) > 1)
    (tool,) = _of(spans, "agent", "execute_tool calculator")
    (run,) = _of(spans, "agent", "invoke_agent reckoner")
    assert _chain(spans, tool) == ["gateway", "agent"]
    assert run.attributes["gen_ai.agent.name"] == "reckoner"
    assert run.attributes["groundwork.output_tokens"] > 0
    counted = [one for one in spans if "gen_ai.usage.output_tokens" in one.attributes]
    assert [one.name for one in counted] == ["chat calls"] * 2, "tokens are told once, by the calls that used them"
    (root,) = [one for one in spans if one.parent_id == PARENT]
    assert root.attributes["openinference.span.kind"] == "AGENT"
    assert len(spans) <= MOST_SPANS
    assert not [one.name for one in spans if one.failed], "a server without a tokenizer fails nobody's call"
    told = {headers["traceparent"] for headers in traced.heard if "traceparent" in headers}
    calls = {span.span_id: span for span in _of(spans, "inference", UPSTREAM)}
    assert len(calls) == 2, "a model call, and one with what the tool said"
    assert {f"00-{trace_id}-{span_id}-01" for span_id in calls} <= told
    for span in calls.values():
        assert _chain(spans, span) == ["gateway", "agent", "gateway", "inference"]


def test_no_span_holds_what_was_asked_answered_or_written(traced: Traced, uploaded: str) -> None:
    body = {"model": "default", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 0}
    traced.post("/v1/chat/completions", body, "d" * 31 + "4")
    traced.post("/v1/collections/projects/search", {"query": QUESTION, "limit": 0}, "d" * 31 + "4")
    traced.collector.wait_for("d" * 31 + "4", lambda seen: len(seen) > 1)
    sent = b"".join(traced.collector.bodies)
    assert sent
    assert not [word for word in (SECRET, "budget of", "Multiply") if word.encode() in sent]
    assert {headers.get("x-token") for headers in traced.collector.headers} == {"of-the-collector"}


def test_logs_name_request_tenant_job_and_trace_from_the_gateway_to_the_worker(traced: Traced, uploaded: str) -> None:
    pause, missing = threading.Event(), {"all"}
    for _ in range(600):
        missing = set()
        for service, program in PROGRAMS.items():
            lines = [line for line in traced.home.log_events(program) if line.get("trace_id") == uploaded]
            if not any(line.get("tenant") == "default" and line.get("request_id") for line in lines):
                missing.add(service)
        if not missing:
            break
        pause.wait(0.1)
    assert not missing
    jobs = [line for line in traced.home.log_events("worker") if line.get("trace_id") == uploaded]
    ids = {(line["request_id"], line["job_id"]) for line in jobs if line.get("tenant")}
    requests = {line["request_id"] for line in traced.home.log_events("gateway") if line.get("trace_id") == uploaded}
    assert len(ids) == 1
    assert {request for request, _ in ids} == requests


def test_a_trace_that_its_caller_does_not_record_is_not_recorded_and_still_has_its_id(traced: Traced) -> None:
    trace_id = "e" * 31 + "5"
    headers = {"traceparent": f"00-{trace_id}-{PARENT}-00"}
    body = {"model": "rag:projects", "messages": [{"role": "user", "content": QUESTION}]}
    body["groundwork"] = {"include": ["receipt"]}  # type: ignore[assignment]
    answer = traced.http.post("/v1/chat/completions", json=body, headers=headers).json()
    assert answer["groundwork"]["receipt"]["trace_id"] == trace_id
    traced.ask({"model": "default", "messages": [{"role": "user", "content": "Good morning"}]}, "f" * 31 + "6")
    assert traced.collector.wait_for("f" * 31 + "6", lambda seen: len(seen) > 1)
    assert not traced.collector.trace(trace_id)
