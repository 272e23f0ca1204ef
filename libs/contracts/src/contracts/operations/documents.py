"""Collections, documents and the jobs that index them."""

from __future__ import annotations

from types import NoneType

from contracts.access.delegation import Scope
from contracts.core.pages import Page
from contracts.documents.batches import BatchReply, DocumentBatch
from contracts.documents.documents import Document, DocumentChunk, DocumentCreate, DocumentRevision, DocumentStatus
from contracts.documents.jobs import Accepted, Job, JobStatus
from contracts.models.chat import DocumentSummary, SummaryRequest
from contracts.operations.operation import CURSOR, LIMIT, Operation, Query, string_of
from contracts.operations.reach import DOCUMENTS, NO_MODEL, SEARCH, SUMMARY
from contracts.retrieval.collections import Collection, CollectionChange, CollectionCreate
from contracts.retrieval.reindex import ReindexAccepted, ReindexRequest
from contracts.retrieval.search import SearchOptions, SearchReply

READERS: tuple[Scope, ...] = ("documents", "search")
WRITERS: tuple[Scope, ...] = ("documents",)
_OF_COLLECTIONS, _OF_DOCUMENTS, _OF_JOBS = ("collections",), ("documents",), ("jobs",)
_COLLECTION = "/v1/collections/{name}"
_DOCUMENTS = "/v1/collections/{name}/documents"
_DOCUMENT = "/v1/collections/{name}/documents/{id}"
_JOB = "/v1/jobs/{id}"

_REVISION = Query("revision", {"type": "integer", "minimum": 1}, "A revision; the active one by default.")
_SPANS = Query(
    "spans", {"type": "string", "maxLength": 1200}, "Characters of the text to mark: pairs `start-end`, by commas."
)
_DOCUMENT_STATUS = Query("status", string_of(DocumentStatus), "Only documents with this status.")
_WORDS = Query("q", {"type": "string"}, "Only documents whose title or source has these words.")
_JOB_STATUS = Query("status", string_of(JobStatus), "Only jobs with this status.")
_ONE_COLLECTION = Query("collection", {"type": "string"}, "Only jobs of this collection.")

