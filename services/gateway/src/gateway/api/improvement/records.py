"""Records of answers: those of the key's own tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, Query, Request

from contracts.access.records import AnswerRecord, RecordsDeleted, RecordSummary
from contracts.core.base import Moment, Name
from contracts.core.pages import Page
from contracts.operations import records as operations
from gateway.api.administration import Cursor, Limit
from gateway.api.openapi_parts import ERRORS, serve
from gateway.auth.keys import Principal
from gateway.dependencies import Deps, Key
from gateway.records.repository import Reader, RecordFilter
from gateway.storage.audit_log import Actor
from servicekit.web.router import Router

router = Router(responses=ERRORS)


async def reader_of(key: Key) -> Principal:
    """A key that may read records; asked before anything else is wrong."""
    key.require(*operations.READERS)
    return key


async def writer_of(key: Key) -> Principal:
    """A key that may delete them."""
    key.require(*operations.WRITERS)
    return key


ReaderKey = Annotated[Principal, Depends(reader_of)]
WriterKey = Annotated[Principal, Depends(writer_of)]
User = Annotated[str, Query(max_length=512, description="OpenAI's `user`, exactly.")]


@serve(router, operations.LIST_RECORDS)
async def list_records(
    deps: Deps,
    key: ReaderKey,
    limit: Limit = 50,
    cursor: Cursor = None,
    start: Annotated[Moment | None, Query(alias="from", description="Inclusive.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Exclusive.")] = None,
    collection: Annotated[Name | None, Query(description="Answers from this collection.")] = None,
    model: Annotated[
        str | None, Query(max_length=200, description="As it was asked for, or the model that worded the answer.")
    ] = None,
    user: User | None = None,
    rating: Annotated[Literal["up", "down", "none"] | None, Query(description="From feedback.")] = None,
    abstained: Annotated[bool | None, Query(description="Whether the documents had no answer.")] = None,
    error: Annotated[bool | None, Query(description="Whether the call ended with an error.")] = None,
    q: Annotated[
        str | None,
        Query(max_length=200, description="Words of question or answer, in one piece; case is ignored."),
    ] = None,
) -> Page[RecordSummary]:
    """Answers of the own tenant that were recorded, the newest first; of a key that is limited to some models or
    collections, its own. With `q` a page may be short, or empty, and yet have a `next_cursor`."""
    wanted = RecordFilter(_utc(start), _utc(end), collection, model, user, rating, abstained, error, q)
    return await deps.records.list_records(_reader(key), wanted, limit, cursor)


@serve(router, operations.GET_RECORD)
async def get_record(id: str, deps: Deps, key: ReaderKey) -> AnswerRecord:  # noqa: A002  # as the path has it
    """One answer, by its id, with all that is known of it."""
    return await deps.records.get_record(_reader(key), id)


@serve(router, operations.DELETE_RECORD)
async def delete_record(id: str, request: Request, deps: Deps, key: WriterKey) -> None:  # noqa: A002
    """Remove one record for ever."""
    await deps.records.delete_record(_reader(key), id, _actor(key, request))


@serve(router, operations.DELETE_RECORDS)
async def delete_records(request: Request, deps: Deps, key: WriterKey, user: User) -> RecordsDeleted:
    """Remove all records of one user for ever."""
    return RecordsDeleted(deleted=await deps.records.delete_records_of_user(_reader(key), user, _actor(key, request)))


def _reader(key: Principal) -> Reader:
    return Reader(key.tenant, key.key_id if key.is_limited else None)


def _actor(key: Principal, request: Request) -> Actor:
    return Actor(key.key_id, request.state.request_id)


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
