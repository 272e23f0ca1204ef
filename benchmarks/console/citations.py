"""Citations: each opened beside its answer, and what is marked there compared with what the API says of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Any

import httpx2
from PIL import Image

from benchmarks.console.visit import Console, Visit
from benchmarks.home import ROOT
from contracts.agents.runs import NewMessage
from contracts.models.catalog import ModelDeclaration
from contracts.models.chat import AnswerOptions
from contracts.models.citations import Annotation
from contracts.retrieval.search import Condition, Filter
from groundwork.client.transfers.bulk import ingest_files
from groundwork.client.transfers.files import find_files

WANTED = int(os.environ.get("CITATIONS", "100"))
SECONDS = float(os.environ.get("CITATION_SECONDS", "240"))
"""For both looks at all citations; those that were not opened by then count as wrong."""
SETTLE_SECONDS = 10.0
COLLECTION = "handbook"
SILENT = ModelDeclaration(
    kind="chat", engine="scripted", context_length=8000, source={"rules": [{"when": ".", "reply": ""}]}
)
"""Says nothing, so that answers are sentences of the documents: the packaged model's drafts would take minutes, and
what is cited is the same."""
PDF = "application/pdf"
MOST_QUESTION = 150
Question = tuple[str, Filter | None]
"""What is asked, and of which document."""
QUESTIONS = ("handbook-questions.jsonl", "handbook-colloquial-questions.jsonl")
SEEN = """async () => {
  const title = document.querySelector("aside h2")?.textContent;
  const mark = document.querySelector("aside mark");
  if (mark) {
    const { start, end } = mark.dataset;
    const before = mark.previousSibling?.textContent ?? "";
    return { title, start: Number(start), end: Number(end), marked: mark.textContent, before };
  }
  const canvas = document.querySelector("aside .page[aria-busy=false] canvas[data-boxes]");
  if (!canvas) return null;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  const picture = [...digest].map((one) => one.toString(16).padStart(2, "0")).join("");
  return { title, boxes: JSON.parse(canvas.dataset.boxes), picture };
}"""
"""What is marked now: in the text, or on the page's picture, of which every pixel counts."""


@dataclass(frozen=True)
class Cited:
    """A citation, and what must be seen of it."""

    annotation: Annotation
    expected: dict[str, Any]

    @property
    def is_picture(self) -> bool:
        """Whether it is on a page of a PDF."""
        return "picture" in self.expected


def measure(console: Console) -> dict[str, Any]:
    """How many of the citations opened at exactly what the API says: as they came, and after a reload."""
    _ingest(console)
    answers = list(islice(_answers(console), WANTED))
    cited = _expectations(console, [one for answer in answers for one in answer[1]][:WANTED])
    with console.visit() as visit:
        visit.go(f"chat/{_thread(console, answers)}")
        until = time.monotonic() + SECONDS
        right = _look(visit, cited, until)
        visit.page.reload()
        again = _look(visit, cited, until)
    pictures = [one.is_picture for one in cited]
    return {
        "citations": len(cited),
        "of them on pages of PDFs": sum(pictures),
        "opened at exactly start..end": sum(right),
        "on pages by box": sum(one for one, is_picture in zip(right, pictures, strict=True) if is_picture),
        "after a reload": sum(again),
        "seconds for both": round(time.monotonic() - until + SECONDS),
    }


def _ingest(console: Console) -> None:
    console.client.collections.ensure(COLLECTION)
    batch = ingest_files(
        console.client, COLLECTION, find_files([str(ROOT / "examples" / "handbook")]).files, timeout=600
    )
    if batch.failed:
        raise RuntimeError(f"{len(batch.failed)} documents were not read")


