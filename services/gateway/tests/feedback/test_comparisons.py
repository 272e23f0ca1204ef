from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from services.gateway.tests.feedback.recorded import recorded
from services.gateway.tests.installation import Installation

from gateway.feedback.service import RECORDED_WITHIN
from servicekit.core.clock import ManualClock

REVIEWER = ["chat", "feedback:review"]


class Judges:
    """People who choose between two answers, and what the tally makes of it."""

    def __init__(self, public: httpx2.AsyncClient, installation: Installation) -> None:
        self._public = public
        self.installation = installation

    def record(self, number: int, tenant: str = "acme", **more: Any) -> tuple[str, str]:
        """The answers of two targets to a question."""
        ids = f"one{number}", f"two{number}"
        for answer_id, model in zip(ids, ("rag:hb", "plain"), strict=True):
            answer = recorded(answer_id, f"Question {number}?", model=model, prompt=None, **more)
            self.installation.answers.put(tenant, answer)
        return ids

    async def choose(self, secret: str, answer_id: str, user: str = "ann", status: int = 201, **said: Any) -> None:
        body = {"answer_id": answer_id, "user": user, "blind": True, **said}
        answer = await self._public.post("/v1/feedback", json=body, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == status, answer.text

    async def tally(self, secret: str, **asked: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {secret}"}
        answer = await self._public.get("/v1/feedback/comparisons", params=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["data"])

    async def counts(self, secret: str, **asked: str) -> list[tuple[Any, ...]]:
        names = ("model", "other", "questions", "wins", "losses", "ties", "both_bad")
        return [tuple(one[name] for name in names) for one in await self.tally(secret, **asked)]


@pytest.fixture
def judges(public: httpx2.AsyncClient, installation: Installation) -> Judges:
    return Judges(public, installation)


async def test_choices_are_counted_by_pair_of_targets_and_ties_decide_nothing(judges: Judges) -> None:
    secret = await judges.installation.secret(scopes=REVIEWER)
    for number, winner in enumerate([0, 0, 0, 1]):
        pair = judges.record(number)
        await judges.choose(secret, pair[winner], preferred_over=pair[1 - winner])
    for number, rating in ((4, None), (5, "down")):
        one, two = judges.record(number)
        await judges.choose(secret, one, tied_with=two, rating=rating)
    (found,) = await judges.tally(secret)
    assert await judges.counts(secret) == [("rag:hb", "plain", 6, 3, 1, 2, 1)]
    assert found["share"] == 0.75
    assert found["p"] == 1.0
    assert 0 < found["low"] < 0.5 < found["high"] < 1
    assert await judges.counts(secret, model="plain") == [("plain", "rag:hb", 6, 1, 3, 2, 1)]
    assert await judges.counts(secret, model="rag:hb", other="plain") == [("rag:hb", "plain", 6, 3, 1, 2, 1)]
    assert await judges.counts(secret, other="plain") == [("rag:hb", "plain", 6, 3, 1, 2, 1)]
    assert await judges.counts(secret, model="rag:h") == []


async def test_only_ties_have_no_share(judges: Judges) -> None:
    secret = await judges.installation.secret()
    one, two = judges.record(1)
    await judges.choose(secret, one, tied_with=two)
    (found,) = await judges.tally(secret)
    assert (found["share"], found["low"], found["high"], found["p"]) == (None, None, None, None)


async def test_a_question_counts_once_for_what_most_people_chose(judges: Judges) -> None:
    secret = await judges.installation.secret(scopes=REVIEWER)
    one, two = judges.record(1)
    for user in ("ann", "bob"):
        await judges.choose(secret, one, user, preferred_over=two)
    await judges.choose(secret, two, "cem", preferred_over=one)
    again = recorded("again", " question  1", model="plain"), recorded("first", "QUESTION 1", model="rag:hb")
    for answer in again:
        judges.installation.answers.put("acme", answer)
    assert await judges.counts(secret) == [("rag:hb", "plain", 1, 1, 0, 0, 0)]
    await judges.choose(secret, "again", "dan", preferred_over="first")
    assert await judges.counts(secret, model="rag:hb") == [("rag:hb", "plain", 1, 0, 0, 1, 0)]


async def test_of_what_a_person_chose_between_two_answers_the_last_counts(
    judges: Judges, public: httpx2.AsyncClient
) -> None:
    secret = await judges.installation.secret()
    one, two = judges.record(1)
    await judges.choose(secret, one, preferred_over=two)
    await judges.choose(secret, one, status=200, preferred_over=two)
    await judges.choose(secret, two, preferred_over=one)
    assert await judges.counts(secret, model="plain") == [("plain", "rag:hb", 1, 1, 0, 0, 0)]
    await judges.choose(secret, one, tied_with=two, rating="down")
    await judges.choose(secret, two, preferred_over=one)
    listed = (await public.get("/v1/feedback", headers={"Authorization": f"Bearer {secret}"})).json()["data"]
    assert {(each["answer_id"], each["rating"], each["preferred_over"], each["blind"]) for each in listed} == {
        (one, "down", None, False), (two, None, one, True),
    }  # fmt: skip
    assert {each["other_model"] for each in listed} == {None, "rag:hb"}


async def test_choices_are_limited_in_time_by_when_they_were_made(judges: Judges, clock: ManualClock) -> None:
    secret = await judges.installation.secret(scopes=REVIEWER)
    begun = clock.now()
    for number in (1, 2):
        one, two = judges.record(number)
        await judges.choose(secret, one, preferred_over=two)
        clock.advance(3600)
    later = (begun + timedelta(minutes=30)).isoformat()
    assert await judges.counts(secret, **{"from": later}) == [("rag:hb", "plain", 1, 1, 0, 0, 0)]
    assert await judges.counts(secret, to=later) == [("rag:hb", "plain", 1, 1, 0, 0, 0)]
    assert await judges.counts(secret, **{"from": begun.isoformat()}) == [("rag:hb", "plain", 2, 2, 0, 0, 0)]
    assert await judges.counts(secret, to=begun.isoformat()) == []


async def test_versions_that_answered_by_one_name_are_told_apart(judges: Judges) -> None:
    secret = await judges.installation.secret(scopes=REVIEWER)
    for number, version in ((1, "hb@1"), (2, "hb@2"), (3, "hb@2")):
        one, two = judges.record(number)
        given = recorded(one, f"Question {number}?", model="rag:hb", version=version)
        judges.installation.answers.put("acme", given)
        await judges.choose(secret, two if number == 1 else one, preferred_over=one if number == 1 else two)
    judges.installation.answers.put("acme", recorded("old", "Four?", model="rag:hb", version="hb@1"))
    judges.installation.answers.put("acme", recorded("new", "Four?", model="rag:hb", version="hb@2"))
    await judges.choose(secret, "new", preferred_over="old")
    assert await judges.counts(secret) == [("rag:hb", "plain", 3, 2, 1, 0, 0)]
    names = ("model", "version", "other", "other_version", "wins", "losses")
    assert {tuple(one[name] for name in names) for one in await judges.tally(secret, by="version")} == {
        ("rag:hb", "hb@2", "plain", None, 2, 0),
        ("plain", None, "rag:hb", "hb@1", 1, 0),
        ("rag:hb", "hb@2", "rag:hb", "hb@1", 1, 0),
    }
    (ours,) = [one for one in await judges.tally(secret, by="version", model="plain") if one["losses"]]
    assert (ours["model"], ours["other_version"], ours["losses"]) == ("plain", "hb@2", 2)


async def test_choices_that_were_not_blind_and_answers_of_one_target_are_not_counted(judges: Judges) -> None:
    secret = await judges.installation.secret()
    one, two = judges.record(1)
    await judges.choose(secret, two, preferred_over=one, blind=False)
    judges.installation.answers.put("acme", recorded("other", "Question 1?", model="rag:hb"))
    await judges.choose(secret, one, preferred_over="other")
    assert await judges.counts(secret) == []


async def test_what_is_not_on_record_is_not_counted_and_what_comes_late_is(judges: Judges, clock: ManualClock) -> None:
    secret = await judges.installation.secret()
    await judges.choose(secret, "never-1", preferred_over="never-2")
    judges.installation.answers.put("acme", recorded("half", "Question 3?", model="rag:hb"))
    await judges.choose(secret, "half", preferred_over="never-3")
    await judges.choose(secret, "one1", preferred_over="two1")
    assert await judges.counts(secret) == []
    judges.record(1)
    assert await judges.counts(secret) == [("rag:hb", "plain", 1, 1, 0, 0, 0)]
    clock.advance((RECORDED_WITHIN + timedelta(seconds=1)).total_seconds())
    assert len(await judges.tally(secret)) == 1


async def test_without_words_each_pair_of_answers_is_a_question(judges: Judges) -> None:
    secret = await judges.installation.secret()
    for number in (1, 2):
        one, two = judges.record(number, has_words=False)
        await judges.choose(secret, one, preferred_over=two)
    assert await judges.counts(secret) == [("rag:hb", "plain", 2, 2, 0, 0, 0)]


async def test_another_tenant_and_another_key_see_none_of_it(judges: Judges) -> None:
    secret, other = await judges.installation.secret(), await judges.installation.secret()
    one, two = judges.record(1)
    await judges.choose(secret, one, preferred_over=two)
    stranger = await judges.installation.secret(tenant="strangers", scopes=REVIEWER)
    await judges.choose(stranger, one, preferred_over=two)  # as of answers that never were
    limited = await judges.installation.secret(collections=["open"], scopes=REVIEWER)
    await judges.choose(limited, two, "eve", preferred_over=one)
    for key in (other, stranger, limited):
        assert await judges.tally(key) == []
    assert await judges.counts(secret) == [("rag:hb", "plain", 1, 1, 0, 0, 0)]
    reviewer = await judges.installation.secret(scopes=REVIEWER)
    assert await judges.counts(reviewer) == [("rag:hb", "plain", 1, 1, 0, 0, 0)]


async def test_a_choice_that_can_t_be_one_is_refused(judges: Judges, public: httpx2.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {await judges.installation.secret()}"}
    for said, words in (
        ({"rating": "up", "blind": True}, "blind is for a choice between two answers"),
        ({"tied_with": "a"}, "name another answer"),
        ({"tied_with": "b", "preferred_over": "c"}, "give one of preferred_over and tied_with"),
        ({"tied_with": "b", "part": {"sentence": 0}}, "are for whole answers"),
        ({}, "preferred_over and tied_with"),
    ):
        answer = await public.post("/v1/feedback", json={"answer_id": "a", **said}, headers=headers)
        assert answer.status_code == 422, said
        assert words in answer.json()["error"]["message"], said
