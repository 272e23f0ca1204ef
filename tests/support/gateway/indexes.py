"""Reindexes in the stand-in for ingest: each is done at once, and one that does not switch is there until its job is
cancelled."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from tests.support.gateway.seen import Seen

from contracts.retrieval.reindex import ReindexRequest
from servicekit.auth.delegation import Caller, require
from servicekit.core.errors import Conflict, NotFound

IngestCaller = Annotated[Caller, require("ingest", "documents")]
AT = "2026-01-01T00:00:00Z"


class Running(Conflict):
    """There is one."""

    code = "reindex_running"


class Finished(Conflict):
    """It has ended."""

    code = "job_finished"


def indexes(app: FastAPI, seen: Seen) -> None:
    """Routes that begin, show and cancel the reindexes of `seen`."""

    @app.post("/v1/collections/{name}/reindex", status_code=202)
    async def begin(
        name: str,
        wanted: ReindexRequest,
        request: Request,
        caller: IngestCaller,
        idempotency_key: Annotated[str, Header()],
        groundwork_grant: Annotated[str, Header()],
    ) -> Any:
        seen.note("ingest", request, caller, wanted.model_dump(mode="json", exclude_unset=True))
        if idempotency_key in seen.reindexes:
            return {"job": seen.reindexes[idempotency_key]}
        if any(job["status"] == "running" for job in seen.reindexes.values()):
            raise Running("Another one is under way.")
        job = {"id": f"job_{len(seen.reindexes) + 1}", "kind": "reindex", "document_id": "", "collection": name}
        tried = wanted.switch is False
        states = {"status": "running", "stage": "built"} if tried else {"status": "ready", "stage": "done"}
        seen.reindexes[idempotency_key] = {**job, **states, "created_at": AT}
        changed = seen.changes.setdefault(name, {})
        if tried:
            changed["index"] = {"state": "building", "shadow": _shadow(wanted, len(seen.reindexes) + 1)}
        else:
            changed.update(wanted.model_dump(mode="json", exclude_none=True, exclude={"switch"}))
        return {"job": seen.reindexes[idempotency_key]}

    @app.get("/v1/jobs/{job}")
    async def shown(job: str, caller: IngestCaller) -> Any:
        return _found(seen, job)

    @app.post("/v1/jobs/{job}/cancel", status_code=202)
    async def cancel(job: str, request: Request, caller: IngestCaller) -> Any:
        seen.note("ingest", request, caller)
        one = _found(seen, job)
        if one["status"] != "running":
            raise Finished("It has ended.")
        one["status"] = "cancelled"
        seen.changes[one["collection"]].pop("index", None)
        return one


def _found(seen: Seen, job: str) -> dict[str, Any]:
    for one in seen.reindexes.values():
        if one["id"] == job:
            return one
    raise NotFound(f"There is no job '{job}'.", param="id")


def _shadow(wanted: ReindexRequest, number: int) -> dict[str, Any]:
    cut = {} if wanted.chunking is None else wanted.chunking.model_dump(mode="json")
    about = {"embedding_model": wanted.embedding_model or "mini", "dimensions": 3, "max_input_tokens": 256}
    return {**about, "generation": number, "layout": number, "chunking": cut}
