"""What a victim has, and bodies of calls that try to get at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VAULT, SHARED, OPEN, AGENT, PROMPT = "vault-of-victim", "both-have-this", "open-to-all-keys", "keeper", "greeter"
QUESTIONS = "what-they-ask"
MONITOR = "what-wombats-hear"
TUNED = "minilm+victim-tenant.triage"
"""A model that the victim's tuning job has published."""
DOSSIER, TITLE, TEXT = "secret-dossier", "Zanzibar dossier", "The wombat password is xylophone quartz."
MAKES_QUESTIONS = "POST /v1/question-sets/{name}/generate"
"""Whose set need not be there: the name may be anybody's."""
ANSWER = "chatcmpl_0123456789abcdef01234567"
METADATA = {"codename": "quetzal", "year": 1987}
IDEMPOTENCY_KEY = "the-victims-own-key"
CONDITIONS: list[tuple[str, Any]] = [
    ("document_id", DOSSIER),
    ("title", TITLE),
    ("source", "text"),
    ("media_type", "text/plain"),
    ("page", 1),
    ("metadata.codename", "quetzal"),
    ("metadata.year", 1987),
]
RAW = {"application/octet-stream": b"PK\x05\x06" + bytes(18)}
"""Bodies of the calls that take neither JSON nor a form, by media type."""
CHAT = {"messages": [{"role": "user", "content": "What is the wombat password?"}], "max_tokens": 8}


def filters() -> Iterator[dict[str, Any]]:
    """Every key in every place by every kind of test, with the victim's values."""
    for name, value in CONDITIONS:
        tests = [{"match": value}, {"match": [value, "x"]}]
        if isinstance(value, int):
            tests.append({"range": {"gte": value, "lte": value}})
        for test in tests:
            for place in ("must", "should", "must_not"):
                yield {place: [{"key": name, **test}]}


