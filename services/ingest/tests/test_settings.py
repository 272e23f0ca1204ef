from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from ingest.settings import IngestSettings

SECRET = "do-not-show"  # of no server
MIB = 1024 * 1024


def test_bytes_lie_in_the_data_folder_unless_a_place_is_named(tmp_path: Path) -> None:
    assert IngestSettings(data_dir=tmp_path).blobs_folder() == tmp_path / "blobs"
    assert IngestSettings(blobs_url="file:///srv/the%20blobs").blobs_folder() == Path("/srv/the blobs")
    assert IngestSettings(blobs_url="s3://bucket/a/b").blobs_folder() is None


def test_a_bucket_is_reached_as_the_settings_say_and_its_secret_is_never_shown() -> None:
    settings = IngestSettings(
        blobs_url="s3://bucket/a/b",
        s3_endpoint="https://minio.intra:9000",
        s3_region="eu",
        s3_access_key_id="id",
        s3_secret_access_key=SECRET,
        s3_seconds=3,
    )
    place = settings.s3_place()
    assert (place.bucket, place.prefix, place.endpoint, place.region) == (
        "bucket",
        "a/b",
        "https://minio.intra:9000",
        "eu",
    )
    assert place.seconds == 3
    assert place.secret_access_key is not None
    assert place.secret_access_key.get_secret_value() == SECRET
    assert SECRET not in repr(settings) + repr(place)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"blobs_url": "https://bucket"}, "give file:///path"),
        ({"blobs_url": "s3://B"}, "a bucket's name"),
        ({"blobs_url": "file://host/x"}, "three slashes"),
        ({"s3_endpoint": "minio:9000"}, "give http://host:port"),
        ({"s3_endpoint": "https://user:pass@minio"}, "without credentials"),
        ({"s3_endpoint": "https://minio/?x=1"}, "give http://host:port"),
        ({"s3_access_key_id": "id"}, "together or not at all"),
        ({"s3_secret_access_key": SECRET}, "together or not at all"),
        (
            {"parse_total_bytes": 128 * MIB, "parse_memory_bytes": 256 * MIB},
            "INGEST_PARSE_TOTAL_BYTES must be at least",
        ),
        ({"url_ports": "80,http"}, "'http' is not a port"),
        ({"url_allowed_hosts": "wiki/x"}, "not a host"),
        ({"url_allowed_networks": "10.0.0.1/8"}, "has host bits set"),
        ({"url_seconds": 51}, "less than or equal to 50"),
        ({"worker_slots": 0}, "greater than or equal to 1"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_start_in_words_and_without_secrets(
    given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError, match=says) as refused:
        IngestSettings(**given)
    assert SECRET not in str(refused.value.errors(include_input=False))


def test_s3_needs_its_extra_and_a_folder_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.settings.find_spec", lambda _: None)
    assert IngestSettings(blobs_url="file:///srv/blobs").blobs_folder() == Path("/srv/blobs")
    with pytest.raises(ValidationError, match=r"needs the extra `s3`: .*boto3"):
        IngestSettings(blobs_url="s3://bucket")


def test_the_environment_says_what_may_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INGEST_URL_ALLOWED_HOSTS", "wiki.intra:9000")
    policy = IngestSettings().address_policy()
    assert str(policy.target("http://wiki.intra:9000/page")) == "http://wiki.intra:9000/page"
    assert policy.ports == {80, 443, 8080, 8443}
