from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel

from contracts.core.errors import ErrorBody
from contracts.improvement.evaluations import EvaluationCreate, EvaluationTarget
from contracts.improvement.question_sets import QuestionRecord, Turn
from lab.evaluations.measures import Known, measure
from lab.evaluations.target import GatewayTarget
from servicekit.core.errors import PeerError, ServiceError
from servicekit.peers.client import Peer, PeerMalformed

RAG = EvaluationTarget.model_validate({"model": "rag:handbook", "groundwork": {"mode": "sparse"}})
QUESTION = QuestionRecord(id="a", question="How many days?", documents={"leave.md": 2, "Guide": 1})
CITED = [
    {"document_id": "d1", "source": "folder/leave.md", "title": "Leave", "supported": True},
    {"document_id": "d2", "source": "text", "title": "Guide", "supported": False},
    {"document_id": "d3", "source": "other.md", "title": "Other", "supported": True},
]


class Gateway(Peer):
    """Answers by script, and keeps what it was asked."""

    def __init__(self, *answers: dict[str, Any] | ServiceError) -> None:
        self.name = "gateway"
        self.left, self.asked = list(answers), list[dict[str, Any]]()

    async def call(self, method: str, path: str, answer: Any, **options: Any) -> Any:
        body = options["body"].model_dump() if isinstance(options["body"], BaseModel) else options["body"]
        self.asked.append(
            {"path": path, **json.loads(json.dumps(body)), **options["headers"], "token": options["token"]}
        )
        given = self.left.pop(0)
        if isinstance(given, ServiceError):
            raise given
        return answer.model_validate(given)


def _answer(text: str = "27. [1]", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "annotations": more.pop("annotations", [])}
    return {"id": "chatcmpl_1", "choices": [{"message": message}], "usage": {"total_tokens": 9}, **more}


def _refusal(status: int, code: str) -> PeerError:
    return PeerError(status, ErrorBody(type="internal", code=code, message="No.", param=None, request_id=None))


async def test_an_answer_is_told_with_documents_as_the_question_names_them() -> None:
    told = {"abstained": False, "sources": CITED, "receipt": {"cost_usd": "0.1"}, "other": 1}
    gateway = Gateway(_answer(annotations=CITED, groundwork=told))
    found = await GatewayTarget(gateway, 5).ask(RAG, QUESTION, "token", "eval_1.1.1.1")
    assert (found.said.text, found.said.abstained, found.tokens) == ("27. [1]", False, 9)
    assert found.said.cited == ["leave.md", "Guide", "d3"] == found.said.sources
    assert found.said.supported == [True, False, True]
    assert found.report == {"abstained": False, "receipt": {"cost_usd": "0.1"}}
    assert gateway.asked == [
        {
            "path": "/v1/answers",
            "model": "rag:handbook",
            "messages": [{"role": "user", "content": "How many days?"}],
            "groundwork": {"mode": "sparse", "include": ["receipt", "sources"]},
            "X-Request-Id": "eval_1.1.1.1",
            "Cache-Control": "no-cache, no-store",
            "token": "token",
        }
    ]


async def test_a_conversation_is_sent_whole_and_a_plain_model_gets_its_parameters_alone() -> None:
    gateway = Gateway(_answer("Yes"))
    target = EvaluationTarget.model_validate({"model": "m", "parameters": {"temperature": 0}})
    turns = [
        Turn(role="user", content="Hi"),
        Turn(role="assistant", content="Hello"),
        Turn(role="user", content="And?"),
    ]
    found = await GatewayTarget(gateway, 5).ask(target, QuestionRecord(id="a", turns=turns), "t", "r")
    assert (found.said.abstained, found.said.sources, found.said.cited) == (None, None, [])
    (asked,) = gateway.asked
    assert (asked["temperature"], [one["role"] for one in asked["messages"]]) == (0, ["user", "assistant", "user"])
    assert "groundwork" not in asked


async def test_what_is_wrong_with_one_question_is_its_own_and_all_else_is_raised() -> None:
    for status in (400, 413, 422):
        found = await GatewayTarget(Gateway(_refusal(status, "too_long")), 5).ask(RAG, QUESTION, "t", "r")
        assert found.error is not None
        assert found.error.code == "too_long"
    for status in (401, 403, 404, 429, 500, 502, 503, 504):
        with pytest.raises(PeerError):
            await GatewayTarget(Gateway(_refusal(status, "gone")), 5).ask(RAG, QUESTION, "t", "r")
    with pytest.raises(PeerMalformed):
        await GatewayTarget(Gateway({**_answer(), "choices": []}), 5).ask(RAG, QUESTION, "t", "r")


HIT = {
    "collection": "handbook", "revision": 1, "chunk_id": "c", "text": "t", "score": 1.0, "scores": {}, "start": 0,
    "end": 1,
}  # fmt: skip


async def test_a_search_alone_is_asked_for_documents_and_answers_nothing() -> None:
    named = [{**HIT, **{name: one[name] for name in ("document_id", "source", "title")}} for one in CITED]
    reply = {"hits": named, "collection_revision": 1, "degraded": ["rerank_unavailable"], "usage": {"rerank_tokens": 4}}
    gateway = Gateway(reply)
    target = EvaluationTarget.model_validate(
        {"model": "search:handbook", "groundwork": {"mode": "sparse", "rerank": True}}
    )
    found = await GatewayTarget(gateway, 5).ask(target, QUESTION, "token", "eval_1.1.1.1")
    assert (found.said.text, found.said.sources, found.tokens) == (None, ["leave.md", "Guide", "d3"], 4)
    assert found.report == {"sources": ["leave.md", "Guide", "d3"], "degraded": ["rerank_unavailable"]}
    (asked,) = gateway.asked
    assert (asked["path"], asked["query"]) == ("/v1/collections/handbook/search", "How many days?")
    assert (asked["mode"], asked["rerank"], asked["group_by"], asked["limit"]) == ("sparse", True, "document", 10)
    figures = measure(Known(["27"], QUESTION.documents), found.said)
    assert sorted(figures) == ["retrieval_ndcg_10", "retrieval_recall_10"], "nothing of an answer that there is not"
    refused = await GatewayTarget(Gateway(_refusal(422, "x")), 5).ask(target, QUESTION, "t", "r")
    assert refused.refused
    with pytest.raises(PeerError):
        await GatewayTarget(Gateway(_refusal(404, "collection_not_found")), 5).ask(target, QUESTION, "t", "r")


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "search:"},
        {"model": "search:a+b"},
        {"model": "search:handbook", "parameters": {"temperature": 0}},
        {"model": "search:handbook", "groundwork": {"grounding": "off"}},
    ],
)
def test_a_search_takes_what_a_search_takes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="search"):
        EvaluationTarget.model_validate(wrong)
    with pytest.raises(ValueError, match="gives none"):
        EvaluationCreate.model_validate(
            {"question_set": "a", "target": {"model": "search:handbook"}, "judge": {"model": "m"}}
        )
