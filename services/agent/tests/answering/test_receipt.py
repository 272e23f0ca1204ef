from __future__ import annotations

from services.agent.tests.answering.answers import INCLUDE, OWN_PROMPT, RIGHT, degraded
from services.agent.tests.conftest import LEAVE_QUESTION, Bench

from agent.settings import AgentSettings
from agent.testing.scripted_answers import CAPABLE
from contracts.models.versions import ModelVersion


async def test_the_receipt_tells_stages_tokens_model_and_attempts() -> None:
    answer = await Bench(says=RIGHT, info=CAPABLE).ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert answer.groundwork is not None
    receipt = answer.groundwork.receipt
    assert receipt is not None
    assert [stage.name for stage in receipt.stages] == ["condense", "retrieve", "judge", "answer", "verify"]
    assert (receipt.model, receipt.attempts[0].outcome, receipt.cost_usd) == ("scripted", "ok", None)
    assert receipt.tokens.prompt > 0
    assert receipt.tokens.embedding > 3
    assert answer.usage is not None
    assert answer.usage.completion_tokens == receipt.tokens.completion > 0
    assert [source.number for source in answer.groundwork.sources or []] == [1, 2]


async def test_what_the_retriever_did_without_is_in_the_receipt() -> None:
    bench = Bench(says=RIGHT)
    bench.search.degraded = ["rerank_skipped"]
    assert degraded(await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)) == ["rerank_skipped"]


async def test_the_receipt_counts_what_was_reranked() -> None:
    bench = Bench(says=RIGHT)
    bench.search.reranked = 120
    answer = await bench.ask(LEAVE_QUESTION, groundwork=INCLUDE)
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    assert answer.groundwork.receipt.tokens.rerank == 120


async def test_the_receipt_names_the_model_that_answered_also_where_its_draft_was_cut() -> None:
    bench = Bench(
        says=RIGHT, settings=AgentSettings(deadline_seconds=8)
    )  # of which a draft has six: far more than it needs
    bench.models.version = ModelVersion("small", "sha256:ab", "12cd", "house-style")
    bench.models.never_ends = True
    answer = await bench.ask(LEAVE_QUESTION, groundwork={**INCLUDE, **OWN_PROMPT}, max_tokens=5)
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    receipt = answer.groundwork.receipt
    assert (receipt.model_digest, receipt.fingerprints) == ("sha256:ab", {"small": "12cd"})
    assert receipt.adapter == "house-style"
