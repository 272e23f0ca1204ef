"""What can go wrong in ingest, one class a fact; each message says what to do."""

from __future__ import annotations

from collections.abc import Iterable

from servicekit.core.errors import (
    Conflict,
    Forbidden,
    Internal,
    InvalidRequest,
    NotFound,
    NotReady,
    PayloadTooLarge,
    QueueFull,
    Unprocessable,
    UnsupportedMediaType,
    UpstreamFailed,
    UpstreamTimeout,
)
from servicekit.peers.address_policy import AddressRefused
from servicekit.peers.address_ranges import Rule

OF_THE_TEXT: frozenset[Rule] = frozenset(("malformed", "scheme", "credentials", "port", "numeric_host"))
"""Rules that a URL breaks as it is written, wherever it leads."""


class CollectionNotFound(NotFound):
    """No such collection in the caller's tenant."""

    code = "collection_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no collection '{name}'. GET /v1/collections lists them; POST /v1/collections makes one.",
            param="collection",
        )


class CollectionNotAllowed(Forbidden):
    """The key is limited to other collections."""

    code = "collection_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"This key may not use the collection '{name}'. Use another key or collection.")


class CollectionDeleting(Conflict):
    """The collection's deletion is under way."""

    code = "collection_deleting"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The collection '{name}' is being deleted. Try again when GET /v1/collections no longer lists it.",
            retry_after=2,
        )


class DocumentNotFound(NotFound):
    """No such document in the collection."""

    code = "document_not_found"

    def __init__(self, collection: str, document_id: str) -> None:
        super().__init__(
            f"There is no document '{document_id}' in '{collection}'. "
            f"GET /v1/collections/{collection}/documents lists them.",
            param="document_id",
        )


class RevisionNotFound(NotFound):
    """The document has no such revision, or it is no longer retained."""

    code = "revision_not_found"

    def __init__(self, document_id: str, revision: int) -> None:
        super().__init__(
            f"Revision {revision} of document '{document_id}' is not there (any more). "
            "Leave revision out to get the active one.",
            param="revision",
        )


class TextNotReady(Conflict):
    """The text has not been extracted yet."""

    code = "text_not_ready"

    def __init__(self, document_id: str) -> None:
        super().__init__(
            f"The text of document '{document_id}' has not been extracted yet. Wait for its job, then ask again.",
            retry_after=2,
        )


class TextNotFound(NotFound):
    """No text could be extracted."""

    code = "text_not_found"

    def __init__(self, document_id: str) -> None:
        super().__init__(
            f"Document '{document_id}' has no extracted text, since its job did not get that far. "
            "The document's error says why."
        )


class JobNotFound(NotFound):
    """No such job in the caller's tenant."""

    code = "job_not_found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job '{job_id}'. GET /v1/jobs lists them.", param="job_id")


class JobFinished(Conflict):
    """The job is over, so that it can't be cancelled."""

    code = "job_finished"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"Job '{job_id}' is already {status}, so there is nothing to cancel. "
            "To remove the document, DELETE it instead."
        )


class JobCommitting(Conflict):
    """The index is making the new revision the active one at this moment."""

    code = "job_committing"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The job '{job_id}' is being committed and can't be stopped now. Look again in a moment.")


class ReindexRunning(Conflict):
    """The collection is being reindexed."""

    code = "reindex_running"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The collection '{name}' is being reindexed. Wait for that job or cancel it: /v1/jobs?collection={name}."
        )


class ReindexOvertaken(Conflict):
    """Another reindex of the collection took this one's place."""

    code = "reindex_overtaken"

    def __init__(self) -> None:
        super().__init__("Another reindex of this collection took the place of this one.")


class IndexKeptTooLong(Conflict):
    """An index that was built without switching to it was not cancelled in time."""

    code = "index_kept_too_long"

    def __init__(self, hours: float) -> None:
        super().__init__(
            f"The index was built to be tried, and nobody cancelled this job within {hours:.0f} hours, so that it was "
            "removed. Reindex the collection once more, or with `switch` to have the index serve."
        )


class JobNotFailed(Conflict):
    """Only a failed job can be retried."""

    code = "job_not_failed"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"Job '{job_id}' is {status}; only a failed job can be retried. Upload the document again instead."
        )


class JobSuperseded(Conflict):
    """The document has moved on since this job failed."""

    code = "job_superseded"

    def __init__(self, job_id: str) -> None:
        super().__init__(
            f"Job '{job_id}' can't be retried: its document has a newer revision, a newer job, or was deleted. "
            "Upload the document again."
        )


class EmptyFile(InvalidRequest):
    """There is nothing in the upload."""

    code = "empty_file"

    def __init__(self, param: str = "file") -> None:
        super().__init__("The document is empty. Send one that has content.", param=param)


