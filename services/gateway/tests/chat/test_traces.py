"""What viewers of traces get of a chat call, as it leaves for a collector; the socket is the one thing missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import CHAT, Installation

from contracts.access.guardrails import Guardrails, TextGuards
from contracts.models.versions import ModelVersion
from gateway.auth.keys import Principal
from gateway.chat import traces
from gateway.chat.answer_start import PATH
from gateway.chat.service import chat
from servicekit.core.settings import CAPTURE_CONTENT, ServiceSettings
from servicekit.telemetry import spans as tracing
from servicekit.telemetry.trace_context import CURRENT

QUESTION, MAIL = "What does ada@example.org pay?", "ada@example.org"
USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
CALLED = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
WHOLE = {
    "choices": [{"index": 0, "message": {"role": "assistant", "content": f"Ask {MAIL}"}, "finish_reason": "stop"}],
    "usage": USAGE,
}
FRAMES = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "Ask "}}]}\n\n',
    b'data: {"choices": [{"index": 0, "delta": {"content": "Ada"}, "finish_reason": "stop"}]}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}\n\n',
    b"data: [DONE]\n\n",
)
Ask = Callable[..., Any]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ReadableSpan]]:
    sent: list[ReadableSpan] = []

    def export(_: OTLPSpanExporter, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        sent.extend(spans)
        return SpanExportResult.SUCCESS

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    yield sent
    tracing.close_tracing()
    CURRENT.set(None)


@pytest.fixture
def ask(installation: Installation, sent: list[ReadableSpan], monkeypatch: pytest.MonkeyPatch) -> Ask:
    installation.offer(CHAT)
    installation.inference.answers(PATH, WHOLE)
    installation.agent.answers(PATH, WHOLE)

    async def asked(
        capture: str = "", rules: Guardrails | None = None, **changes: Any
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The attributes of the call's own span, and of its model calls."""
        monkeypatch.setenv(CAPTURE_CONTENT, capture)
        tracing.configure_tracing(ServiceSettings(otlp_endpoint="http://127.0.0.1:4318"), "gateway")
        scopes = frozenset(("chat", "agents"))
        key = Principal("k1", "acme", scopes, guardrails=rules or Guardrails())
        caller = Caller.of({"model": "m", "messages": [{"role": "user", "content": QUESTION}], **changes})
        caller.exchange.scope["state"]["span"] = root = tracing.enter("root", "server", None)
        await chat(caller.exchange, installation.deps, key)
        root.end()
        tracing.close_tracing()
        told = [dict(span.attributes or {}) for span in sent if span.name == "root"]
        assert len(told) == 1
        assert not [span.name for span in sent if span.status.status_code.name == "ERROR"]
        return told[0], [dict(span.attributes or {}) for span in sent if span.name.startswith("chat")]

    return asked


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_call_is_one_span_with_its_tokens_and_nobody_s_words(
    ask: Ask, installation: Installation, stream: bool
) -> None:
    if stream:
        installation.inference.answers(PATH, Streamed(FRAMES))
    root, (model,) = await ask(stream=stream, max_tokens=9)
    assert (model["gen_ai.usage.input_tokens"], model["gen_ai.usage.output_tokens"]) == (3, 1)
    assert (model["gen_ai.request.max_tokens"], model["gen_ai.request.stream"]) == (9, stream)
    assert ("gen_ai.response.time_to_first_chunk" in model) is stream
    assert not [name for name in root if name.startswith("gen_ai")], "tokens and kinds are told once"
    assert root["openinference.span.kind"] == "CHAIN"
    assert not [name for name in {**root, **model} if "messages" in name or name.endswith(".value")]


@pytest.mark.parametrize(("model", "kind"), [("rag:a", "CHAIN"), ("agent:clerk", "AGENT"), ("m", "CHAIN")])
async def test_the_kind_of_a_call_is_that_of_its_model(
    ask: Ask, installation: Installation, model: str, kind: str
) -> None:
    sizes: dict[str, Any] = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
    shown = {"name": "a", "embedding_model": "e", **sizes, "created_at": "2026-11-01T00:00:00Z"}
    installation.retriever.answers("/v1/collections/a", shown)
    root, _ = await ask(model=model)
    assert (root["openinference.span.kind"], root["groundwork.model"]) == (kind, model)


