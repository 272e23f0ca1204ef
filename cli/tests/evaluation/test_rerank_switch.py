from __future__ import annotations

import json

import httpx2
import pytest
from cli.tests.server import client_of, collection

from contracts.retrieval.collections import Collection
from groundwork.evaluation.questions import Question
from groundwork.evaluation.report import Report, make_report
from groundwork.evaluation.rerank_switch import apply_rerank
from groundwork.evaluation.searches import Found

QUESTIONS = [Question(str(number), f"question {number}", {f"d{number}": 1}, "line") for number in range(12)]


def report(*, plain: int, reranked: int) -> Report:
    """So many of the questions find their document first, the others second."""
    found = {}
    for name, first in (("hybrid", plain), ("sparse", 0), ("hybrid + rerank", reranked)):
        found[name] = Found()
        for number, question in enumerate(QUESTIONS):
            found[name].rankings[question.id] = [f"d{number}", "x"] if number < first else ["x", f"d{number}"]
            found[name].milliseconds[question.id] = 1.0
    return make_report("c", QUESTIONS, 0, found, (5,))


@pytest.mark.parametrize(
    ("plain", "reranked", "changed", "says"),
    [
        (2, 11, True, "is switched on for 'c': +"),
        (2, 4, False, "stays off for 'c': no significant gain (+"),
        (6, 6, False, "stays off for 'c': no significant gain (+0.0000"),
        (11, 2, False, "stays off for 'c': no significant gain (-"),
    ],
)
def test_rerank_is_switched_on_only_where_it_is_significantly_better(
    plain: int, reranked: int, changed: bool, says: str
) -> None:
    bodies: list[dict[str, object]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert (request.method, request.url.path) == ("PATCH", "/v1/collections/c")
        bodies.append(json.loads(request.content))
        return httpx2.Response(200, json=collection(rerank=True))

    shown = Collection.model_validate(collection())
    assert says in apply_rerank(client_of(answer), shown, report(plain=plain, reranked=reranked))
    assert bodies == ([{"rerank": True}] if changed else [])


def test_what_is_on_stays_on_without_a_gain() -> None:
    shown = Collection.model_validate(collection(rerank=True))
    refuse = client_of(lambda request: pytest.fail(f"nothing is to be changed: {request.url}"))
    assert "stays on, as it was" in apply_rerank(refuse, shown, report(plain=3, reranked=3))