def bodies() -> dict[str, list[dict[str, Any]]]:
    """Examples of every call that takes JSON."""
    document = {"text": "Nothing much.", "document_id": "third-dossier"}
    rag = [{**CHAT, "model": f"rag:{names}"} for names in (VAULT, SHARED, f"{SHARED},{VAULT}")]
    asked = [{**rag[1], "groundwork": {"filter": one, "include": ["sources", "receipt"]}} for one in [*filters()][:2]]
    return {
        "POST /v1/chat/completions": [
            *rag,
            *asked,
            {**CHAT, "model": "default"},
            {**rag[1], "stream": True},
            {**CHAT, "model": TUNED},
            {**rag[1], "groundwork": {"rerank_model": TUNED}},
        ],
        "POST /v1/completions": [{"model": "default", "prompt": "The wombat password is", "max_tokens": 4}],
        "POST /v1/responses": [
            {"model": f"rag:{names}", "input": "What is the wombat password?", "stream": stream}
            for names in (VAULT, SHARED, f"{SHARED},{VAULT}")
            for stream in (False, True)
        ],
        "POST /v1/embeddings": [{"input": "wombat"}],
        "POST /v1/classify": [{"input": "wombat", "labels": ["a", "b"]}, {"model": TUNED, "input": "wombat"}],
        "POST /v1/moderations": [{"input": "wombat"}],
        "POST /v1/tokenize": [{"prompt": "wombat"}, {"model": TUNED, "prompt": "wombat"}],
        "POST /v1/detokenize": [{"tokens": [5]}],
        "POST /v1/rerank": [{"query": "wombat", "documents": ["x"]}],
        "POST /v2/rerank": [{"query": "wombat", "documents": ["x"]}],
        "POST /v1/collections": [{"name": VAULT}, {"name": SHARED}],
        "PATCH /v1/collections/{name}": [{"description": "Mine now."}, {"rerank": True}, {"rerank_model": TUNED}],
        "POST /v1/collections/{name}/documents": [document, {"text": TEXT, "document_id": "third-dossier"}],
        "POST /v1/collections/{name}/documents:batch": [{"documents": [document]}],
        "POST /v1/collections/{name}/search": [
            {"query": "wombat password", "limit": 100, **options}
            for options in (
                {},
                {"rerank_model": TUNED},
                *({"filter": one, "mode": mode} for one in filters() for mode in ("hybrid", "sparse")),
            )
        ],
        "POST /v1/collections/{name}/documents/{id}/summary": [{}, {"sentences": 12}],
        "POST /v1/collections/{name}/reindex": [{}, {"language": "de"}],
        "POST /v1/agents": [{"name": AGENT, "instructions": "Mine.", "tools": ["search_documents"]}],
        "POST /v1/prompts": [{"name": PROMPT, "messages": [{"role": "system", "content": "Mine."}]}],
        "PUT /v1/prompts/{name}/labels/{label}": [{"version": 1}],
        "POST /v1/prompts/{name}/render": [{}, {"version": 1}, {"label": "newest"}],
        "POST /mcp": [
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}
            for name, arguments in (
                ("search", {"query": "wombat password", "collections": [VAULT]}),
                ("search", {"query": "wombat password", "collections": [SHARED]}),
                ("ask", {"question": "What is the wombat password?", "collections": [SHARED, VAULT]}),
                ("list_collections", {}),
            )
        ],
        "POST /v1/question-sets": [
            *({"name": QUESTIONS, "items": [{"question": "Mine?"}], "append": append} for append in (False, True)),
            {"name": QUESTIONS, "append": True, "remove": ["q_1"]},
        ],
        MAKES_QUESTIONS: [{"collection": VAULT, "count": 1}, {"collection": SHARED, "count": 1}],
        "POST /v1/question-sets/{name}/generations/{generation}/review": [{"accept_all": True}],
        "POST /v1/monitors": [
            {"name": "mine", "collection": VAULT},
            {"name": "mine", "model": f"rag:{VAULT}"},
            {"name": "judging", "judge": {"model": "default", "rubric": "Repeat it.", "sample_percent": 100}},
        ],
        "POST /v1/evaluations": [{"question_set": QUESTIONS, "target": {"model": "default"}}],
        "POST /v1/sweeps": [
            {"collection": name, "question_set": QUESTIONS, "settings": {"rerank": [True]}} for name in (VAULT, SHARED)
        ],
        "POST /v1/fine_tuning/jobs": [
            {"model": "none", "training_file": f"set:{name}"} for name in ("lessons", QUESTIONS)
        ],
        "POST /v1/threads": [{}],
        "PATCH /v1/threads/{id}": [{"metadata": {"title": "Mine now."}}],
        "POST /v1/threads/{id}/messages": [{"messages": [{"role": "user", "content": "Mine."}], "position": 0}],
        "POST /v1/threads/{id}/runs": [{"agent": AGENT, "input": "What is the password?"}],
        "POST /v1/threads/{id}/runs/{run}/resume": [{"decisions": [{"tool_call_id": "c", "action": "approve"}]}],
        "POST /v1/threads/{id}/runs/{run}/replay": [{"after": 0}, {"after": 1, "input": "What is the password?"}],
        "POST /v1/feedback": [
            {"answer_id": ANSWER, "rating": "up"},
            {"answer_id": "mine", "preferred_over": ANSWER, "blind": True},
            {"answer_id": "other", "tied_with": ANSWER, "blind": True},
            {"answer_id": ANSWER, "part": {"citation": 0}, "labels": ["wrong_source"], "user": "wombat-keeper"},
        ],
        "POST /v1/reviews": [{"answer_ids": [ANSWER]}],
        "POST /v1/reviews/next": [{}, {"user": "wombat-keeper"}],
        "POST /v1/reviews/{id}/done": [{}],
        "POST /v1/reviews/{id}/skip": [{}],
        "POST /v1/keys": [{"name": "more", "tenant": "victim-tenant", "scopes": ["chat"], "collections": [VAULT]}],
        "PATCH /v1/keys/{key_id}": [{"name": "mine"}, {"limits": {"concurrency": 1}}],
        "POST /v1/keys/{key_id}/rotate": [{}, {"overlap_seconds": 0}],
        "POST /v1/tenants": [{"name": "victim-tenant"}],
        "PATCH /v1/tenants/{name}": [{"limits": {"requests_per_minute": 1}}],
        "PUT /v1/models/{id}": [{"kind": "chat", "engine": "scripted", "context_length": 64, "source": {"rules": []}}],
        "POST /v1/models/pull": [{"model": "far", "source": {"huggingface": "org/none", "file": "m.gguf"}}],
        "PUT /v1/routes/{name}": [{"targets": [{"model": "smollm2"}]}],
    }
