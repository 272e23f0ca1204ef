from __future__ import annotations

import httpx2
from cli.tests.server import Serve, by_path, sse
from cli.tests.terminal import output

ODD = r"So \[ 2x = 4 \] and :warning: :key: [red]x[/red] [/] \\[b] C:\[a]" + "\\"


def test_a_quote_is_exact(serve: Serve) -> None:
    note = {"marker": "[1]", "title": ODD, "source": ODD, "quote": ODD, "index": 0}
    ids = {"document_id": "d", "revision": 1, "chunk_id": "k", "collection": "c"}
    link = {"start_index": 0, "end_index": 3, "url": "/v1/collections/c/documents/d/content", "title": ODD}
    cited = {**note, **ids, "start": 0, "end": 1, "score": 0.5, "url_citation": link}
    chunk = {"id": "a", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    delta = {"content": f"{ODD}\t[1]", "annotations": [cited]}
    stream = sse({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]}, "[DONE]")
    serve(by_path(completions=stream))
    assert output("ask", "why?", "-c", "c") == f"{ODD}\t[1]\n\n[1] {ODD} ({ODD})\n    “{ODD}”\n"


def test_a_hit_is_exact(serve: Serve) -> None:
    hit = {"title": ODD, "source": ODD, "text": ODD, "heading_path": [ODD], "score": 0.5, "chunk_id": "k"}
    more = {"document_id": "d", "revision": 1, "collection": "c", "start": 0, "end": 1, "scores": {}}
    reply = httpx2.Response(200, json={"hits": [{**hit, **more}], "collection_revision": 1})
    serve(by_path(search=reply))
    assert output("search", "x", "-c", "c") == f"1. {ODD} ({ODD})  score 0.500\n   {ODD}\n   {ODD}\n"
