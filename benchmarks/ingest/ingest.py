"""How fast documents become searchable, beside a bare embedding loop; what a change and a long document cost.

Usage: make bench-ingest [DOCUMENTS=folder] [BYTES=100000000]    (default: the sample handbook, texts up to 100 MB)

0. How long a megabyte takes to cut into chunks, by the text's size and what it is (`benchmarks/ingest/cutting.py`).
1. Upload to searchable: chunks a second, and the same chunks through a bare sentence-transformers loop with the same
   model, precision and batch on the same machine in the same run.
2. The same documents again, unchanged; and one paragraph changed in a document of a hundred pages.
3. A PDF of 1,500 pages: peak memory of the worker with its parsing child, when its first page can be found, and the
   share of the bare loop's rate, which shows what a chunk costs where hardly anything is spent on documents as such.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from pypdfium2 import PdfiumError

from benchmarks.home import ROOT, Home, fresh_home, write_result
from benchmarks.ingest.cutting import main as cutting_curve
from benchmarks.ingest.made_documents import changed_manual, long_pdf, manual
from benchmarks.ingest.parsers_pdf import ROUNDS, bare, ours
from contracts.retrieval.search import Filter
from extraction.model.failures import ParseFailed
from groundwork.client import Groundwork
from groundwork.client.transfers.bulk import Batch, ingest_files
from groundwork.client.transfers.files import find_files

HANDBOOK = ROOT / "examples" / "handbook"
SECONDS = 1800.0
AT_MOST = 200
"""Documents."""


def main() -> None:
    """Measure, print, keep."""
    cutting_curve()
    folder = os.environ.get("DOCUMENTS") or str(HANDBOOK)
    files = find_files([folder]).files[:AT_MOST]
    with (
        tempfile.TemporaryDirectory() as scratch,
        fresh_home() as home,
        Groundwork(home.base_url, home.key, timeout=120) as client,
    ):
        figures = {
            **(first := first_time(client, files, Path(scratch))),
            **parsing_alone(files),
            **again(home, client, files, first["first time, s"]),
            **one_change(home, client, Path(scratch)),
            **long_document(home, client, Path(scratch)),
        }
    for name, value in figures.items():
        print(f"{name:<52} {value}")
    write_result("ingest", {"figures": figures})


def first_time(client: Groundwork, files: list[Path], scratch: Path) -> dict[str, Any]:
    """All documents into an empty collection, then the bare loop over the chunks that came of them."""
    client.collections.create("bench")
    batch = ingest_files(client, "bench", files, timeout=SECONDS)
    texts = [text for state in batch.states if state.ready for text in embedded(client, state.document.id)]  # type: ignore[union-attr]
    rate, bare = len(texts) / batch.seconds, bare_rate(texts, scratch)
    return {
        "documents ready / failed": f"{len(files) - len(batch.failed)} / {len(batch.failed)}",
        "failed, by code": dict(
            Counter(str(state.job and state.job.error and state.job.error.code) for state in batch.failed)
        ),
        "pages a second": round(batch.pages / batch.seconds, 1),
        "chunks (a document)": f"{len(texts)} ({len(texts) / max(1, len(files) - len(batch.failed)):.0f})",
        "chunks a second, upload to searchable": round(rate, 1),
        "chunks a second, bare loop": round(bare, 1),
        "share of the bare loop": f"{rate / bare:.0%}",
        "time by stage": stage_shares(batch),
        "first time, s": round(batch.seconds, 1),
    }


def embedded(client: Groundwork, document_id: str) -> Iterator[str]:
    """What was embedded for each chunk of a document: title and headings, then its text."""
    title = client.documents.get("bench", document_id).title
    for chunk in client.documents.chunks("bench", document_id):
        yield " > ".join([title, *chunk.heading_path]) + "\n" + chunk.text


def bare_rate(texts: list[str], scratch: Path) -> float:
    """Chunks a second of a bare loop in a process of its own."""
    path = scratch / "chunks.json"
    path.write_text(json.dumps(texts))
    command = [sys.executable, "-m", "benchmarks.inference.embedding_loop", str(path)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def stage_shares(batch: Batch) -> dict[str, str]:
    """The share of each stage in the jobs' own time."""
    total: Counter[str] = Counter()
    for state in batch.states:
        total.update(state.job.timings if state.job else {})
    return {stage: f"{took / total.total():.0%}" for stage, took in total.items()}


