from __future__ import annotations

from dataclasses import replace
from string import Template
from typing import Any

import pytest
from services.agent.tests.answering.answers import INCLUDE, OWN_PROMPT, RIGHT, degraded, kind_of
from services.agent.tests.conftest import LEAVE_QUESTION, Bench, chat_request, content_of, delegation

from agent.answering.completions import chunks, collect
from agent.answering.drafting.prompt import PACKAGED_PROMPT
from agent.prompts.packaged import AsShipped
from agent.prompts.prompt import Prompt, load_prompt
from agent.questions.conversation import read_conversation
from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE, PACKAGED, ScriptedModels, echo
from contracts.models.catalog import ModelInfo
from contracts.models.chat import ChatCompletion, ChatRequest
from servicekit.core.errors import QueueFull, RateLimited, ServiceError, UpstreamFailed


@pytest.mark.parametrize("failure", [UpstreamFailed("broken"), QueueFull("full", retry_after=1)])
@pytest.mark.parametrize("fail_after", [0, 2])
@pytest.mark.parametrize("info", [PACKAGED, CAPABLE])
async def test_no_model_is_no_reason_for_no_answer(failure: ServiceError, fail_after: int, info: Any) -> None:
    bench = Bench(info=info)
    bench.models = ScriptedModels(echo(""), info, failure=failure, fail_after=fail_after)
    answer = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, **OWN_PROMPT})
    assert kind_of(answer) == "extractive"
    assert "model_unavailable" in degraded(answer) or "draft_unsupported" in degraded(answer)


async def test_no_model_at_all_and_no_embeddings_still_answer() -> None:
    bench = Bench(info=None)
    bench.models.embedding_failure = UpstreamFailed("broken")
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert "27 days" in content_of(answer)
    assert degraded(answer) == ["embeddings_unavailable", "model_unavailable"]


async def test_a_limit_of_the_key_is_told_and_not_hidden_by_a_fallback() -> None:
    bench = Bench(info=CAPABLE)
    bench.models.failure = RateLimited("Too many.", retry_after=3)
    with pytest.raises(RateLimited):
        await bench.ask(LEAVE_QUESTION)


async def test_a_slow_model_ends_in_an_extractive_answer() -> None:
    bench = Bench(info=CAPABLE, settings=AgentSettings(first_token_seconds=0.05))
    bench.models.never_ends = True
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert (kind_of(answer), degraded(answer)) == ("extractive", ["model_timeout"])
    assert bench.models.closed == 1


@pytest.mark.parametrize(
    ("info", "groundwork", "drafts"),
    [
        (PACKAGED, {}, 0),
        (PACKAGED, {"grounding": "strict"}, 0),
        (PACKAGED, {"grounding": "annotate"}, 1),
        (PACKAGED, {"grounding": "off"}, 1),
        (PACKAGED, OWN_PROMPT, 1),
        (PACKAGED, {"prompt": "groundwork-answer@candidate"}, 0),
        (PACKAGED, {"prompt": "groundwork-answer-small@1"}, 1),
        (CAPABLE, {"grounding": "strict"}, 1),
    ],
)
async def test_the_packaged_model_is_not_waited_for_where_its_words_would_not_be_sent(
    info: ModelInfo, groundwork: dict[str, str], drafts: int
) -> None:
    bench = Bench(says=RIGHT, info=info)
    answer = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, **groundwork})
    assert len(bench.models.requests) == drafts
    assert kind_of(answer) == ("generated" if drafts else "extractive")
    assert "27 days" in content_of(answer)
    assert degraded(answer) == (["prompt_ignored"] if "@candidate" in groundwork.get("prompt", "") else [])


