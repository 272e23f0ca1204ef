from __future__ import annotations

import json
from typing import Any

import pytest
from services.gateway.tests.callers import Caller
from services.gateway.tests.inner_services import Streamed
from services.gateway.tests.installation import ACTOR, CHAT, OTHER, READER, RERANKER, Installation

from contracts.models.catalog import MAX_COLLECTIONS
from contracts.models.routes import RouteSpec
from contracts.models.versions import ModelVersion
from gateway.auth.errors import ScopeMissing
from gateway.auth.keys import Principal
from gateway.chat.answer_start import PATH
from gateway.chat.errors import OptionsNeedDocuments, TooManyCollections
from gateway.chat.service import chat, collections_of
from gateway.models.errors import ModelNotFound, WrongModelKind
from servicekit.core.clock import ManualClock
from servicekit.core.errors import InvalidRequest

USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
WHOLE = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": USAGE}
FRAMES = (
    b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\n',
    b'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}}\n\n',
    b"data: [DONE]\n\n",
)


def _made_by(fingerprint: str, digest: str = "sha256:ab", model: str = "m", answer: dict[str, Any] = WHOLE) -> Streamed:
    headers = ModelVersion(model, digest, fingerprint).headers()
    return Streamed((json.dumps(answer).encode(),), headers={"content-type": "application/json", **headers})


def _key(*scopes: Any, **more: Any) -> Principal:
    return Principal("k1", "acme", frozenset(scopes or ("chat",)), **more)


async def _ask(installation: Installation, key: Principal | None = None, **changes: Any) -> Caller:
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], **changes}
    caller = Caller.of(body)
    await chat(caller.exchange, installation.deps, key or _key())
    return caller


@pytest.fixture(autouse=True)
def _answering(installation: Installation) -> None:
    installation.inference.answers(PATH, _made_by("f1"))
    installation.agent.answers(PATH, WHOLE)
    sizes: dict[str, Any] = {"dimensions": 8, "max_input_tokens": 64, "revision": 1, "chunking": {}}
    shown = {"name": "a", "embedding_model": "e", **sizes, "created_at": "2026-11-01T00:00:00Z"}
    installation.retriever.answers("/v1/collections/a", shown)


async def test_a_reader_is_asked_for_before_a_kept_answer_is_given_and_a_route_may_name_it_for_others(
    installation: Installation,
) -> None:
    installation.offer(CHAT, READER, READER.model_copy(update={"id": "reads+a", "tenant": "acme"}))
    receipt = {"request_id": "r", "tokens": {}, "collection_revisions": {"a": 1}, "model": "m"}
    report = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    receipt |= {"fingerprints": {"m": "f1"}, "model_digest": "sha256:ab"}
    installation.agent.answers(PATH, {**WHOLE, "groundwork": {**report, "receipt": receipt}})
    named, limited = {"reader": "reads+a", "include": ["receipt"]}, _key(models=("m", "desk"))
    asked = [await _ask(installation, model="rag:a", groundwork=named) for _ in range(2)]
    assert [one.headers["x-groundwork-cache"] for one in asked] == ["miss", "hit"]
    with pytest.raises(ModelNotFound):
        await _ask(installation, limited, model="rag:a", groundwork=named)
    spec = RouteSpec.model_validate({"targets": [{"model": "rag:a", "groundwork": {"reader": "reads+a"}}]})
    await installation.deps.routes.update_route("desk", spec, ACTOR)
    assert (await _ask(installation, limited, model="desk")).status == 200


async def test_the_reader_that_an_answer_is_to_have_is_one_that_its_key_sees(installation: Installation) -> None:
    tuned = READER.model_copy(update={"id": "reads+a", "tenant": "acme"})
    other = READER.model_copy(update={"id": "reads+b", "tenant": "other"})
    installation.offer(CHAT, READER, tuned, other)
    for named, key, error in (
        ("m", None, WrongModelKind),
        ("gone", None, ModelNotFound),
        ("reads+b", None, ModelNotFound),
        ("reads+a", _key(models=("m",)), ModelNotFound),
    ):
        with pytest.raises(error):
            await _ask(installation, key, model="rag:a", groundwork={"reader": named})
    assert installation.agent.asked_for(PATH) == []
    await _ask(installation, model="rag:a", groundwork={"reader": "reads+a"})
    (asked,) = installation.agent.asked_for(PATH)
    assert asked.json["groundwork"]["reader"] == "reads+a"


