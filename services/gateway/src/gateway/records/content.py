"""The row of a record: an answer's pieces put together, masked, and cut to a bounded size."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import String, Table

from contracts.core.base import NAME
from contracts.models.catalog import AGENT, RAG, rag_collections
from gateway.guardrails.screen import kept
from gateway.models.cost import usd_text
from gateway.records.answer import Answer, answer_in
from gateway.records.recording import Recording
from gateway.storage.tables import record_documents, records
from gateway.usage.records import UsageRecord

MOST_CONTENT_CHARS = 200_000
MOST_TEXT_CHARS = 50_000
"""Of a question or an answer."""
CUTS = (MOST_TEXT_CHARS, 20_000, 4000, 500, 50)
"""Characters of each text that stay where a record is too large, tried in turn."""
MOST_HITS = 100
SAMPLES = 10_000
"""Into how many equal parts records fall, by their ids."""
MOST_DATA_URL = 200
_MEDIA = '"data:'
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+[;,]\S")
_OWN = ("model", "messages", "stream", "stream_options", "user", "safety_identifier", "raw_prompts")
_MEASURED = ("tenant", "at", "key_id", "call_id", "model", "answered_by", "collections", "ms")
_WORDLESS = ("grounded", "abstained", "answer_kind", "collections", "degraded", "agent", "agent_version", "status")
Row = dict[str, Any]


def _texts_of(table: Table) -> dict[str, int | None]:
    """Its columns with texts, and how long these may be."""
    return {column.name: column.type.length for column in table.c if isinstance(column.type, String)}


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_TEXTS = {table: _texts_of(table) for table in (records, record_documents)}


def _encoded(value: Any) -> str:
    """JSON without spaces; what holds half a surrogate pair takes four times as long."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return _encode(value)


def rows_of(recording: Recording) -> tuple[Row, list[Row], Row]:
    """Its row, one for each document that it holds passages of, and what is measured of it."""
    usage = recording.usage
    assert usage is not None, "it has ended"
    answer = answer_in(recording.frames, streamed=recording.request.stream)
    answer.id = answer.id or recording.answer_id
    full, rules = recording.mode == "full", recording.guardrails
    asked = kept(_asked(recording), rules.input, joined=True) if full else {}
    hits = _hits(recording, answer)
    known = {**_words(answer), "hits": hits, "error": _error(recording.error)} if full else {}
    answered = kept({"report": _report(answer), "receipt": _receipt(recording, usage, answer), **known}, rules.output)
    content = {**asked, **answered} if full else _wordless(answered, hits, recording.error)
    text, cut = _bounded({name: value for name, value in content.items() if name not in ("question", "answer")})
    longest = max(len(content.get(name) or "") for name in ("question", "answer"))
    lost = recording.truncated or recording.sources_lost or recording.prompt_lost
    if lost or cut or longest > MOST_TEXT_CHARS:
        text = f'{{"truncated":true,{text[1:]}'
    row = {
        **_facts(recording, usage, answer, hits),
        **{name: (content.get(name) or "")[:MOST_TEXT_CHARS] if full else None for name in ("question", "answer")},
        "content": text,
        "user": kept({"text": recording.user}, rules.input)["text"],
    }
    row = _fitting(records, row)
    return row, _documents(row, hits), _measures(row, answer)


def user_hash(tenant: str, user: str) -> str:
    """By which the records of a user are found whose name is masked."""
    return hashlib.sha256(f"{tenant}\0{user}".encode("utf-8", "replace")).hexdigest()


def _facts(recording: Recording, usage: UsageRecord, answer: Answer, hits: Sequence[Row]) -> Row:
    version, receipt, model = recording.version, recording.receipt or {}, recording.request.model
    is_plain = not model.startswith((RAG, AGENT))
    return {
        "model": model,
        "answered_by": version.model or (usage.model if is_plain else receipt.get("model")),
        "model_digest": version.digest or receipt.get("model_digest"),
        "adapter": version.adapter or receipt.get("adapter"),
        "variant": recording.variant,
        "prompt": recording.prompt or receipt.get("prompt") or answer.report.get("prompt"),
        "id": recording.id_of(answer.id) if answer.id else usage.id,
        "tenant": usage.tenant,
        "key_id": usage.key_id,
        "request_id": usage.request_id,
        "call_id": usage.id,
        "at": usage.started_at,
        "expires_at": recording.expires_at,
        "mode": recording.mode,
        "user_hash": None if recording.user is None else user_hash(usage.tenant, recording.user),
        "collections": _collections(model, hits),
        "abstained": answer.report.get("abstained") is True,
        "error_type": usage.error_type,
        "status": usage.status,
        "cache": usage.cache,
        "streamed": usage.streamed,
        "ms": usage.ms,
    }


def _collections(model: str, hits: Sequence[Row]) -> str:
    """Those that it names, or that an agent's passages are of, as the table has them; what can't be a collection's name
    is only in `model`."""
    found = dict.fromkeys(str(hit["collection"]) for hit in hits) if model.startswith(AGENT) else ()
    named = rag_collections(model) if model.startswith(RAG) else found
    names = [name for name in named if NAME.fullmatch(name)]
    return f",{','.join(names)}," if names else ""


def _asked(recording: Recording) -> Row:
    request, before = recording.request, recording.prompt_messages
    body = request.model_dump(mode="json", exclude_unset=True)
    filled = [message.model_dump(mode="json", exclude_unset=True) for message in before]
    return {
        "question": request.question(),
        **({"prompt_messages": filled} if filled else {}),
        "messages": body["messages"],
        "parameters": {name: value for name, value in body.items() if name not in _OWN},
    }