@pytest.mark.parametrize("word", ["true", "SPAN_ONLY", "span_and_event"])
async def test_by_opt_in_a_call_shows_what_was_asked_and_answered(ask: Ask, word: str) -> None:
    root, (model,) = await ask(word)
    assert (root["input.value"], root["output.value"]) == (QUESTION, f"Ask {MAIL}")
    assert (model["input.value"], model["output.value"]) == (QUESTION, f"Ask {MAIL}")
    said = [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    assert json.loads(model["gen_ai.input.messages"]) == said
    answered = {"role": "assistant", "parts": [{"type": "text", "content": f"Ask {MAIL}"}], "finish_reason": "stop"}
    assert json.loads(model["gen_ai.output.messages"]) == [answered]


@pytest.mark.parametrize("word", ["false", "NO_CONTENT", "event_only", ""])
async def test_words_that_are_no_opt_in_show_nothing(ask: Ask, word: str) -> None:
    root, (model,) = await ask(word)
    assert not [name for name in {**root, **model} if "messages" in name or name.endswith(".value")]


async def test_a_streamed_answer_is_shown_as_a_whole(ask: Ask, installation: Installation) -> None:
    installation.inference.answers(PATH, Streamed(FRAMES))
    root, (model,) = await ask("true", stream=True)
    assert root["output.value"] == model["output.value"] == "Ask Ada"


async def test_an_answer_that_is_given_again_is_shown_and_uses_no_tokens(
    ask: Ask, installation: Installation, sent: list[ReadableSpan]
) -> None:
    headers = {"content-type": "application/json", **ModelVersion("m", "sha256:ab", "f1").headers()}
    installation.inference.answers(PATH, Streamed((json.dumps(WHOLE).encode(),), headers=headers))
    await ask("true", temperature=0)
    sent.clear()
    root, models = await ask("true", temperature=0)
    assert (root["output.value"], models) == (f"Ask {MAIL}", [])


@pytest.mark.parametrize("side", ["input", "output"])
@pytest.mark.parametrize("action", ["redact", "flag"])
async def test_what_a_key_s_guardrails_mask_is_masked_in_spans_on_both_sides(ask: Ask, side: str, action: str) -> None:
    rules = Guardrails.model_validate({side: TextGuards.model_validate({"pii": action})})
    root, (model,) = await ask("true", rules)
    shown = json.dumps([root, model])
    assert (MAIL in shown) is (action == "flag")


async def test_tool_calls_are_shown_in_the_form_of_the_conventions(ask: Ask, installation: Installation) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": [CALLED]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    installation.inference.answers(PATH, {"choices": [choice], "usage": USAGE})
    told = [
        {"role": "user", "content": "1 + 2?"},
        {"role": "assistant", "content": None, "tool_calls": [CALLED]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
    ]
    function = {"name": "add", "parameters": {"type": "object", "properties": {}}}
    root, (model,) = await ask("true", messages=told, tools=[{"type": "function", "function": function}])
    call = {"type": "tool_call", "name": "add", "arguments": '{"a": 1}', "id": "c1"}
    response = {"type": "tool_call_response", "id": "c1", "response": "3"}
    said = json.loads(model["gen_ai.input.messages"])
    assert [message["parts"] for message in said[1:]] == [[call], [response]]
    (answered,) = json.loads(model["gen_ai.output.messages"])
    assert (answered["parts"], answered["finish_reason"]) == ([call], "tool_calls")
    assert json.loads(model["output.value"]) == [call]
    assert json.loads(root["output.value"]) == [call], "not an answer without any output"


async def test_what_is_too_long_is_cut_and_still_json(ask: Ask) -> None:
    long = [{"role": "user", "content": f"{number} " + '"\n' * 20_000} for number in range(100)]
    root, (model,) = await ask("true", messages=long)
    messages = json.loads(model["gen_ai.input.messages"])
    assert len(messages) == traces.MOST_MESSAGES
    assert messages[-1]["parts"][0]["content"].startswith("99 ")
    assert all(len(value) <= traces.MOST_CHARS for value in (*root.values(), *model.values()) if isinstance(value, str))


async def test_a_cut_takes_what_a_guardrail_could_not_know_as_half(ask: Ask) -> None:
    rules = Guardrails(input=TextGuards(pii="redact"))
    text = "x " * ((traces.MOST_CHARS - 8) // 2) + MAIL
    root, _ = await ask("true", rules, messages=[{"role": "user", "content": text}])
    assert "ada" not in root["input.value"]