def _answers(console: Console) -> Iterator[tuple[str, list[Annotation], NewMessage]]:
    """Questions with answers that cite, one at a time, until there are enough citations."""
    console.client.put_model("silent", SILENT)
    samples = [line for name in QUESTIONS for line in (ROOT / "examples" / name).read_text().splitlines()]
    asked: Iterator[Question] = ((json.loads(line)["question"], None) for line in samples)
    count = 0
    for question, where in (one for pair in zip(_of_pages(console), asked, strict=False) for one in pair):
        if count >= WANTED:
            return
        answer = console.client.ask(COLLECTION, question, AnswerOptions(model="silent", filter=where))
        if not answer.citations:
            continue
        count += len(answer.citations)
        annotations = [one.model_dump(mode="json", exclude_none=True) for one in answer.citations]
        yield question, answer.citations, NewMessage(role="assistant", content=answer.text, annotations=annotations)


def _of_pages(console: Console) -> Iterator[Question]:
    """Questions about the passages of each PDF, of all in turns: of the samples few have their answer on a page."""
    documents = [one for one in console.client.documents.list(COLLECTION) if one.media_type == PDF]
    for chunks in zip_longest(*(console.client.documents.chunks(COLLECTION, one.id) for one in documents)):
        for document, chunk in zip(documents, chunks, strict=True):
            if chunk is not None:
                where = Filter(must=[Condition(key="document_id", match=document.id)])
                yield f"What is said about this: {' '.join(chunk.text.split('. ')[0].split())[:MOST_QUESTION]}?", where


def _thread(console: Console, answers: Sequence[tuple[str, list[Annotation], NewMessage]]) -> str:
    """The answers as the chat keeps them."""
    thread = console.client.threads.create({"title": "All that was cited"}).id
    for question, _, answer in answers:
        console.client.threads.add(thread, [NewMessage(role="user", content=question), answer])
    return str(thread)


def _expectations(console: Console, annotations: Sequence[Annotation]) -> list[Cited]:
    """What the API says of the same characters."""
    headers = {"Authorization": f"Bearer {console.home.key}"}
    with httpx2.Client(base_url=console.home.base_url, headers=headers, timeout=120) as http:
        return [Cited(one, _expected(console, http, one)) for one in annotations]


def _expected(console: Console, http: httpx2.Client, one: Annotation) -> dict[str, Any]:
    path = f"/v1/collections/{one.collection}/documents/{one.document_id}"
    if one.page and http.get(path).json()["media_type"] == PDF:
        query = {"spans": f"{one.start}-{one.end}", "revision": one.revision}
        page = http.get(f"{path}/pages/{one.page}.png", params=query).raise_for_status()
        picture = Image.open(io.BytesIO(page.content)).convert("RGBA").tobytes()
        boxes = json.loads(page.headers["X-Groundwork-Boxes"])
        return {"title": one.title, "boxes": boxes, "picture": hashlib.sha256(picture).hexdigest()}
    text = console.client.documents.text(one.collection, one.document_id, revision=one.revision)
    marked = {"start": one.start, "end": one.end, "marked": text[one.start : one.end]}
    if marked["marked"] != one.quote:
        raise RuntimeError(f"The API's own quote is another: {one!r}")
    return {"title": one.title, **marked, "before": text[: one.start]}


def _look(visit: Visit, cited: Sequence[Cited], until: float) -> list[bool]:
    """Open each citation, the one before still open; whether what is marked comes to be what is expected."""
    markers = visit.page.locator(".answer .marker")
    markers.first.wait_for()
    more = visit.page.get_by_role("button", name="earlier question")
    while more.count():
        more.click()
    right = []
    for number, one in enumerate(cited):
        if time.monotonic() > until:
            break
        markers.nth(number).click()
        right.append(_comes(visit, one.expected, min(until, time.monotonic() + SETTLE_SECONDS)))
        if not right[-1]:
            print(f"citation {number}: {visit.page.evaluate(SEEN)} instead of {one.expected}"[:2000])
    return right + [False] * (len(cited) - len(right))


def _comes(visit: Visit, expected: dict[str, Any], until: float) -> bool:
    while True:
        if visit.page.evaluate(SEEN) == expected:
            return True
        if time.monotonic() > until:
            return False
        visit.page.evaluate("() => new Promise(requestAnimationFrame)")
