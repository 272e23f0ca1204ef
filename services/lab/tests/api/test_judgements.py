from __future__ import annotations

import json
from typing import Any

import pytest
from services.lab.tests.api.client import Api, error
from services.lab.tests.evaluations.asking import ScriptedTarget

from lab.evaluations.measures import Said
from lab.evaluations.target import Answered
from servicekit.core.errors import NotReady, RateLimited, ServiceError

PATH = "/v1/judgements"
BODY: dict[str, Any] = {
    "name": "mon_1.chatcmpl_1.1",
    "judge": {"model": "wise", "rubric": "Is it right?"},
    "question": {"id": "chatcmpl_1", "turns": [{"role": "user", "content": "How many days?"}]},
    "answer": "25.",
    "passages": ["Staff have 25 days."],
}


async def test_a_verdict_on_an_answer_comes_from_its_question_and_passages_with_the_callers_grant(
    api: Api, scripted: ScriptedTarget
) -> None:
    seen: list[Any] = []

    def script(question: Any, _: int) -> Answered:
        seen.append(question)
        return Answered(Said('{"reason": "The passage says so.", "right": true}'), 1.0)

    scripted.script = script
    answer = await api.call("POST", PATH, BODY, grant="grant")
    assert (answer.status_code, answer.json()) == (
        200,
        {"right": True, "reason": "The passage says so.", "error": None},
    )
    assert json.loads(seen[0].turns[1].content) == {
        "question": "How many days?",
        "passages": ["Staff have 25 days."],
        "answer": "25.",
    }
    assert seen[0].turns[0].content.startswith("Is it right?")
    assert scripted.requests == ["mon_1.chatcmpl_1.1.1"]
    assert scripted.tokens == ["token 1 of grant for None"]


@pytest.mark.parametrize("refused", [NotReady("Loading."), RateLimited("Busy.", retry_after=5)], ids=str)
async def test_what_says_nothing_of_the_answer_is_told_as_it_is(
    api: Api, scripted: ScriptedTarget, refused: ServiceError
) -> None:
    scripted.script = lambda *_: refused
    assert error(await api.call("POST", PATH, BODY, grant="grant")) == (refused.http_status, refused.code)


async def test_what_is_no_verdict_is_an_error_and_who_may_not_judge_is_refused(
    api: Api, scripted: ScriptedTarget
) -> None:
    scripted.script = lambda *_: Answered(Said("It is right, I think."), 1.0)
    said = (await api.call("POST", PATH, BODY, grant="grant")).json()
    assert (said["right"], said["error"]["code"]) == (None, "no_verdict")
    assert error(await api.call("POST", PATH, BODY)) == (400, "grant_missing")
    assert error(await api.call("POST", PATH, BODY, grant="grant", scopes=("evaluations:read",)))[0] == 403
    assert error(await api.call("POST", PATH, {**BODY, "passages": ["x"] * 9}, grant="grant"))[0] == 422
