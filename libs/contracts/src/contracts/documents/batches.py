"""Several documents in one call."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.core.base import Reply, Request
from contracts.core.errors import ErrorBody
from contracts.documents.documents import DocumentCreate
from contracts.documents.jobs import Accepted

MAX_BATCH_DOCUMENTS = 100


class DocumentBatch(Request):
    """Body of `POST …/documents:batch`. Each document is taken or refused for itself."""

    documents: Annotated[list[DocumentCreate], Field(min_length=1, max_length=MAX_BATCH_DOCUMENTS)]


class Refused(Reply):
    """A document of a batch that was not taken; the error that it would have got alone."""

    error: ErrorBody


class BatchReply(Reply):
    """One result for each document of a batch, in its order."""

    results: list[Accepted | Refused]
