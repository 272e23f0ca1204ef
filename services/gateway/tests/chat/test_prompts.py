from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import Installation

from contracts.agents.prompts import PromptParameters, RenderedPrompt
from contracts.models.versions import ModelVersion
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH
from gateway.chat.errors import OptionsNeedDocuments, VariablesNeedPrompt
from gateway.chat.service import chat
from gateway.models.errors import ModelNotFound

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
WHOLE = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}
FILL = "/v1/prompts/greeting/fill"
TOOL = {"type": "function", "function": {"name": "sky"}}


def _rendered(version: int = 3, **more: Any) -> RenderedPrompt:
    messages = [{"role": "system", "content": f"v{version}"}]
    return RenderedPrompt.model_validate(
        {"name": "greeting", "version": version, "model": "m", "messages": messages, **more}
    )


async def _ask(installation: Installation, **changes: Any) -> Caller:
    body = {"model": "prompt:greeting", "messages": [{"role": "user", "content": "hello"}], **changes}
    caller = Caller.of(body)
    await chat(caller.exchange, installation.deps, Principal("k1", "acme", frozenset(("chat",))))
    return caller


def _asked(installation: Installation) -> dict[str, Any]:
    return dict(installation.inference.asked_for(PATH)[-1].json)


@pytest.fixture(autouse=True)
def _answering(installation: Installation) -> None:
    installation.inference.answers(PATH, WHOLE)
    installation.agent.answers(FILL, _rendered())


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("prompt:greeting", {"label": None, "version": None}),
        ("prompt:greeting@candidate", {"label": "candidate", "version": None}),
        ("prompt:greeting@7", {"label": None, "version": 7}),
    ],
)
async def test_a_prompt_is_filled_for_what_is_named_and_its_version_is_said(
    installation: Installation, model: str, named: dict[str, Any]
) -> None:
    caller = await _ask(installation, model=model, groundwork={"variables": {"who": "Ann", "n": 3}})
    [asked] = installation.agent.asked_for(FILL)
    assert asked.json == {**named, "variables": {"who": "Ann", "n": 3}, "question": "hello"}
    assert caller.headers["x-groundwork-prompt"] == "greeting@3"
    assert caller.json["choices"] == WHOLE["choices"]


async def test_what_a_caller_says_itself_counts_more_than_the_template(installation: Installation) -> None:
    parameters = PromptParameters(temperature=0.1, max_tokens=9, top_p=0.5)
    form = {"type": "json_object"}
    installation.agent.answers(FILL, _rendered(parameters=parameters.model_dump(), tools=[TOOL], response_format=form))
    await _ask(installation, temperature=0.9, max_completion_tokens=5)
    asked = _asked(installation)
    assert [message["content"] for message in asked["messages"]] == ["v3", "hello"]
    assert (asked["temperature"], asked["top_p"], asked["max_completion_tokens"]) == (0.9, 0.5, 5)
    assert ("max_tokens" in asked and asked["max_tokens"] is not None) is False
    assert (asked["model"], asked["tools"], asked["response_format"]) == ("m", [TOOL], form)
    assert "prompt_variables" not in json.dumps(asked)


async def test_a_new_version_never_gets_the_old_one_s_cached_answer(installation: Installation) -> None:
    headers = {"content-type": "application/json", **ModelVersion("m", "sha256:ab", "f1").headers()}
    installation.inference.answers(PATH, Streamed((json.dumps(WHOLE).encode(),), headers=headers))
    installation.agent.answers(FILL, _rendered(3), _rendered(3), _rendered(4))
    callers = [await _ask(installation, temperature=0) for _ in range(3)]
    assert [caller.headers["x-groundwork-cache"] for caller in callers] == ["miss", "hit", "miss"]
    assert [caller.headers["x-groundwork-prompt"] for caller in callers] == ["greeting@3", "greeting@3", "greeting@4"]


async def test_answers_from_documents_are_instructed_by_the_prompt_and_get_its_version_and_model(
    installation: Installation,
) -> None:
    installation.agent.answers(PATH, WHOLE)
    parameters = PromptParameters(temperature=0.1)
    installation.agent.answers(FILL, _rendered(parameters=parameters.model_dump()))
    options = {"prompt": "greeting@candidate", "variables": {"x": 1}, "top_k": 3}
    caller = await _ask(installation, model="rag:a", store=True, groundwork=options)
    [filled], [asked] = installation.agent.asked_for(FILL), installation.agent.asked_for(PATH)
    assert (filled.json["label"], filled.json["variables"]) == ("candidate", {"x": 1})
    body = asked.json
    assert [(said["role"], said["content"]) for said in body["messages"]] == [("system", "v3"), ("user", "hello")]
    assert (body["temperature"], body["groundwork"]["prompt"], body["groundwork"]["model"]) == (0.1, "greeting@3", "m")
    assert (body["groundwork"]["top_k"], "variables" in body["groundwork"]) == (3, False)
    assert caller.headers["x-groundwork-prompt"] == "greeting@3"


async def test_a_version_of_a_prompt_that_ships_is_left_to_the_agent_service_and_takes_no_variables(
    installation: Installation,
) -> None:
    installation.agent.answers(PATH, WHOLE)
    caller = await _ask(installation, model="rag:a", store=True, groundwork={"prompt": "groundwork-answer@candidate"})
    body = installation.agent.asked_for(PATH)[-1].json
    assert [said["content"] for said in body["messages"]] == ["hello"]
    assert body["groundwork"]["prompt"] == "groundwork-answer@candidate"
    assert "x-groundwork-prompt" not in caller.headers, "the receipt says what was asked by"
    with pytest.raises(VariablesNeedPrompt):
        await _ask(installation, model="rag:a", groundwork={"prompt": "groundwork-answer", "variables": {"x": 1}})


async def test_examples_that_could_not_be_compared_are_told(installation: Installation) -> None:
    installation.agent.answers(FILL, _rendered(degraded=["examples_not_compared"]))
    assert (await _ask(installation)).headers["x-groundwork-degraded"] == "examples_not_compared"


@pytest.mark.parametrize(
    ("changes", "raises"),
    [
        ({"model": "prompt:"}, ModelNotFound),
        ({"model": "prompt:a/b"}, ModelNotFound),
        ({"model": "prompt:a@B"}, ModelNotFound),
        ({"model": "prompt:a@0"}, ModelNotFound),
        ({"model": "m", "groundwork": {"variables": {}}}, VariablesNeedPrompt),
        ({"model": "rag:a", "groundwork": {"variables": {"x": 1}}}, VariablesNeedPrompt),
        ({"groundwork": {"variables": {}, "top_k": 3}}, OptionsNeedDocuments),
        ({"model": "m", "groundwork": {"prompt": "greeting"}}, OptionsNeedDocuments),
        ({"model": "rag:a", "groundwork": {"prompt": "a/b"}}, ModelNotFound),
    ],
)
async def test_what_names_no_prompt_or_asks_more_than_one_gives_is_refused(
    installation: Installation, changes: dict[str, Any], raises: type[Exception]
) -> None:
    with pytest.raises(raises):
        await _ask(installation, **changes)
    assert installation.inference.asked_for(PATH) == []
