"""Texts and names that attack whoever shows them: what of them lives in the page. Nothing may."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from typing import Any
from urllib.parse import urlencode

import httpx2

from benchmarks.agent.injection_sets import OURS, data_folder, load
from benchmarks.console.findings import Findings
from benchmarks.console.visit import Console, Visit
from contracts.agents.runs import NewMessage
from contracts.documents.documents import DocumentCreate
from contracts.documents.jobs import Accepted
from contracts.models.catalog import ModelDeclaration

COLLECTION, MODEL, VECTORS, AGENT = "hostile", "hostile-words", "hostile-vectors", "hostile"
A_DOCUMENT = 25
"""Texts."""
MOST_QUERY = 300
TURNS = 25
"""That are kept by one call."""
EXCERPT = 600
"""Characters of a passage that the search lab shows."""
MARKUP = (
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "<svg onload=alert(3)><a href=javascript:alert(4)>x</a></svg>",
    "[click](javascript:alert(5)) ![x](https://evil.example/x.png?q=1)",
    "<https://evil.example> https://evil.example/?k=v www.evil.example",
    "${alert(6)} {{alert(7)}} <%= 8 %> `${9}`",
    "</textarea></pre></title><iframe src=https://evil.example></iframe>",
    "<style>*{display:none}</style><link rel=stylesheet href=//evil.example/x.css>",
    "<base href=https://evil.example/><meta http-equiv=refresh content=0;url=https://evil.example>",
    "\u202egnp.exe\u202c &lt;b&gt; &#60;script&#62;",
    "../../../etc/passwd%00..\\..\\x",
    "<form action=https://evil.example><input name=key autofocus onfocus=alert(10)></form>",
)
"""Names of files and titles, and texts of their own."""


def measure(console: Console) -> dict[str, Any]:
    """Counts of what lived, and by place how many texts were shown."""
    folder = data_folder()
    texts = list(dict.fromkeys([*(one.text for one in (*OURS, *(load(folder) if folder else ()))), *MARKUP]))
    findings, began = Findings(), time.monotonic()
    with console.visit() as visit:
        findings.watch(visit)
        for place in (_chat, _documents, _lab, _run, _operations):
            place(console, visit, findings, texts)
    for one in dict.fromkeys([*findings.living, *findings.alerts, *findings.reports, *findings.elsewhere]):
        print(f"lives: {one[:300]}")
    return {
        "texts": len(texts),
        "names": len(MARKUP),
        **{place: f"{sum(seen.values())} of {len(seen)} shown" for place, seen in findings.shown.items()},
        "elements that live": len(findings.living),
        "scripts that ran": len(findings.alerts),
        "calls elsewhere": len(findings.elsewhere),
        "CSP reports": len(findings.reports),
        "seconds": round(time.monotonic() - began),
    }


def _names() -> Iterator[str]:
    return cycle(MARKUP)


def _parts(texts: Sequence[str]) -> list[Sequence[str]]:
    """What each document holds."""
    return [texts[first : first + A_DOCUMENT] for first in range(0, len(texts), A_DOCUMENT)]


def _chat(console: Console, visit: Visit, findings: Findings, texts: Sequence[str]) -> None:
    """Questions, answers, citations, passages that came closest, titles of conversations."""
    threads = console.client.threads
    thread = threads.create({"title": MARKUP[0]}).id
    said = [
        (NewMessage(role="user", content=text), _answer(name, text))
        for name, text in zip(_names(), texts, strict=False)
    ]
    for first in range(0, len(said), TURNS):
        threads.add(thread, [message for turn in said[first : first + TURNS] for message in turn])
    visit.go(f"chat/{thread}")
    visit.page.locator(".answer").first.wait_for()
    while (more := visit.page.get_by_role("button", name="earlier question")).count():
        more.click()
    findings.look(visit, "the chat", texts)


def _answer(name: str, text: str) -> NewMessage:
    """An answer that says, cites and comes close to the same."""
    place = {
        "collection": COLLECTION,
        "document_id": "attack-0",
        "revision": 1,
        "chunk_id": "c",
        "title": name,
        "source": name,
    }
    span = {"page": None, "start": 0, "end": 9, "score": 0.5}
    link = {"url": "/x", "title": name, "start_index": 0, "end_index": 3}
    cited = {
        "type": "url_citation",
        "url_citation": link,
        "index": 0,
        "marker": "[1]",
        "quote": text,
        "supported": False,
    }
    source = {"number": 1, **place, **span, "text": text}
    report = {
        "grounded": False,
        "abstained": True,
        "answer_kind": "abstained",
        "collections": [COLLECTION],
        "sources": [source],
    }
    said = {"model": f"rag:{COLLECTION}", "state": "failed", "problem": name}
    return NewMessage(
        role="assistant",
        content=f"[1]{text}",
        annotations=[{**cited, **place, **span}],
        groundwork=report,
        metadata=said,
    )


def _documents(console: Console, visit: Visit, findings: Findings, texts: Sequence[str]) -> None:
    """Titles, metadata, chunks, the viewer; and files that are called like attacks."""
    client = console.client
    client.put_model(VECTORS, ModelDeclaration(kind="embedding", engine="scripted", max_input_tokens=256, dimensions=8))
    client.collections.create(COLLECTION, embedding_model=VECTORS)
    parts = _parts(texts)
    documents = [
        DocumentCreate(text="\n\n".join(part), title=name, metadata={"note": name}, document_id=f"attack-{number}")
        for number, (name, part) in enumerate(zip(_names(), parts, strict=False))
    ]
    added = client.documents.add_batch(COLLECTION, documents).results
    jobs = [one.job.id for one in added if isinstance(one, Accepted) and one.job]
    page = visit.page
    visit.go(f"documents/{COLLECTION}")
    names = [f"{name}.md".replace("/", "∕") for name in MARKUP]
    files = [{"name": name, "mimeType": "text/markdown", "buffer": name.encode()} for name in names]
    page.locator("input[type=file][multiple]").set_input_files(files)
    page.locator(".uploads").get_by_role("button", name="Clear").wait_for()
    findings.look(visit, "the list of uploads", names)
    for job in jobs:
        client.jobs.wait(job)
    page.reload()
    page.locator("tbody tr").first.wait_for()
    _show_all(visit, "main tbody tr")
    findings.look(visit, "the list of documents", [*names, *(one.title or "" for one in documents)])
    for number, part in enumerate(parts):
        _open(visit, findings, number, part)


def _show_all(visit: Visit, rows: str) -> None:
    """Every page of a list."""
    inside = visit.page.locator(rows.split()[0])
    while (more := inside.get_by_role("button", name="More", exact=True).last).count():
        before = visit.page.locator(rows).count()
        more.click()
        visit.page.wait_for_function("([rows, n]) => document.querySelectorAll(rows).length > n", arg=[rows, before])


def _open(visit: Visit, findings: Findings, number: int, part: Sequence[str]) -> None:
    """A document's details, and its text."""
    page = visit.page
    page.evaluate(
        """async ([collection, id]) => {
      const { data } = await (await fetch(`../v1/collections/${collection}/documents?limit=200`)).json();
      const at = data.findIndex((one) => one.id === id);
      document.querySelectorAll("tbody tr")[at].querySelector(".actions button").click();
    }""",
        [COLLECTION, f"attack-{number}"],
    )
    about = page.locator("aside.details")
    about.locator("code", has_text=re.compile(f"^attack-{number}$")).wait_for()
    about.get_by_role("button", name="Show how it was cut").click()
    about.locator(".chunks pre").first.wait_for()
    _show_all(visit, "aside .chunks li")
    findings.look(visit, "details", part)
    about.get_by_role("button", name="Text", exact=True).first.click()
    page.locator("aside .text pre").wait_for()
    if (whole := page.locator("aside").get_by_role("button", name="Show all")).count():
        whole.click()
    findings.look(visit, "the viewer", part)
    page.keyboard.press("Escape")