async def test_the_rerank_model_that_an_answer_is_to_have_is_one_that_its_key_sees(installation: Installation) -> None:
    tuned = RERANKER.model_copy(update={"id": "reads+a", "tenant": "acme"})
    installation.offer(CHAT, READER, tuned)
    for named, key, error in (
        ("reads", None, WrongModelKind),
        ("gone", None, ModelNotFound),
        ("default", None, ModelNotFound),
        ("reads+a", _key(models=("m",)), ModelNotFound),
    ):
        with pytest.raises(error):
            await _ask(installation, key, model="rag:a", groundwork={"rerank_model": named})
    assert installation.agent.asked_for(PATH) == []
    await _ask(installation, model="rag:a", groundwork={"rerank_model": "reads+a"})
    (asked,) = installation.agent.asked_for(PATH)
    assert asked.json["groundwork"]["rerank_model"] == "reads+a"


async def test_a_plain_models_answer_passes_and_is_given_again_to_the_same_question(
    installation: Installation,
) -> None:
    asked = [await _ask(installation) for _ in range(2)]
    assert [caller.json["choices"] for caller in asked] == [WHOLE["choices"]] * 2
    assert [caller.headers["x-groundwork-cache"] for caller in asked] == ["miss", "hit"]
    assert len(installation.inference.asked_for(PATH)) == 1
    assert {(row["cache"], row["prompt_tokens"]) for row in await installation.rows()} == {("miss", 3), ("hit", 0)}


async def test_an_answer_says_which_model_it_came_from_also_the_second_time(installation: Installation) -> None:
    for caller in [await _ask(installation) for _ in range(2)]:
        assert caller.headers["x-groundwork-model"] == "m"
        assert caller.headers["x-groundwork-model-digest"] == "sha256:ab"
        assert caller.headers["x-groundwork-model-fingerprint"] == "f1"
    installation.inference.answers(PATH, Streamed(FRAMES, headers=ModelVersion("m", "sha256:cd").headers()))
    assert (await _ask(installation, stream=True)).headers["x-groundwork-model-digest"] == "sha256:cd"


@pytest.mark.parametrize("behind", [False, True], ids=["at-once", "by-a-replica-that-is-behind"])
async def test_no_answer_of_a_model_that_is_no_more_is_given_again(
    installation: Installation, clock: ManualClock, behind: bool
) -> None:
    asked = [await _ask(installation)]
    installation.offer(CHAT.model_copy(update={"fingerprint": "f2"}), OTHER)
    clock.advance(6)
    installation.inference.answers(PATH, _made_by("f1" if behind else "f2"))
    asked += [await _ask(installation) for _ in range(2)]
    hits = [caller.headers["x-groundwork-cache"] for caller in asked]
    assert hits == (["miss", "miss", "miss"] if behind else ["miss", "miss", "hit"])


async def test_an_answer_from_documents_is_kept_only_if_it_names_all_who_wrote_in_it(
    installation: Installation,
) -> None:
    report = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    receipt = {"request_id": "r", "tokens": {}, "collection_revisions": {"a": 1}, "model": "m"}

    def answers(**more: object) -> None:
        told = {**WHOLE, "groundwork": {**report, "receipt": {**receipt, **more}}}
        installation.agent.answers(PATH, told)

    def hits(callers: list[Caller]) -> list[str]:
        return [caller.headers["x-groundwork-cache"] for caller in callers]

    answers(fingerprints={"m": "f0"}, model_digest="sha256:ab")
    asked = [await _ask(installation, model="rag:a", groundwork={"include": ["receipt"]}) for _ in range(2)]
    assert hits(asked) == ["miss", "miss"]
    answers(fingerprints={"m": "f1"}, model_digest="sha256:ab")
    asked = [await _ask(installation, model="rag:a", groundwork={"include": ["receipt"]}) for _ in range(2)]
    assert hits(asked) == ["miss", "hit"]
    assert [caller.json["groundwork"]["receipt"]["model_digest"] for caller in asked] == ["sha256:ab"] * 2


async def test_a_call_with_tools_is_never_answered_from_memory(installation: Installation) -> None:
    for _ in range(2):
        caller = await _ask(installation, tools=[{"type": "function", "function": {"name": "f"}}])
        assert "x-groundwork-cache" not in caller.headers
    assert len(installation.inference.asked_for(PATH)) == 2


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_streams_usage_is_always_asked_for_and_shown_to_who_asked(
    installation: Installation, wanted: bool
) -> None:
    installation.inference.answers(PATH, Streamed(FRAMES))
    options = {"stream_options": {"include_usage": True}} if wanted else {}
    caller = await _ask(installation, await installation.principal(), stream=True, **options)
    assert (b'"usage"' in b"".join(caller.pieces)) is wanted
    (asked,) = installation.inference.asked_for(PATH)
    assert asked.json["stream_options"] == {"include_usage": True}
    (row,) = await installation.rows()
    assert (row["prompt_tokens"], row["completion_tokens"], row["streamed"]) == (3, 1, True)


