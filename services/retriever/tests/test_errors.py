from __future__ import annotations

from inspect import getmembers, isclass
from pathlib import Path

import pytest

from retriever import errors
from servicekit.core.errors import Internal, ServiceError


@pytest.mark.parametrize(
    ("error", "status", "code", "param", "says"),
    [
        (errors.CollectionNotFound("c"), 404, "collection_not_found", "collection", "GET /v1/collections"),
        (errors.CollectionExists("c"), 409, "collection_exists", "name", "choose another name"),
        (errors.CollectionNotAllowed("c"), 403, "collection_not_allowed", "collection", "a key that may"),
        (errors.LayoutGone(1, 2), 409, "layout_gone", "layout", "cut for layout 1, but the collection"),
        (errors.NothingToChange("c"), 400, "nothing_to_change", None, "embedding_model, chunking, language or vectors"),
        (errors.ShadowGone(3), 409, "shadow_gone", None, "Generation 3"),
        (errors.GenerationNotFound("c", 3), 404, "generation_not_found", "generation", "Leave `generation` out"),
        (errors.GenerationOfSeveral(), 400, "generation_of_several", "generation", "that collection alone"),
        (errors.DocumentNotFound("d"), 404, "document_not_found", "document_id", "'d'"),
        (errors.StaleRevision("d", 2, 5), 409, "stale_revision", "revision", "up to 5 are committed"),
        (errors.ChunksMissing("d", 2, 9, 7), 409, "chunks_missing", "chunks", "should have 9 chunks"),
        (errors.LanguageUnknown("xx", ["de", "en"]), 400, "language_unknown", "language", "one of: de, en"),
        (errors.EmbeddingMismatch("m", 384, 768), 400, "embedding_mismatch", "embedding_model", "length 768"),
        (errors.MetadataUnusable("it is deep"), 400, "metadata_unusable", "document.metadata", "it is deep"),
        (errors.FilterUnusable("a\\b"), 400, "filter_unusable", "filter", "Use `match`"),
        (errors.GenerationMissing(), 500, "vectors_missing", None, "Restore them from a backup"),
        (errors.VectorStoreLocked(Path("/v"), "retriever:7"), 503, "vector_store_locked", None, "(retriever:7)"),
        (errors.VectorStoreUnavailable(), 503, "vector_store_unavailable", None, "Try again"),
        (errors.BackupOvertaken(), 409, "backup_overtaken", None, "Begin the backup again"),
    ],
)
def test_an_error_has_its_status_its_code_and_says_what_to_do(
    error: ServiceError, status: int, code: str, param: str | None, says: str
) -> None:
    assert (error.http_status, error.code, error.param) == (status, code, param)
    assert says in error.message


def test_no_two_facts_have_one_code_and_few_are_ours_to_mend() -> None:
    found = [each for _, each in getmembers(errors, isclass) if each.__module__ == errors.__name__]
    ours = [each for each in found if issubclass(each, ServiceError)]
    assert ours == found
    codes = [each.code for each in ours]
    assert len(codes) == len(set(codes))
    assert {each.__name__ for each in ours if issubclass(each, Internal)} == {"GenerationMissing", "VectorEngineFailed"}


def test_who_names_an_unknown_model_is_told_which_there_are_also_where_there_is_none() -> None:
    assert "Known here: 'a', 'b'." in errors.EmbeddingModelUnknown("c", ["a", "b"]).message
    assert "Known here: none." in errors.EmbeddingModelUnknown("c", []).message


def test_an_owner_that_did_not_say_who_it_is_is_unknown() -> None:
    assert "(unknown)" in errors.VectorStoreLocked(Path("/v"), "").message