class UrlRefused(InvalidRequest):
    """Documents are not fetched from there.

    The message says what is wrong with the URL as it is written. Of its host it says one thing alone, also where there
    is no such host: else callers could find out which names resolve inside. The log has the rule.
    """

    code = "url_refused"

    def __init__(self, refused: AddressRefused | None, *, redirected: bool = False) -> None:
        """`refused` null: its host can't be found."""
        where = "This URL leads by a redirect to one that" if redirected else "This URL"
        of_the_text = refused is not None and refused.rule in OF_THE_TEXT
        why = refused.why if refused is not None and of_the_text else "its host is not on the public internet"
        rule = f" (rule: {refused.rule})" if refused is not None and of_the_text else ""
        super().__init__(
            f"{where} is not fetched: {why}{rule}. Give a public URL, upload the file "
            "instead, or let the operator allow the host (INGEST_URL_ALLOWED_HOSTS).",
            param="url",
        )
        self.rule = "not_found" if refused is None else refused.rule
        """For the log alone."""


class FetchFailed(InvalidRequest):
    """The far server has no such document for us: a matter of the URL."""

    code = "fetch_failed"

    def __init__(self, why: str) -> None:
        super().__init__(f"The URL can't be fetched: {why}. Check it, or upload the file instead.", param="url")


class FarServerFailed(UpstreamFailed):
    """The far server can't be reached or answers what can't be used: a matter of that server."""

    code = "fetch_failed"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The URL can't be fetched now: {why}. Try again later, or upload the file instead.", param="url"
        )


class FetchTimeout(UpstreamTimeout):
    """The far server took too long."""

    code = "fetch_timeout"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The document was not fetched within {seconds:.0f} seconds. Try again later, or upload the file instead.",
            param="url",
        )


class DocumentDiffers(Conflict):
    """Restoring never overwrites."""

    code = "document_differs"

    def __init__(self, document_id: str) -> None:
        super().__init__(
            f"The collection has a document '{document_id}' with other bytes. Delete it first, or restore into another "
            "collection."
        )


class DocumentChanging(Conflict):
    """A document changed each time that it was read."""

    code = "document_changing"

    def __init__(self, document_id: str) -> None:
        super().__init__(f"The document '{document_id}' is being changed. Try again in a few seconds.", retry_after=2)


class FetchTooLarge(PayloadTooLarge):
    """What is behind the URL is larger than an upload may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The document behind the URL is larger than {limit:,} bytes. Split it, and upload the parts.", param="url"
        )


class FetchesBusy(QueueFull):
    """As many URLs are being fetched as may be at once."""

    code = "fetches_busy"

    def __init__(self) -> None:
        super().__init__(
            "Too many URLs are being fetched now. Try again shortly, or give several at once to documents:batch.",
            param="url",
            retry_after=3,
        )


class UnsupportedDocument(UnsupportedMediaType):
    """Not a document type that can be read."""

    def __init__(self, why: str, supported: Iterable[str]) -> None:
        super().__init__(f"{why} Supported are {', '.join(supported)}.", param="file")


class GrantMissing(InvalidRequest):
    """A call that creates a job came without the right to finish it later."""

    code = "grant_missing"

    def __init__(self) -> None:
        super().__init__("This call needs the Groundwork-Grant header, which the gateway adds. Call the gateway.")


class InvalidField(Unprocessable):
    """A form field does not match the schema."""

    def __init__(self, param: str, why: str) -> None:
        super().__init__(f"{param}: {why}", param=param)


class UnsupportedBody(UnsupportedMediaType):
    """The upload is neither multipart nor JSON."""

    def __init__(self) -> None:
        super().__init__(
            "Send multipart/form-data with a part named 'file', or application/json with 'text' or 'url'. "
            "For example: curl -F file=@handbook.pdf"
        )


class BlobBusy(NotReady):
    """Another process does not let go of these bytes."""

    code = "blob_busy"

    def __init__(self) -> None:
        super().__init__("The blob store is busy with these bytes. Try again in a few seconds.", retry_after=3)


class BlobStoreAway(NotReady):
    """The store of originals and texts can't be used now: it is away, or not as the settings say."""

    code = "blob_store_unreachable"

    def __init__(self, why: str, *, settled: bool = True) -> None:
        """`settled`: the call is over, or was never begun, so that it can't change anything later."""
        self.settled = settled
        super().__init__(f"The blob store {why}. What was accepted is safe; try again shortly.", retry_after=5)


class BlobMissing(Internal):
    """Bytes that a document names are not in the blob store."""

    code = "blob_missing"

    def __init__(self) -> None:
        super().__init__("The bytes of this document are missing from the blob store. Restore it or upload again.")


class BackupCantBegin(NotReady):
    """Jobs could not be held still for the moment in which a backup begins."""

    code = "backup_cant_begin"

    def __init__(self) -> None:
        super().__init__("The database is too busy for a backup to begin. Try again.", retry_after=5)


class TenantDeleting(Conflict):
    """The tenant is being deleted."""

    code = "tenant_deleting"

    def __init__(self) -> None:
        super().__init__("This tenant is being deleted. Nothing of it is taken in any more.")