def parsing_alone(files: list[Path]) -> dict[str, Any]:
    """Our reading of the PDFs against PDFium's bare text of the same, in one process, the best of some rounds each."""
    pdfs = [file for file in files if file.suffix.lower() == ".pdf"]
    if not pdfs:
        return {}
    spent = {read: sum(min(_seconds(read, path) for _ in range(ROUNDS)) for path in pdfs) for read in (ours, bare)}
    return {f"parsing alone, {len(pdfs)} PDFs, times bare PDFium": round(spent[ours] / spent[bare], 2)}


def _seconds(read: Callable[[Path], str], path: Path) -> float:
    began = time.process_time()
    try:
        read(path)
    except (ParseFailed, PdfiumError):
        return 0.0
    return time.process_time() - began


def again(home: Home, client: Groundwork, files: list[Path], first_seconds: float) -> dict[str, Any]:
    """The same documents, unchanged."""
    before = inputs_embedded(home)
    batch = ingest_files(client, "bench", files, timeout=SECONDS)
    unchanged = sum(state.unchanged for state in batch.states)
    return {
        "again, unchanged, s": round(batch.seconds, 2),
        "again: times faster than the first time": round(first_seconds / batch.seconds),
        "again: unchanged / inputs embedded": f"{unchanged} / {inputs_embedded(home) - before:.0f}",
    }


def one_change(home: Home, client: Groundwork, scratch: Path) -> dict[str, Any]:
    """A document of a hundred pages, then the same with one other paragraph in its middle."""
    ready(client, manual(scratch / "manual.pdf", pages=100), "manual")
    before = inputs_embedded(home)
    ready(client, changed_manual(scratch / "manual.pdf", pages=100), "manual")
    return {"one paragraph of 100 pages changed: chunks embedded": int(inputs_embedded(home) - before)}


def long_document(home: Home, client: Groundwork, scratch: Path) -> dict[str, Any]:
    """1,500 pages: memory, and when the first page can be found."""
    path = long_pdf(scratch / "long.pdf", pages=1500)
    with watched_worker(home) as peak:
        began = time.monotonic()
        accepted = client.documents.upload("bench", path, document_id="long")
        assert accepted.job is not None
        job_id, found_after, pages_read = accepted.job.id, 0.0, 0
        while (job := client.jobs.get(job_id)).status in ("queued", "running"):
            if not found_after and client.search("bench", "page 3 of the long report", limit=1, filter=ONLY_LONG).hits:
                found_after, pages_read = time.monotonic() - began, job.pages_done
            time.sleep(0.5)
    assert job.status == "ready", job.error
    took, texts = time.monotonic() - began, list(embedded(client, "long"))
    return {
        "1,500 pages: ready after, s (chunks)": f"{took:.1f} ({len(texts)})",
        "1,500 pages: share of the bare loop": f"{len(texts) / took / bare_rate(texts, scratch):.0%}",
        "1,500 pages: first found after, s (pages indexed)": f"{found_after:.1f} ({pages_read})",
        "1,500 pages: peak of worker and child, MB": round(peak[0] / 1e6),
    }


ONLY_LONG = Filter.model_validate({"must": [{"key": "document_id", "match": "long"}]})


def ready(client: Groundwork, path: Path, document_id: str) -> None:
    """Upload and wait until it can be found."""
    accepted = client.documents.upload("bench", path, document_id=document_id)
    assert accepted.job is not None
    job = client.jobs.wait(accepted.job.id, timeout=SECONDS)
    assert job.status == "ready", job.error


def inputs_embedded(home: Home) -> float:
    """Inputs that inference has embedded so far."""
    return home.metric("inference", "groundwork_inference_batch_inputs_sum")


@contextmanager
def watched_worker(home: Home) -> Iterator[list[int]]:
    """Watch the worker with its children; the list's only element is the highest sum of resident bytes."""
    peak, over = [0], threading.Event()
    worker = next(p for p in psutil.process_iter(["cmdline"]) if _is_worker(p, home))

    def watch() -> None:
        while not over.wait(0.05):
            total = 0
            for process in (worker, *worker.children(recursive=True)):
                try:
                    total += process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _is_worker(process: psutil.Process, home: Home) -> bool:
    command = process.info["cmdline"] or []
    if "ingest.worker" not in command:
        return False
    return any(str(home.folder) in value for value in process.environ().values())


if __name__ == "__main__":
    main()
