"""The calls that another service answers: a closed, typed list, so that nothing passes unnamed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, quote

from pydantic import BaseModel

from contracts.base import NAME
from contracts.batches import BatchReply, DocumentBatch
from contracts.collections import Collection, CollectionChange, CollectionCreate
from contracts.delegation import Scope
from contracts.documents import Document, DocumentChunk, DocumentCreate, DocumentStatus
from contracts.jobs import Accepted, Job, JobStatus
from contracts.pages import Page
from contracts.reindexing import ReindexAccepted, ReindexRequest
from gateway.auth.errors import NotYours
from gateway.auth.tokens import DOCUMENTS, Audiences
from gateway.usage.meter import Route

Carries = Literal["json", "upload", "archive", "nothing"]
Gives = Literal["json", "text", "bytes", "events", "json_or_events", "nothing"]
Service = Literal["ingest", "agent"]

_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")
READERS: tuple[Scope, ...] = ("documents", "search")
WRITERS: tuple[Scope, ...] = ("documents",)


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter that passes."""

    name: str
    schema: Mapping[str, Any]
    about: str


@dataclass(frozen=True, slots=True)
class ProxiedCall:
    """One public call that another service answers under the same path."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    summary: str
    scopes: tuple[Scope, ...]
    """A key needs one of these."""
    tag: str
    answer: Any = None
    """The answer's model."""
    status: int = 200
    other_statuses: tuple[int, ...] = ()
    """Successes with the same model."""
    request: type[BaseModel] | None = None
    carries: Carries = "nothing"
    gives: Gives = "json"
    queries: tuple[Query, ...] = ()
    service: Service = "ingest"
    audiences: Audiences = DOCUMENTS
    own_origin: bool = False
    """Whether a browser may call it only from a page of the gateway itself, or of an origin that settings name."""
    idempotent: bool = True
    """Whether a POST with a body honours `Idempotency-Key`."""
    grant: bool = False
    """Whether the call starts work that goes on after it, which needs a grant."""
    own_errors: tuple[int, ...] = ()
    """Statuses of errors that have the call's own form and pass as they are: JSON-RPC's."""
    ends_epoch: bool = False
    """Whether it brings an earlier state back, so that no cached answer may be given again."""
    spends: bool = False
    """Whether it queues what is embedded, and charged, later: it is not begun when a budget has nothing left."""
    route: Route | None = None
    """Set where the call is limited and recorded: on all that change something."""

    def inner_path(self, params: Mapping[str, str]) -> str:
        """The path with its parameters in place; raises `NotYours` for a value that nothing can be called."""
        path = self.path
        for name, value in params.items():
            what, allowed = self.parameter(name)
            if not allowed.fullmatch(value) or value in (".", ".."):
                raise NotYours(what, value)
            path = path.replace("{" + name + "}", quote(value, safe=""))
        return path

    def parameter(self, name: str) -> tuple[str, re.Pattern[str]]:
        """What a path parameter names (the segment before it says so), and how its values look."""
        segments = self.path.split("/")
        return _PARAMETERS[segments[segments.index("{" + name + "}") - 1]]

    def inner_query(self, query: bytes) -> dict[str, str]:
        """The parameters that pass; others have no meaning and are dropped."""
        known = {parameter.name for parameter in self.queries}
        return {name: value for name, value in parse_qsl(query.decode("latin-1")) if name in known}


_PARAMETERS = {
    "collections": ("collection", NAME),
    "documents": ("document", _ID),
    "jobs": ("job", _ID),
    "agents": ("agent", NAME),
    "threads": ("thread", _ID),
    "runs": ("run", _ID),
}
_COLLECTION = "/v1/collections/{name}"
_DOCUMENTS = "/v1/collections/{name}/documents"
_DOCUMENT = "/v1/collections/{name}/documents/{id}"
_JOB = "/v1/jobs/{id}"


def _enum(values: Any) -> dict[str, Any]:
    return {"type": "string", "enum": list(values.__args__)}


LIMIT = Query("limit", {"type": "integer", "minimum": 1, "maximum": 200}, "How many at once.")
CURSOR = Query("cursor", {"type": "string"}, "`next_cursor` of the page before.")
_REVISION = Query("revision", {"type": "integer", "minimum": 1}, "A revision; the active one by default.")
_DOCUMENT_STATUS = Query("status", _enum(DocumentStatus), "Only documents with this status.")
_WORDS = Query("q", {"type": "string"}, "Only documents whose title or source has these words.")
_JOB_STATUS = Query("status", _enum(JobStatus), "Only jobs with this status.")
_OF_COLLECTION = Query("collection", {"type": "string"}, "Only jobs of this collection.")

