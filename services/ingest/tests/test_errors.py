from __future__ import annotations

from inspect import getmembers, isclass

import pytest

from ingest import errors
from servicekit.core.errors import Internal, ServiceError
from servicekit.peers.address_policy import AddressRefused
from servicekit.peers.address_ranges import Rule


@pytest.mark.parametrize(
    ("error", "status", "code", "param", "says"),
    [
        (errors.CollectionNotFound("c"), 404, "collection_not_found", "collection", "POST /v1/collections makes one"),
        (errors.CollectionDeleting("c"), 409, "collection_deleting", None, "being deleted"),
        (errors.DocumentNotFound("c", "d"), 404, "document_not_found", "document_id", "/v1/collections/c/documents"),
        (errors.RevisionNotFound("d", 3), 404, "revision_not_found", "revision", "Leave revision out"),
        (errors.JobFinished("j", "ready"), 409, "job_finished", None, "already ready"),
        (errors.JobNotFailed("j", "queued"), 409, "job_not_failed", None, "is queued"),
        (errors.EmptyFile("documents.0.text"), 400, "empty_file", "documents.0.text", "has content"),
        (errors.FetchFailed("status 404"), 400, "fetch_failed", "url", "status 404"),
        (errors.FarServerFailed("broke off"), 502, "fetch_failed", "url", "Try again later"),
        (errors.FetchTimeout(45.0), 504, "fetch_timeout", "url", "within 45 seconds"),
        (errors.FetchTooLarge(104857600), 413, "too_large", "url", "104,857,600 bytes"),
        (errors.FetchesBusy(), 429, "fetches_busy", "url", "documents:batch"),
        (errors.UnsupportedDocument("No.", ["PDF", "HTML"]), 415, "unsupported_media_type", "file", "PDF, HTML"),
        (errors.GrantMissing(), 400, "grant_missing", None, "Groundwork-Grant"),
        (errors.InvalidField("title", "too long"), 422, "invalid_body", "title", "title: too long"),
        (errors.BlobStoreAway("is away"), 503, "blob_store_unreachable", None, "The blob store is away."),
        (errors.BlobMissing(), 500, "blob_missing", None, "upload again"),
        (errors.BackupCantBegin(), 503, "backup_cant_begin", None, "Try again"),
        (errors.TenantDeleting(), 409, "tenant_deleting", None, "being deleted"),
    ],
)
def test_an_error_has_its_status_its_code_and_says_what_to_do(
    error: ServiceError, status: int, code: str, param: str | None, says: str
) -> None:
    assert (error.http_status, error.code, error.param) == (status, code, param)
    assert says in error.message


def test_no_fact_but_one_s_own_is_internal() -> None:
    """A 500 is tried again by jobs and is a page at night: it is for what only an operator can mend."""
    ours = [each for _, each in getmembers(errors, isclass) if each.__module__ == errors.__name__]
    assert [each.__name__ for each in ours if issubclass(each, Internal)] == ["BlobMissing"]


@pytest.mark.parametrize("rule", sorted(errors.OF_THE_TEXT))
def test_what_is_wrong_with_a_url_as_it_is_written_is_named(rule: Rule) -> None:
    refused = errors.UrlRefused(AddressRefused(rule))
    assert f"(rule: {rule})" in refused.message
    assert (refused.http_status, refused.code, refused.param, refused.rule) == (400, "url_refused", "url", rule)


def test_nothing_is_told_of_a_host_that_may_not_be_reached_not_even_whether_it_is_there() -> None:
    inside: tuple[Rule, ...] = ("loopback", "private", "link_local", "metadata", "reserved")
    said = {errors.UrlRefused(AddressRefused(rule)).message for rule in inside}
    said.add(errors.UrlRefused(None).message)
    assert len(said) == 1
    assert [errors.UrlRefused(AddressRefused(rule)).rule for rule in inside] == list(inside), "the log is told"
    assert errors.UrlRefused(None).rule == "not_found"


def test_a_redirect_that_is_refused_is_told_as_one() -> None:
    refused = errors.UrlRefused(AddressRefused("scheme"), redirected=True)
    assert refused.message.startswith("This URL leads by a redirect to one that is not fetched: only http and https")


def test_what_may_go_better_soon_says_when_to_come_back() -> None:
    soon = [
        errors.CollectionDeleting("c"),
        errors.TextNotReady("d"),
        errors.DocumentChanging("d"),
        errors.FetchesBusy(),
        errors.BlobBusy(),
        errors.BlobStoreAway("is away"),
        errors.BackupCantBegin(),
    ]
    assert all(int(each.headers()["Retry-After"]) >= 1 for each in soon)
    assert errors.DocumentDiffers("d").headers() == {}