async def test_the_packaged_model_is_asked_where_the_tenant_has_a_prompt_in_place_of_its_own() -> None:
    bench = Bench(says=RIGHT)
    shipped = load_prompt(PACKAGED_PROMPT)
    own = replace(shipped, version="groundwork-answer-small@2", system=Template("Be brief."))
    request = chat_request(LEAVE_QUESTION)
    answering = replace(bench.answering, prompts=_InUse(own))
    events = answering.events(read_conversation(request, delegation()), request, "token", "req_1")
    assert kind_of(await collect(chunks(events, request.model))) == "generated"
    assert bench.models.requests[0].messages[0].plain_text() == "Be brief."


class _InUse(AsShipped):
    """A tenant's one prompt."""

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt

    async def in_use(self, tenant: str, file: str) -> Prompt:
        return self._prompt


async def test_a_model_that_does_not_exist_is_told() -> None:
    with pytest.raises(ServiceError) as caught:
        await Bench().ask(LEAVE_QUESTION, groundwork={"model": "gpt-9"})
    assert (caught.value.http_status, caught.value.code) == (404, "model_not_found")


async def test_leaving_early_ends_the_models_work() -> None:
    bench = Bench(says=RIGHT, info=CAPABLE)
    bench.models.never_ends = True
    events = _events(bench)
    seen = 0
    async for _ in events:
        seen += 1
        if seen == 3:
            break
    await events.aclose()
    assert bench.models.closed == 1


PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
SEEING = CAPABLE.model_copy(update={"images": True})


def _with_picture(**more: Any) -> ChatRequest:
    asked = [{"type": "text", "text": "Is the leave in this picture right?"}, PICTURE]
    said = [{"role": "user", "content": asked}]
    return ChatRequest.model_validate({"model": "rag:handbook", "messages": said, **more})


async def _answer_to(bench: Bench, request: ChatRequest) -> ChatCompletion:
    events = bench.answering.events(read_conversation(request, delegation()), request, "token", "req_1")
    return await collect(chunks(events, request.model))


async def test_a_picture_goes_to_a_model_that_reads_it_whatever_the_words_find() -> None:
    bench = Bench(says=RIGHT, info=SEEING, settings=AgentSettings(abstain_threshold=1.0))
    answer = await _answer_to(bench, _with_picture())
    assert kind_of(answer) == "generated"
    content = bench.models.requests[0].model_dump(mode="json")["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"] == PICTURE["image_url"]


@pytest.mark.parametrize("info", [CAPABLE, PACKAGED, None])
async def test_a_picture_is_refused_before_any_work_where_no_model_reads_it(info: Any) -> None:
    bench = Bench(says=RIGHT, info=info)
    with pytest.raises(ServiceError, match="Message 0 holds a picture") as caught:
        await _answer_to(bench, _with_picture())
    assert (caught.value.http_status, caught.value.code) == (400, "content_unsupported")
    assert bench.search.requests == []


async def test_a_picture_is_not_dropped_for_an_answer_without_the_model() -> None:
    bench = Bench(info=SEEING)
    bench.models = ScriptedModels(echo(""), SEEING, failure=UpstreamFailed("broken"))
    with pytest.raises(UpstreamFailed):
        await _answer_to(bench, _with_picture())


async def test_a_picture_is_not_dropped_where_the_model_is_slow() -> None:
    bench = Bench(info=SEEING, settings=AgentSettings(first_token_seconds=0.05))
    bench.models.never_ends = True
    bench.models.script = lambda _: []
    with pytest.raises(ServiceError) as caught:
        await _answer_to(bench, _with_picture())
    assert (caught.value.http_status, caught.value.code) == (504, "deadline_passed")


async def test_what_was_judged_to_hold_no_answer_is_none_beside_a_picture_either() -> None:
    bench = Bench(says="A pony named Bella.", info=SEEING, settings=AgentSettings(abstain_threshold=1.0))
    answer = await _answer_to(bench, _with_picture(groundwork={"grounding": "strict"}))
    assert kind_of(answer) == "abstained"
    assert "27 days" not in content_of(answer)


def _events(bench: Bench) -> Any:
    request = chat_request(LEAVE_QUESTION)
    return bench.answering.events(read_conversation(request, delegation()), request, "token", "req_1")
