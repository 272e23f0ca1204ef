"""A question gets the same answer however a client sends it."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from contracts.retrieval.collections import Collection

ASKED = "What is the deposit for borrowing a demo kit?"
_WRAPPED = (
    f"Question: {ASKED}\nAnswer:",
    f"{ASKED}\n\nReply in English.\n",
    f"{ASKED} Reply in JSON with keys answer and source.",
    (
        "You are an assistant for question-answering tasks. Use the following pieces of retrieved context to answer "
        f"the question. If you don't know the answer, say that you don't know.\nQuestion: {ASKED}\nContext: \nAnswer:"
    ),
    f"<context>\nThe ferry leaves at noon.\n</context>\n\n<question>{ASKED}</question>",
)


def _ask(http: httpx2.Client, question: str) -> dict[str, Any]:
    body = {"model": "rag:handbook", "messages": [{"role": "user", "content": question}]}
    reply = http.post("/v1/chat/completions", json=body, timeout=300)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def _quotes(answer: dict[str, Any]) -> list[str]:
    return [one["quote"] for one in answer["choices"][0]["message"]["annotations"]]


@pytest.mark.parametrize("message", _WRAPPED)
def test_an_instruction_beside_a_question_does_not_cost_the_answer(
    http: httpx2.Client, handbook: Collection, message: str
) -> None:
    bare, wrapped = _ask(http, ASKED), _ask(http, message)
    assert not bare["groundwork"]["abstained"]
    assert wrapped["choices"][0]["message"]["content"] == bare["choices"][0]["message"]["content"]
    assert _quotes(wrapped) == _quotes(bare)
