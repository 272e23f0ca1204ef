from __future__ import annotations

from pathlib import Path

import pytest

from ingest.blobs.s3_location import S3Place, folder_of


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://my-bucket", "my-bucket", ""),
        ("s3://my.bucket/", "my.bucket", ""),
        ("s3://abc/groundwork", "abc", "groundwork"),
        ("s3://abc/team/Blobs_1.x/", "abc", "team/Blobs_1.x"),
    ],
)
def test_a_place_is_a_bucket_and_a_prefix_without_slashes_at_its_ends(url: str, bucket: str, prefix: str) -> None:
    place = S3Place.of(url)
    assert (place.bucket, place.prefix) == (bucket, prefix)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "give file:///path"),
        ("S3X://bucket", "give file:///path"),
        ("s3://bucket?region=eu", "give file:///path"),
        ("s3://bucket/x#y", "give file:///path"),
        ("s3://ab", "3 to 63"),
        ("s3://" + "a" * 64, "3 to 63"),
        ("s3://Bucket", "3 to 63"),
        ("s3://-bucket", "3 to 63"),
        ("s3://key:secret@bucket", "credentials are settings of their own"),
        ("s3://bucket/a//b", "single slashes"),
        ("s3://bucket/ü", "single slashes"),
        ("s3://bucket/a b", "single slashes"),
    ],
)
def test_what_names_no_place_is_refused_with_what_would(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        S3Place.of(url)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:///srv/blobs", Path("/srv/blobs")),
        ("file://localhost/srv/blobs", Path("/srv/blobs")),
        ("file:///srv/the%20blobs", Path("/srv/the blobs")),
        ("file:/srv/blobs", Path("/srv/blobs")),
        ("s3://bucket", None),
        ("", None),
    ],
)
def test_a_file_url_names_a_folder_and_no_other_does(url: str, folder: Path | None) -> None:
    assert folder_of(url) == folder


@pytest.mark.parametrize("url", ["file://srv/blobs", "file:srv", "file:///srv?x", "file:///srv#x"])
def test_a_file_url_that_leads_elsewhere_or_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="three slashes and a whole path"):
        folder_of(url)
