"""Conversations that the server keeps: through the gateway, by the typed client, with a key that may only chat."""

from __future__ import annotations

import pytest
from tests.support.home.stack import RunningHome

from contracts.agents.runs import NewMessage
from contracts.retrieval.collections import Collection
from groundwork.client import ApiError, Groundwork

QUESTION = "How many days of paid holiday does a full-time employee get per year?"


def test_an_answer_with_its_citations_is_kept_and_comes_back_as_it_was(home: RunningHome, handbook: Collection) -> None:
    key = home.client.keys.create("talker", tenant="default", scopes=["chat"])
    with Groundwork(home.base_url, key.secret) as client:
        answer = client.ask("handbook", QUESTION)
        assert answer.citations
        citations = [citation.model_dump(mode="json") for citation in answer.citations]
        assert answer.report is not None
        report = answer.report.model_dump(mode="json")
        thread = client.threads.create({"title": "Holidays"})
        said = [
            NewMessage(role="user", content=QUESTION),
            NewMessage(role="assistant", content=answer.text, annotations=citations, groundwork=report),
        ]
        assert client.threads.add(thread.id, said).messages == 2
        kept = list(client.threads.history(thread.id))[1]
        assert (kept.content, kept.annotations, kept.groundwork) == (answer.text, citations, report)
        assert client.threads.update(thread.id, {"title": "Time off"}).metadata == {"title": "Time off"}
        assert [one.id for one in client.threads.list(mine=True)] == [thread.id]
        others = home.client.threads.create({"title": "Of the admin"})
        with pytest.raises(ApiError, match="There is no thread"):
            client.threads.get(others.id)
        client.threads.delete(thread.id)
        assert list(client.threads.list()) == []


def test_who_has_not_seen_what_another_tab_replaced_replaces_nothing(home: RunningHome) -> None:
    client = home.client
    thread = client.threads.create()
    said = [NewMessage(role="user", content="How long?"), NewMessage(role="assistant", content="Ten days.")]
    seen = client.threads.add(thread.id, said, known=thread.revision, key="once")
    assert client.threads.add(thread.id, said, known=thread.revision, key="once") == seen
    assert client.threads.add(thread.id, said, position=0, known=seen.revision).messages == 2
    with pytest.raises(ApiError, match="went on elsewhere"):
        client.threads.add(thread.id, said, position=0, known=seen.revision)


def test_another_key_reads_a_conversation_and_changes_nothing_of_it(home: RunningHome) -> None:
    owner, other = (home.client.keys.create(name, tenant="default", scopes=["agents"]) for name in ("owner", "other"))
    with Groundwork(home.base_url, owner.secret) as mine, Groundwork(home.base_url, other.secret) as theirs:
        thread = mine.threads.create({"title": "Leave"})
        mine.threads.add(thread.id, [NewMessage(role="user", content="How long?")])
        assert [one.content for one in theirs.threads.history(thread.id)] == ["How long?"]
        with pytest.raises(ApiError, match="There is no thread"):
            theirs.threads.add(thread.id, [NewMessage(role="user", content="How short?")], position=0)
        with pytest.raises(ApiError, match="There is no thread"):
            theirs.threads.update(thread.id, {"title": "Mine"})