PROXIED: tuple[ProxiedCall, ...] = (
    ProxiedCall(
        "POST", "/v1/collections", "Create a collection", WRITERS, "collections",
        Collection, 201, request=CollectionCreate, carries="json", route="collections",
    ),
    ProxiedCall(
        "GET", "/v1/collections", "List collections", READERS, "collections",
        Page[Collection], queries=(LIMIT, CURSOR),
    ),
    ProxiedCall("GET", _COLLECTION, "Show a collection", READERS, "collections", Collection),
    ProxiedCall(
        "PATCH", _COLLECTION, "Change how a collection is described and searched", WRITERS, "collections",
        Collection, request=CollectionChange, carries="json", route="collections",
    ),
    ProxiedCall(
        "POST", f"{_COLLECTION}/reindex", "Build a collection's index anew beside the one that serves, then flip to it",
        WRITERS, "collections", ReindexAccepted, 202, request=ReindexRequest, carries="json", grant=True,
        spends=True, route="collections",
    ),
    ProxiedCall(
        "DELETE", _COLLECTION, "Delete a collection and all that is in it", WRITERS, "collections",
        status=204, other_statuses=(202,), gives="nothing", grant=True, route="collections",
    ),
    ProxiedCall(
        "POST", _DOCUMENTS, "Upload a file, a text or a URL", WRITERS, "documents",
        Accepted, 202, (200,), DocumentCreate, "upload", grant=True, spends=True, route="documents",
    ),
    ProxiedCall(
        "POST", f"{_DOCUMENTS}:batch", "Upload up to 100 texts or URLs; each is taken or refused for itself", WRITERS,
        "documents", BatchReply, 202, request=DocumentBatch, carries="json", grant=True, spends=True,
        route="documents",
    ),
    ProxiedCall(
        "GET", _DOCUMENTS, "List documents", READERS, "documents",
        Page[Document], queries=(_DOCUMENT_STATUS, _WORDS, LIMIT, CURSOR),
    ),
    ProxiedCall("GET", _DOCUMENT, "Show a document", READERS, "documents", Document),
    ProxiedCall(
        "DELETE", _DOCUMENT, "Delete a document; it is gone from search when the call returns", WRITERS, "documents",
        status=204, gives="nothing", grant=True, route="documents",
    ),
    ProxiedCall(
        "GET", f"{_DOCUMENT}/content", "The original bytes", READERS, "documents", gives="bytes", queries=(_REVISION,),
    ),
    ProxiedCall(
        "GET", f"{_DOCUMENT}/text", "The extracted text, which spans index in Unicode code points", READERS,
        "documents", gives="text", queries=(_REVISION,),
    ),
    ProxiedCall(
        "GET", f"{_DOCUMENT}/backup", "All of a document as one ZIP, to be restored from", READERS, "documents",
        gives="bytes",
    ),
    ProxiedCall(
        "POST", f"{_DOCUMENTS}:restore", "Take a document in as its backup has it", WRITERS, "documents",
        Accepted, 202, (200,), carries="archive", grant=True, ends_epoch=True, spends=True,
        route="documents",
    ),
    ProxiedCall(
        "GET", f"{_DOCUMENT}/chunks", "The chunks of the active revision", READERS, "documents",
        Page[DocumentChunk], queries=(LIMIT, CURSOR),
    ),
    ProxiedCall(
        "GET", "/v1/jobs", "List jobs", WRITERS, "jobs",
        Page[Job], queries=(_JOB_STATUS, _OF_COLLECTION, LIMIT, CURSOR),
    ),
    ProxiedCall("GET", _JOB, "Show a job", WRITERS, "jobs", Job),
    ProxiedCall("GET", f"{_JOB}/events", "The job at each change, then the end", WRITERS, "jobs", Job, gives="events"),
    ProxiedCall("POST", f"{_JOB}/cancel", "Cancel a job", WRITERS, "jobs", Job, 202, route="jobs"),
    ProxiedCall("POST", f"{_JOB}/retry", "Run a failed job again", WRITERS, "jobs", Job, 202, grant=True, route="jobs"),
)  # fmt: skip


def is_name(value: str) -> bool:
    """Whether a collection could be called so."""
    return NAME.fullmatch(value) is not None