def _lab(console: Console, visit: Visit, findings: Findings, texts: Sequence[str]) -> None:
    """Hits of each document, found by the beginning of its own text."""
    for number, part in enumerate(_parts(texts)):
        chunks = list(console.client.documents.chunks(COLLECTION, f"attack-{number}"))
        where = json.dumps([{"key": "document_id", "test": "is", "value": f"attack-{number}"}])
        query = urlencode({"q": part[0][:MOST_QUERY], "limit": 50, "ways": "dense,sparse", "where": where})
        visit.page.goto(f"{visit.base_url}/console/#/search/{COLLECTION}?{query}")
        visit.page.locator(f'[data-way="dense"] [data-chunk="{chunks[0].chunk_id}"]').wait_for()
        visit.page.locator('[data-way="sparse"][data-state="done"]').wait_for()
        findings.look(visit, "the search lab (passages)", [chunk.text[:EXCERPT] for chunk in chunks])


def _run(console: Console, visit: Visit, findings: Findings, texts: Sequence[str]) -> None:
    """A run whose events say, call with and are told all texts; and the list of runs."""
    headers = {"Authorization": f"Bearer {console.home.key}"}
    rules = [{"when": ".", "reply": MARKUP[0]}]
    model = {"kind": "chat", "engine": "scripted", "context_length": 8000, "source": {"rules": rules}}
    with httpx2.Client(base_url=console.home.base_url, headers=headers, timeout=60) as http:
        http.put(f"/v1/models/{MODEL}", json=model).raise_for_status()
        http.post("/v1/agents", json={"name": AGENT, "model": MODEL, "instructions": MARKUP[1]})
    thread = console.client.threads.create({}).id
    run = console.client.runs.start(thread, AGENT, texts[0])
    events = "".join(_events(run.id, texts))
    visit.page.route(
        f"**/runs/{run.id}/events", lambda route: route.fulfill(body=events, content_type="text/event-stream")
    )
    visit.go(f"agents/{AGENT}?thread={thread}&run={run.id}")
    visit.page.locator(f'[data-step="{len(texts)}"]').wait_for()
    findings.look(visit, "a run's timeline", texts)
    visit.go("agents")
    visit.page.locator(".rows a").first.wait_for()
    findings.look(visit, "the list of runs", texts[:1])


