"""Ingest's settings, for the API and the worker alike; prefix `INGEST_`."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from ingest.blobs.s3_location import INSTALL_S3, S3Place, folder_of
from servicekit.core.settings import RedisSettings, ServiceSettings, SqlSettings
from servicekit.peers.address_policy import AddressPolicy


class IngestSettings(ServiceSettings, SqlSettings, RedisSettings):
    """Read once at start."""

    model_config = SettingsConfigDict(env_prefix="INGEST_", extra="ignore", use_attribute_docstrings=True)

    port: int = 8101
    """Port of the API."""
    retriever_url: str = "http://127.0.0.1:8102"
    """Where chunks go and collections live."""
    inference_url: str = "http://127.0.0.1:8103"
    """Where tokenizer files come from."""
    gateway_url: str = "http://127.0.0.1:8090"
    """The gateway's model plane, which exchanges a job's grant for a fresh token."""

    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 128 * 1024 * 1024
    """Room on the disk of the data folder (or of INGEST_BLOBS_URL's) that is left alone: with less, uploads are refused
    and jobs wait. Twice what the retriever leaves alone, so that accepted documents can be indexed; 0: never."""
    max_upload_bytes: Annotated[int, Field(ge=1024)] = 100 * 1024 * 1024
    """Largest upload, its multipart frame included; a larger one gets 413 while it streams in."""
    max_archive_bytes: Annotated[int, Field(ge=1024)] = 2 * 1024 * 1024 * 1024
    """Largest archive of one document that can be restored, packed and unpacked."""
    kept_revisions: Annotated[int, Field(ge=1)] = 3
    """Committed revisions of a document whose bytes and text stay readable, the active one included."""
    jobs_kept_days: Annotated[float, Field(ge=0)] = 90.0
    """How long ended jobs can be looked up, failed ones retried; 0 keeps them for ever."""
    events_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """Longest a stream of job events stays open."""

    blobs_url: str = ""
    """Where originals and texts are kept: `file:///path` or `s3://bucket/prefix` (needs the extra `s3`). Empty: the
    folder `blobs` of the data folder. API and workers must have the same."""
    s3_endpoint: str = ""
    """The S3 server's URL, for instance `https://minio.intra:9000`. Empty: Amazon's for the region."""
    s3_region: str = "us-east-1"
    """The bucket's region; a server of one's own mostly takes any."""
    s3_access_key_id: SecretStr = SecretStr("")
    """Access key. With none the environment's own credentials are used (`AWS_…`, a role of the machine or pod)."""
    s3_secret_access_key: SecretStr = SecretStr("")
    """The secret that belongs to the access key."""
    s3_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Longest silence of S3 in a call; a call is tried three times."""

    url_allowed_hosts: str = ""
    """Hosts that documents may be fetched from though their addresses are not public: `wiki.intra`, or with a port that
    is not in INGEST_URL_PORTS, `wiki.intra:9000`; comma-separated. Empty: none, only the public internet."""
    url_allowed_networks: str = ""
    """Networks whose addresses count as public when a document is fetched: `10.20.0.0/16,fd00:1::/64`."""
    url_ports: str = "80,443,8080,8443"
    """Ports that documents may be fetched from."""
    url_seconds: Annotated[float, Field(gt=0, le=50)] = 45.0
    """Longest that fetching one document may take, redirects and all; a `documents:batch` has the same for all of its
    URLs. The gateway waits 60 seconds for an answer (GATEWAY_CALL_TIMEOUT_SECONDS)."""
    url_redirects: Annotated[int, Field(ge=0, le=20)] = 5
    """Redirects that are followed; each is checked like the first URL."""
    url_fetches: Annotated[int, Field(ge=1, le=256)] = 8
    """Documents fetched at once by one API process, half of them at most for one tenant; more get 429."""

    worker_port: int = 8111
    """Port of a worker's health and metrics."""
    worker_slots: Annotated[int, Field(ge=1, le=64)] = 6
    """Jobs that one worker runs at once, so that some are parsed and written down while others are embedded."""
    poll_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How often a worker looks into the queue without having been woken."""
    stuck_seconds: Annotated[float, Field(ge=10)] = 120.0
    """A worker that has not looked into the queue for so long ends itself, to be started anew."""
    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a claim lasts without a heartbeat; a dead worker's jobs are taken over after this."""
    max_attempts: Annotated[int, Field(ge=1)] = 5
    """Claims without any progress after which a job is failed."""
    max_wait_seconds: Annotated[float, Field(gt=0)] = 24 * 3600.0
    """How long a job may wait for a service that is down before it is failed."""
    tenant_deletion_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long a tenant's deletion waits for calls that were under way when its keys were revoked, before it goes
    through everything again and ends."""
    batch_chunks: Annotated[int, Field(ge=1, le=512)] = 32
    """Chunks sent to the retriever at once; progress is written after each batch."""
    batch_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Longest wait for the retriever to index one batch."""

    parse_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Longest that parsing one document may take; one that needs more memory than its share begins again."""
    cut_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Longest that cutting one document into chunks may take; a job that needs longer fails with `timeout`."""
    parse_memory_bytes: Annotated[int, Field(ge=128 * 1024 * 1024)] = 1536 * 1024 * 1024
    """Most memory (address space) of the child process that parses one document. Each begins with an equal share of
    INGEST_PARSE_TOTAL_BYTES, and gets so much if it needs it, when there is room."""
    parse_total_bytes: Annotated[int, Field(ge=128 * 1024 * 1024)] = 3 * 1024 * 1024 * 1024
    """Most memory of all parsing children of a worker together; documents wait for room."""
    restore_memory_bytes: Annotated[int, Field(ge=128 * 1024 * 1024)] = 512 * 1024 * 1024
    """Memory of the child process in which an API process takes archives apart, one at a time."""
    restore_seconds: Annotated[float, Field(gt=0)] = 25.0
    """Longest that taking one archive apart may take. Another waits for it as long; the gateway waits 60 seconds
    (GATEWAY_CALL_TIMEOUT_SECONDS)."""
    picture_memory_bytes: Annotated[int, Field(ge=128 * 1024 * 1024)] = 512 * 1024 * 1024
    """Memory of a child process that draws a page of a PDF; an API process has two at once, one for a tenant."""
    picture_seconds: Annotated[float, Field(gt=0, le=25)] = 20.0
    """Longest that fetching the file and drawing one page may take together, and that a call waits for its turn."""
    max_pages: Annotated[int, Field(ge=1)] = 5000
    """Most pages of one document."""
    max_text_chars: Annotated[int, Field(ge=1000)] = 50_000_000
    """Most characters of extracted text of one document."""

    @field_validator("blobs_url")
    @classmethod
    def _blobs_can_be_there(cls, url: str) -> str:
        if url and folder_of(url) is None:
            S3Place.of(url)
            if find_spec("boto3") is None:
                raise ValueError(f"s3:// needs the extra `s3`: {INSTALL_S3}")
        return url

    @field_validator("s3_endpoint")
    @classmethod
    def _endpoint_is_a_server(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query):
            raise ValueError("give http://host:port or https://host:port, without credentials")
        return url

    @model_validator(mode="after")
    def _keys_come_in_pairs(self) -> IngestSettings:
        if bool(self.s3_access_key_id.get_secret_value()) != bool(self.s3_secret_access_key.get_secret_value()):
            raise ValueError("INGEST_S3_ACCESS_KEY_ID and INGEST_S3_SECRET_ACCESS_KEY are given together or not at all")
        return self

    @model_validator(mode="after")
    def _one_document_fits(self) -> IngestSettings:
        if self.parse_total_bytes < self.parse_memory_bytes:
            raise ValueError("INGEST_PARSE_TOTAL_BYTES must be at least INGEST_PARSE_MEMORY_BYTES")
        return self

    @model_validator(mode="after")
    def _addresses_make_sense(self) -> IngestSettings:
        self.address_policy()
        return self

    def blobs_folder(self) -> Path | None:
        """The folder that bytes are kept in; null if they are on S3."""
        return folder_of(self.blobs_url) if self.blobs_url else self.data_dir / "blobs"

    def s3_place(self) -> S3Place:
        """The bucket that bytes are kept in, with what is needed to use it."""
        return replace(
            S3Place.of(self.blobs_url),
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            access_key_id=self.s3_access_key_id,
            secret_access_key=self.s3_secret_access_key,
            seconds=self.s3_seconds,
        )

    def address_policy(self) -> AddressPolicy:
        """What documents may be fetched from; raises `ValueError` for a word that makes no sense."""
        return AddressPolicy.of(self.url_ports, self.url_allowed_hosts, self.url_allowed_networks)