def _words(answer: Answer) -> Row:
    return {
        "answer": answer.text,
        "reasoning": answer.reasoning or None,
        "tool_calls": answer.tool_calls or None,
        "annotations": answer.annotations or None,
        "finish_reason": answer.finish_reason,
    }


def _report(answer: Answer) -> Row | None:
    return {name: value for name, value in answer.report.items() if name not in ("receipt", "sources")} or None


def _receipt(recording: Recording, usage: UsageRecord, answer: Answer) -> Row:
    """What the answer told, or that of a plain model's, which tells none."""
    given = recording.receipt or answer.report.get("receipt")
    if isinstance(given, dict):
        own = [decision.model_dump() for decision in recording.decisions]
        return {**given, "guardrails": [*given.get("guardrails", []), *own] if recording.receipt else own}
    return {  # as `Receipt` has it, whose making would cost more than all else here
        "request_id": usage.request_id,
        "tokens": {"prompt": usage.prompt_tokens, "completion": usage.completion_tokens},
        "cost_usd": usd_text(usage.cost_nano_usd),
        "model": recording.version.model or usage.model,
        "model_digest": recording.version.digest,
        **({"adapter": recording.version.adapter} if recording.version.adapter else {}),
        "attempts": [attempt.model_dump() for attempt in recording.attempts],
        "cache": usage.cache,
        "guardrails": [decision.model_dump() for decision in recording.decisions],
    }


def _hits(recording: Recording, answer: Answer) -> list[Row]:
    """The sources, or those that are cited where an answer came from the cache."""
    cited = {one.get("chunk_id"): one for one in answer.annotations if one.get("document_id")}
    found = [one for one in recording.sources or [] if isinstance(one, dict)]
    if not found:
        found = [{**one, "text": one.get("quote")} for one in cited.values()]
    names = ("number", "collection", "document_id", "revision", "chunk_id", "title", "page", "text", "start", "end")
    return [
        {**{name: one.get(name) for name in (*names, "score")}, "cited": one.get("chunk_id") in cited}
        for one in found[:MOST_HITS]
    ]


def _wordless(answered: Row, hits: list[Row], error: tuple[str, str] | None) -> Row:
    report, receipt = answered["report"] or {}, answered["receipt"]
    return {
        "report": {name: report[name] for name in _WORDLESS if name in report} or None,
        "receipt": {name: value for name, value in receipt.items() if name != "queries"},
        "hits": [{**hit, "text": None, "title": None} for hit in hits],
        "error": None if error is None else {"code": error[0], "message": ""},
    }


def _documents(row: Row, hits: list[Row]) -> list[Row]:
    of = {"record_id": row["id"], "tenant": row["tenant"]}
    found = [{**of, "collection": str(hit["collection"]), "document_id": str(hit["document_id"])} for hit in hits]
    fitting = [_fitting(record_documents, one) for one in found]
    return list({(one["collection"], one["document_id"]): one for one in fitting}.values())


def _measures(row: Row, answer: Answer) -> Row:
    """What monitors read. Only an answer from documents says whether it abstained and what supports it."""
    is_known, failed = "abstained" in answer.report, row["status"] >= 500
    abstained = row["abstained"] if is_known and not failed else None
    return {
        **{name: row[name] for name in _MEASURED},
        "record_id": row["id"],
        "person": row["user_hash"] or row["id"],
        "sample": zlib.crc32(row["id"].encode()) % SAMPLES,
        "grounded": answer.report.get("grounded") is True if abstained is False else None,
        "abstained": abstained,
        "failed": failed,
        "fresh": row["cache"] != "hit",
    }


def _error(error: tuple[str, str] | None) -> Row | None:
    return None if error is None else {"code": error[0], "message": error[1]}


def _bounded(content: Mapping[str, Any]) -> tuple[str, bool]:
    """As JSON of a bounded length, and whether something had to go."""
    text = _encoded(content)
    if _MEDIA in text:
        content = _without_media(content)
        text = _encoded(content)
    if len(text) <= MOST_CONTENT_CHARS:
        return text, False
    for most in CUTS:
        text = _encoded(_clipped(content, most))
        if len(text) <= MOST_CONTENT_CHARS:
            return text, True
    small = {name: value for name, value in content.items() if name in ("report", "error", "finish_reason")}
    return _encoded(_clipped(small, CUTS[-1])), True


def _without_media(value: Any) -> Any:
    """Of pictures and sounds only what they are. A text that merely begins like one is a text."""
    if isinstance(value, str):
        is_media = len(value) > MOST_DATA_URL and _DATA_URL.match(value)
        return f"{value[:50]}… ({len(value)} characters)" if is_media else value
    if isinstance(value, Mapping):
        return {name: _without_media(one) for name, one in value.items()}
    return [_without_media(one) for one in value] if isinstance(value, list) else value


def _clipped(value: Any, most: int) -> Any:
    """With every text cut."""
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}…"
    if isinstance(value, Mapping):
        return {str(name)[:most]: _clipped(one, most) for name, one in value.items()}
    return [_clipped(one, most) for one in value] if isinstance(value, list) else value


def _fitting(table: Table, row: Row) -> Row:
    """With every text as every database takes it: no longer than its column, and without what has no encoding."""
    for name, longest in _TEXTS[table].items():
        text = row[name]
        if text is None:
            continue
        if type(text) is not str or not text.isascii() or "\0" in text or (longest is not None and len(text) > longest):
            row[name] = _storable(str(text)[:longest])
    return row


def _storable(text: str) -> str:
    return text.replace("\0", "").encode("utf-8", "replace").decode()