# fmt: off
CREATE_COLLECTION = Operation(
    "POST", "/v1/collections", Collection, WRITERS, _OF_COLLECTIONS, NO_MODEL, "Create a collection", 201,
    request=CollectionCreate, carries="json", owner="ingest", route="collections", idempotent=True,
)
LIST_COLLECTIONS = Operation(
    "GET", "/v1/collections", Page[Collection], READERS, _OF_COLLECTIONS, NO_MODEL, "List collections",
    queries=(LIMIT, CURSOR), owner="ingest",
)
GET_COLLECTION = Operation(
    "GET", _COLLECTION, Collection, READERS, _OF_COLLECTIONS, NO_MODEL, "Show a collection", owner="ingest",
)
UPDATE_COLLECTION = Operation(
    "PATCH", _COLLECTION, Collection, WRITERS, _OF_COLLECTIONS, NO_MODEL,
    "Change how a collection is described and searched", request=CollectionChange, carries="json", owner="ingest",
    route="collections",
)
REINDEX_COLLECTION = Operation(
    "POST", f"{_COLLECTION}/reindex", ReindexAccepted, WRITERS, _OF_COLLECTIONS, DOCUMENTS,
    "Build a collection's index anew beside the one that serves, then flip to it", 202, request=ReindexRequest,
    carries="json", owner="ingest", route="collections", grant=True, spends=True, idempotent=True,
)
DELETE_COLLECTION = Operation(
    "DELETE", _COLLECTION, NoneType, WRITERS, _OF_COLLECTIONS, NO_MODEL, "Delete a collection and all that is in it",
    204, (202,), owner="ingest", route="collections", grant=True, finishes=True,
)
SEARCH_COLLECTION = Operation(
    "POST", f"{_COLLECTION}/search", SearchReply, ("search",), ("models", "search"), SEARCH, request=SearchOptions,
    carries="json", name="search", route="search",
)
CREATE_DOCUMENT = Operation(
    "POST", _DOCUMENTS, Accepted, WRITERS, _OF_DOCUMENTS, DOCUMENTS, "Upload a file, a text or a URL", 202, (200,),
    request=DocumentCreate, carries="upload", owner="ingest", route="documents", grant=True, spends=True,
    idempotent=True,
)
CREATE_DOCUMENTS = Operation(
    "POST", f"{_DOCUMENTS}:batch", BatchReply, WRITERS, _OF_DOCUMENTS, DOCUMENTS,
    "Upload up to 100 texts or URLs; each is taken or refused for itself", 202, request=DocumentBatch, carries="json",
    owner="ingest", route="documents", grant=True, spends=True, idempotent=True,
)
LIST_DOCUMENTS = Operation(
    "GET", _DOCUMENTS, Page[Document], READERS, _OF_DOCUMENTS, DOCUMENTS, "List documents",
    queries=(_DOCUMENT_STATUS, _WORDS, LIMIT, CURSOR), owner="ingest",
)
GET_DOCUMENT = Operation(
    "GET", _DOCUMENT, Document, READERS, _OF_DOCUMENTS, DOCUMENTS, "Show a document", owner="ingest",
)
DELETE_DOCUMENT = Operation(
    "DELETE", _DOCUMENT, NoneType, WRITERS, _OF_DOCUMENTS, NO_MODEL,
    "Delete a document; it is gone from search when the call returns", 204, owner="ingest", route="documents",
    grant=True, finishes=True,
)
LIST_REVISIONS = Operation(
    "GET", f"{_DOCUMENT}/revisions", Page[DocumentRevision], READERS, _OF_DOCUMENTS, DOCUMENTS,
    "The retained revisions, newest first", queries=(LIMIT, CURSOR), owner="ingest",
)
GET_DOCUMENT_CONTENT = Operation(
    "GET", f"{_DOCUMENT}/content", bytes, READERS, _OF_DOCUMENTS, DOCUMENTS, "The original bytes", queries=(_REVISION,),
    owner="ingest",
)
GET_DOCUMENT_TEXT = Operation(
    "GET", f"{_DOCUMENT}/text", str, READERS, _OF_DOCUMENTS, DOCUMENTS,
    "The extracted text, which spans index in Unicode code points", queries=(_REVISION,), owner="ingest",
)
GET_PAGE_PICTURE = Operation(
    "GET", f"{_DOCUMENT}/pages/{{n}}.png", bytes, READERS, _OF_DOCUMENTS, DOCUMENTS,
    "A page of a PDF as a picture; `X-Groundwork-Boxes` has what is marked: left, top, right, bottom in pixels",
    queries=(_SPANS, _REVISION), owner="ingest",
)
BACK_UP_DOCUMENT = Operation(
    "GET", f"{_DOCUMENT}/backup", bytes, READERS, _OF_DOCUMENTS, DOCUMENTS,
    "All of a document as one ZIP, to be restored from", owner="ingest",
)
RESTORE_DOCUMENT = Operation(
    "POST", f"{_DOCUMENTS}:restore", Accepted, WRITERS, _OF_DOCUMENTS, DOCUMENTS,
    "Take a document in as its backup has it", 202, (200,), carries="archive", owner="ingest", route="documents",
    grant=True, spends=True, ends_epoch=True,
)
LIST_CHUNKS = Operation(
    "GET", f"{_DOCUMENT}/chunks", Page[DocumentChunk], READERS, _OF_DOCUMENTS, DOCUMENTS,
    "The chunks of the active revision", queries=(LIMIT, CURSOR), owner="ingest",
)
SUMMARISE_DOCUMENT = Operation(
    "POST", f"{_DOCUMENT}/summary", DocumentSummary, ("search", "chat"), _OF_DOCUMENTS, SUMMARY,
    "Sum a document up in its own sentences, each cited", request=SummaryRequest, carries="json", owner="agent",
    # it searches and compares as `rag:` models do
    route="search", also_for=("retriever", "inference", "models"), cites=True,
)
LIST_JOBS = Operation(
    "GET", "/v1/jobs", Page[Job], WRITERS, _OF_JOBS, NO_MODEL, "List jobs",
    queries=(_JOB_STATUS, _ONE_COLLECTION, LIMIT, CURSOR), owner="ingest",
)
GET_JOB = Operation("GET", _JOB, Job, WRITERS, _OF_JOBS, NO_MODEL, "Show a job", owner="ingest")
FOLLOW_JOB = Operation(
    "GET", f"{_JOB}/events", Job, WRITERS, _OF_JOBS, NO_MODEL, "The job at each change, then the end", streams="always",
    owner="ingest",
)
CANCEL_JOB = Operation(
    "POST", f"{_JOB}/cancel", Job, WRITERS, _OF_JOBS, NO_MODEL, "Cancel a job", 202, owner="ingest", route="jobs",
)
RETRY_JOB = Operation(
    "POST", f"{_JOB}/retry", Job, WRITERS, _OF_JOBS, NO_MODEL, "Run a failed job again", 202, owner="ingest",
    route="jobs", grant=True,
)
# fmt: on
