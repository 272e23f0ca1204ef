from __future__ import annotations

from contracts.operations import documents
from contracts.operations.documents import (
    CREATE_DOCUMENT,
    GET_DOCUMENT_CONTENT,
    GET_DOCUMENT_TEXT,
    RESTORE_DOCUMENT,
    SEARCH_COLLECTION,
    SUMMARISE_DOCUMENT,
)
from contracts.operations.operation import Operation

ALL = [value for value in vars(documents).values() if isinstance(value, Operation)]


def test_what_is_embedded_later_is_not_begun_without_a_grant_and_a_budget() -> None:
    for operation in ALL:
        assert operation.grant or not operation.spends, operation.id
    spending = {operation.path.removeprefix("/v1/collections/{name}") for operation in ALL if operation.spends}
    assert spending == {"/documents", "/documents:batch", "/documents:restore", "/reindex"}


def test_taking_away_costs_nothing_and_is_never_held_up_by_a_budget() -> None:
    assert not [operation.id for operation in ALL if operation.method == "DELETE" and operation.spends]


def test_who_searches_reads_documents_and_changes_none() -> None:
    for operation in ALL:
        if "search" in operation.scopes and operation not in (SEARCH_COLLECTION, SUMMARISE_DOCUMENT):
            assert operation.method == "GET", operation.id
    assert SEARCH_COLLECTION.scopes == ("search",)


def test_an_earlier_revision_can_be_read_wherever_spans_count() -> None:
    for operation in (GET_DOCUMENT_TEXT, GET_DOCUMENT_CONTENT):
        assert [query.name for query in operation.queries] == ["revision"]
    assert (GET_DOCUMENT_TEXT.gives, GET_DOCUMENT_CONTENT.gives) == ("text", "bytes")


def test_an_upload_says_whether_it_was_new_and_a_restore_makes_earlier_answers_void() -> None:
    assert (CREATE_DOCUMENT.status, CREATE_DOCUMENT.other_statuses) == (202, (200,))
    assert [operation.id for operation in ALL if operation.ends_epoch] == [RESTORE_DOCUMENT.id]


def test_lists_are_read_in_pages() -> None:
    lists = [operation for operation in ALL if operation.reply.__name__.startswith("Page[")]
    assert lists
    for operation in lists:
        assert {"limit", "cursor"} <= {query.name for query in operation.queries}, operation.id