def _events(run: str, texts: Sequence[str]) -> Iterator[str]:
    """What the API would send of a run of so many steps."""
    number = count(1)
    for step, (name, text) in enumerate(zip(_names(), texts, strict=False), 1):
        call = {"id": f"call-{step}", "name": name, "arguments": {name: text}}
        result = {"id": f"call-{step}", "name": name, "content": text, "failed": step % 2 == 0, "unknown": False}
        yield _event(run, next(number), "token", step, {"text": text})
        yield _event(run, next(number), "tool_call", step, call)
        yield _event(run, next(number), "tool_result", step, result)
    yield _event(run, next(number), "run.failed", None, {"error": {"message": MARKUP[0]}})


def _event(run: str, number: int, kind: str, step: int | None, data: dict[str, Any]) -> str:
    event = {
        "id": number,
        "type": kind,
        "run_id": run,
        "step": step,
        "data": data,
        "created_at": "2026-01-01T00:00:00Z",
    }
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(event)}\n\n"


def _operations(console: Console, visit: Visit, findings: Findings, texts: Sequence[str]) -> None:
    """Jobs, models and the audit log name what others named."""
    del console, texts
    for page in ("jobs", "models", "audit"):
        visit.go(f"operations/{page}")
        visit.page.locator("main :is(h1, h2)").first.wait_for()
        visit.page.wait_for_load_state("networkidle")
        findings.look(visit, "operations", ())
