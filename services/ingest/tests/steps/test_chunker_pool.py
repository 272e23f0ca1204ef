"""What cutting costs: work in proportion to the text, in threads that end with their job or when time is over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.inference.tokenizers import word_pieces
from tokenizers import Tokenizer

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import BlockKind, Builder, Extracted
from extraction.model.failures import ParseFailed
from ingest.blobs.folder import FolderBlobs
from ingest.steps.chunker_pool import ChunkerPool
from ingest.testing.tokens import FixedTokenizers

if TYPE_CHECKING:
    from services.ingest.tests.conftest import Service


SECONDS = 60.0
"""Longest that a test waits for what must happen."""


LINES: dict[str, tuple[BlockKind, str, str]] = {
    "table": ("table", "the price | of days\n", "the price | 30\n"),
    "wide table": ("table", "c1 | " * 600 + "\n", "v1 | " * 600 + "\n"),
    "table with a huge first row": ("table", "column | " * 3000 + "\n", "value | x\n"),
    "paragraph": ("paragraph", "", "Goods can be sent back within 30 days. "),
    "list": ("list", "", "- within 30 days\n"),
    "code": ("code", "", "    return the + price\n"),
    "no blanks": ("paragraph", "", "abcdefgh"),
    "paragraphs": ("paragraph", "", "the word.\n\n"),
    "headings": ("heading", "", "days\n\nthe price\n\n"),
}


class HeldTokens(Tokens):
    """Waits before it counts, until it is let go on."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__(tokenizer)
        self.entered, self.go_on = threading.Semaphore(0), threading.Event()
        self.batches = 0

    def lengths(self, texts: Sequence[str]) -> list[int]:
        if len(texts) > 1:  # chunks, no header
            self.batches += 1
            self.entered.release()
            assert self.go_on.wait(SECONDS)
        return super().lengths(texts)


def document(shape: str, chars: int) -> Extracted:
    kind, first, line = LINES[shape]
    body = first + line * ((chars - len(first)) // len(line))
    builder = Builder()
    if kind == "heading":
        for number in range(chars // len(line)):
            builder.heading(f"h{number}", 6)
            builder.block("paragraph", "the price")
    else:
        for block in body.split("\n\n"):
            builder.block(kind, block)
    return builder.finish()


async def holding(threads: ChunkerPool, tokens: HeldTokens) -> asyncio.Task[Any]:
    """A cut that is in its thread and does not come to its end by itself."""
    cutter = Chunker(tokens, Chunking(max_tokens=16), 64)
    cut = asyncio.create_task(threads.document().chunks(cutter, document("paragraph", 120_000), ""))
    assert await asyncio.to_thread(tokens.entered.acquire, timeout=SECONDS)
    return cut


async def test_a_cancelled_cut_ends_its_thread_before_the_text_is_cut() -> None:
    threads, tokens = ChunkerPool(1, SECONDS), HeldTokens(word_pieces())
    cut = await holding(threads, tokens)
    cut.cancel()
    tokens.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await cut
    assert tokens.batches == 1, "of dozens"
    plain = Chunker(Tokens(word_pieces()), Chunking(), 64)
    async with asyncio.timeout(SECONDS):
        chunks = await threads.document().chunks(plain, document("list", 2000), "")
    assert chunks, "the only thread is free again"
    threads.close()


async def test_cuts_that_do_not_end_keep_no_health_call_waiting(tmp_path: Path) -> None:
    held = [HeldTokens(word_pieces()) for _ in range(40)]
    threads = ChunkerPool(len(held), SECONDS)
    cutter = [Chunker(tokens, Chunking(max_tokens=16), 64) for tokens in held]
    part = document("list", 20_000)
    cuts = [asyncio.create_task(threads.document().chunks(each, part, "")) for each in cutter]
    for tokens in held:
        while not tokens.entered.acquire(blocking=False):  # noqa: ASYNC110  # set in a thread
            await asyncio.sleep(0.01)
    async with asyncio.timeout(SECONDS):
        await FolderBlobs(tmp_path).probe()
    for tokens in held:
        tokens.go_on.set()
    await asyncio.gather(*cuts)
    threads.close()


async def test_a_document_that_takes_too_long_to_cut_fails_its_job_in_words(service: Service) -> None:
    service.worker.cutting._seconds = 1e-9
    accepted = await service.upload("the word and the price " * 2000, document_id="a")
    await service.work_all()
    assert accepted.job is not None
    job = await service.job(accepted.job["id"])
    assert job.error is not None
    assert (job.status, job.error.code, job.error.retryable) == ("failed", "timeout", True)
    assert "INGEST_CUT_SECONDS" in job.error.message


async def test_the_parts_of_a_document_share_its_time() -> None:
    threads = ChunkerPool(1, SECONDS)
    cutting, cutter = threads.document(), Chunker(Tokens(word_pieces()), Chunking(), 256)
    await cutting.part(cutter, document("list", 1000), "")
    cutting._spent += SECONDS
    with pytest.raises(ParseFailed):
        await cutting.part(cutter, document("list", 1000), "")
    await threads.document().part(cutter, document("list", 1000), "")
    threads.close()


async def test_a_cancelled_jobs_cut_ends_and_its_slot_is_free(service: Service) -> None:
    held = HeldTokens(word_pieces())
    object.__setattr__(service.worker.kind.pipeline, "tokenizers", FixedTokenizers(held))
    object.__setattr__(service.worker.queue.store, "lease_seconds", 0.3)  # a heartbeat each tenth of a second
    await service.upload("the word and the price. " * 4000, document_id="a")
    claimed = await service.worker.queue.claim("worker")
    assert claimed is not None
    slot = asyncio.create_task(service.worker.runner.run(claimed, asyncio.Event()))
    assert await asyncio.to_thread(held.entered.acquire, timeout=SECONDS)
    await service.api.deletions.delete_document(service.job_owner(), "token", "handbook", "a")
    async with asyncio.timeout(SECONDS):
        while not any(task.cancelling() for task in asyncio.all_tasks()):  # noqa: ASYNC110  # tasks tell nobody
            await asyncio.sleep(0.01)
        held.go_on.set()
        await slot
    assert held.batches == 1, "of several"