async def test_default_is_asked_for_by_its_own_name_and_other_fields_are_the_models(
    installation: Installation,
) -> None:
    await _ask(installation, model="default", min_p=0.1)
    (asked,) = installation.inference.asked_for(PATH)
    assert (asked.json["model"], asked.json["min_p"]) == ("m", 0.1)


async def test_a_model_that_is_not_ready_is_asked_last(installation: Installation) -> None:
    installation.offer(CHAT, OTHER)
    health = {"model:m": {"ok": True, "detail": "loading"}, "model:o": {"ok": True}}
    ready = {"status": "ok", "service": "inference", "version": "1", "parts": health}
    installation.inference.answers("/readyz", ready)
    await installation.deps.health.now()
    spec = RouteSpec.model_validate({"targets": [{"model": "m"}, {"model": "o", "weight": 0}]})
    await installation.deps.routes.update_route("smart", spec, ACTOR)
    caller = await _ask(installation, model="smart")
    assert caller.headers["x-groundwork-model"] == "o"


async def test_options_of_documents_and_raw_prompts_are_refused_where_they_mean_nothing(
    installation: Installation,
) -> None:
    with pytest.raises(OptionsNeedDocuments):
        await _ask(installation, groundwork={"top_k": 3})
    with pytest.raises(OptionsNeedDocuments):
        await _ask(installation, _key("chat", "agents"), model="agent:helper", groundwork={})
    with pytest.raises(InvalidRequest, match="raw_prompts"):
        await _ask(installation, raw_prompts=True)
    assert not installation.inference.asked_for(PATH)


async def test_an_answer_from_documents_is_the_agent_services_with_a_receipt_that_only_we_see(
    installation: Installation,
) -> None:
    report = {"grounded": True, "abstained": False, "answer_kind": "generated", "collections": ["a"]}
    receipt = {"request_id": "r", "tokens": {}, "collection_revisions": {"a": 1}}
    installation.agent.answers(PATH, {**WHOLE, "groundwork": {**report, "receipt": receipt}})
    caller = await _ask(installation, model="rag:a", store=True, groundwork={"top_k": 3})
    (asked,) = installation.agent.asked_for(PATH)
    assert asked.json["groundwork"] == {"top_k": 3, "include": ["receipt"]}
    assert "receipt" not in caller.json["groundwork"]
    claims = installation.verifier.verify(asked.token, "agent")
    (row,) = await installation.rows()
    assert (row["id"], row["model"]) == (claims.call_id, "rag:a")


async def test_an_answer_that_was_kept_links_to_the_host_of_whoever_gets_it(installation: Installation) -> None:
    path = "/v1/collections/a/documents/d/content"
    cited = {"content": "Yes.", "annotations": [{"type": "url_citation", "url_citation": {"url": path}}]}
    choice = {"index": 0, "message": cited, "finish_reason": "stop"}
    installation.inference.answers(PATH, _made_by("f1", answer={**WHOLE, "choices": [choice]}))
    links = []
    for host in ("one.example", "two.example"):
        caller = Caller.of({"model": "m", "messages": [{"role": "user", "content": "hello"}]}, host=host)
        await chat(caller.exchange, installation.deps, _key())
        links.append(caller.json["choices"][0]["message"]["annotations"][0]["url_citation"]["url"])
    assert links == [f"http://one.example{path}", f"http://two.example{path}"]
    assert (caller.headers["x-groundwork-cache"], len(installation.inference.asked_for(PATH))) == ("hit", 1)


async def test_a_run_of_an_agent_needs_its_scope_and_is_given_a_grant(installation: Installation) -> None:
    with pytest.raises(ScopeMissing, match="'agents'"):
        await _ask(installation, model="agent:helper")
    caller = await _ask(installation, _key("chat", "agents"), model="agent:helper", tools=[{"type": "function"}])
    assert caller.headers["x-groundwork-degraded"] == "tools_ignored"
    (asked,) = installation.agent.asked_for(PATH)
    assert installation.verifier.verify(asked.headers["Groundwork-Grant"], "grants").key_id == "k1"


def test_the_collections_of_a_name_are_each_named_once() -> None:
    assert collections_of("rag:b, a,b", _key()) == ["b", "a"]
    most = ",".join(f"c{number}" for number in range(MAX_COLLECTIONS))
    assert len(collections_of(f"rag:{most}", _key())) == MAX_COLLECTIONS
    with pytest.raises(TooManyCollections):
        collections_of(f"rag:{most},more", _key())


@pytest.mark.parametrize("model", ["rag:", "rag:a,", "rag:../a", "rag:A b", "rag:é", "rag:hidden,a"])
def test_what_is_no_collection_or_not_for_this_key_is_a_model_that_is_not_there(model: str) -> None:
    with pytest.raises(ModelNotFound):
        collections_of(model, _key(collections=("a",)))
