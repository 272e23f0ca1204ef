"""The gateway's settings, all from the environment with the prefix `GATEWAY_`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import RedisSettings, ServiceSettings, SqlSettings

MIB = 1024 * 1024
SHORTEST_USAGE_DAYS = 32


class GatewaySettings(ServiceSettings, SqlSettings, RedisSettings):
    """Read once at start."""

    model_config = SettingsConfigDict(env_prefix="GATEWAY_", extra="ignore", use_attribute_docstrings=True)

    data_dir: Path = Path(".groundwork/data/gateway")
    """Folder for the SQLite ledger."""
    port: int = 8080
    """Port of the public API."""
    listen_fd: Annotated[int, Field(ge=3)] | None = None
    """Descriptor of a socket that listens for the public API, inherited from whoever starts the gateway (systemd: 3).
    It outlives a restart, during which callers wait and are not refused. `host` and `port` say nothing then."""
    tls_certificate_file: Path | None = None
    """PEM file of the public API's certificate with its chain, the server's own first. Empty: plain HTTP. A renewed
    file is used within seconds, without a restart."""
    tls_key_file: Path | None = None
    """PEM file of that certificate's private key, without a password."""
    trusted_proxies: str = "127.0.0.1,::1"
    """Addresses and networks of proxies in front of the gateway, comma-separated (`10.0.0.0/8`); `*` means any. They
    are believed what `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix` say of a caller; links of citations use it."""
    model_plane_host: str = "127.0.0.1"
    """Address of the model plane, which takes delegation tokens only. Never publish it."""
    model_plane_port: int = 8090
    """Port of the model plane."""
    metrics_host: str = "127.0.0.1"
    """Address of the metrics, which are never on the public port."""
    metrics_port: int = 9464
    """Port of the metrics."""
    metrics_tenants: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Most tenants that metrics name, and most sets of model, prompt and collection that those of feedback name; what
    comes when there are so many already counts as `other`."""

    ingest_url: str = "http://127.0.0.1:8101"
    """Where ingest answers."""
    retriever_url: str = "http://127.0.0.1:8102"
    """Where the retriever answers."""
    inference_url: str = "http://127.0.0.1:8103"
    """Where inference answers."""
    agent_url: str = "http://127.0.0.1:8104"
    """Where the agent service answers."""
    lab_url: str = "http://127.0.0.1:8105"
    """Where the lab answers. Without it there are no question sets and evaluations; a backup of everything and the
    deletion of a tenant wait for it."""

    delegation_private_key_file: Path = Path(".groundwork/keys/delegation.key")
    """PEM file of the key that signs delegation tokens; made at the first start. Replicas share it."""
    admin_key_file: Path = Path(".groundwork/keys/admin.key")
    """Where the first admin key is written, readable by its owner only. A key already in it is taken over."""
    admin_tenant: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = "default"
    """The tenant that the first admin key belongs to."""

    delegation_seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    """How long a token for an inner service is valid."""
    grant_days: Annotated[float, Field(gt=0, le=60)] = 7.0
    """How long a job may exchange its grant for fresh tokens."""
    key_cache_seconds: Annotated[float, Field(ge=0, le=1)] = 0.9
    """How long a key is cached; a revocation is effective on every replica after this time."""
    session_hours: Annotated[float, Field(gt=0, le=720)] = 12.0
    """How long a browser stays signed in; its session ends earlier with the key that began it."""
    sign_ins_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 60
    """Sign-ins (`POST /v1/session`) that one address may try within a minute, at one replica; more are refused with
    429. Behind a proxy on another machine, all callers have its address."""
    models_cache_seconds: Annotated[float, Field(ge=0, le=300)] = 5.0
    """How long the list of models and prices is cached."""

    limits_when_redis_is_away: Literal["allow", "refuse"] = "allow"
    """Whether calls pass unlimited, or are refused with 503, while Redis can't be reached."""
    limits_timeout_seconds: Annotated[float, Field(gt=0, le=5)] = 0.25
    """How long a limit check may take before Redis counts as away."""

    assumed_picture_tokens: Annotated[int, Field(ge=1)] = 2048
    """As how many tokens limits and budgets reckon a picture in a prompt before the upstream has told. Set it to what
    your dearest model reads of one: budgets hold as far as this is not too low."""
    assumed_answer_tokens: Annotated[int, Field(ge=1)] = 1024
    """Length of an answer that limits of tokens and budgets reckon with where a caller sets no `max_tokens`."""

    max_upload_bytes: Annotated[int, Field(ge=1)] = 100 * MIB
    """Largest document that can be uploaded."""
    max_archive_bytes: Annotated[int, Field(ge=1024)] = 2048 * MIB
    """Largest archive of one document that can be restored."""
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * MIB
    """Largest body of any other call."""
    max_bodies_bytes: Annotated[int, Field(ge=1024)] = 64 * MIB
    """Most bytes of large bodies (above 16 KiB) that open calls hold together, a tenant's at most half; more are
    refused with 429. Reckon with three times as much memory."""
    answer_timeout_seconds: Annotated[float, Field(gt=0)] = 300.0
    """Longest wait for the next piece of a model's answer or of an event stream."""
    call_timeout_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Longest wait for any other inner call."""
    first_piece_timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Longest wait for the first piece of a streamed answer that says something; then the next model is asked."""
    shadow_calls: Annotated[int, Field(ge=0, le=1000)] = 8
    """Calls that are asked of a route's shadow at once, by one replica; what is more is left out. 0 asks none."""
    attempts: Annotated[int, Field(ge=1, le=10)] = 2
    """How often one model is asked, with pauses, before a call fails or goes on to the next model of its route."""
    attempts_seconds: Annotated[float, Field(ge=0, le=300)] = 5.0
    """No further attempt of a call begins after this time; a longer `Retry-After` is passed on to the caller."""
    circuit_window_seconds: Annotated[float, Field(ge=1, le=600)] = 30.0
    """How far back a model's failures count for its circuit breaker."""
    circuit_requests: Annotated[int, Field(ge=1)] = 20
    """Fewest requests within the window, on all replicas, that can open a circuit."""
    circuit_failure_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of failed requests from which on a circuit opens."""
    circuit_open_seconds: Annotated[float, Field(ge=0.1, le=600)] = 5.0
    """How long a model whose circuit is open is left alone, before one call may try it."""
    cache_seconds: Annotated[float, Field(ge=0, le=30 * 86_400)] = 0.0
    """How long a chat answer may be given again to the very same request; 0 switches the cache off."""
    cache_entry_bytes: Annotated[int, Field(ge=1024)] = 256 * 1024
    """Largest answer that is kept."""
    cache_bytes: Annotated[int, Field(ge=1024)] = 64 * MIB
    """Most bytes of all answers that are kept in Redis."""
    mcp_origins: str = ""
    """Origins of web pages that may call `/mcp` alone, comma-separated: `https://tool.example.org`. Pages of an address
    without a name (`http://127.0.0.1:8080`) may always, if it is the gateway's own."""
    cors_origins: str = ""
    """Origins of web pages that may call `/v1` and `/mcp` (CORS), comma-separated: `https://chat.example.org`; `*`
    means any. Empty: none."""
    open_calls: Annotated[int, Field(ge=1)] = 2048
    """Most public calls of models, streams above all, that may be open at once; more are refused with 429."""
    event_streams_per_key: Annotated[int, Field(ge=1)] = 100
    """Most event streams of runs and jobs that one key may follow at once; each takes one of its `concurrency`, too."""
    usage_kept_days: Annotated[float, Field(ge=0)] = 400.0
    """How long usage rows are kept, at least 32 for budgets of a month; 0 keeps them for ever."""
    audit_kept_days: Annotated[float, Field(ge=0)] = 400.0
    """How long the audit log is kept; 0 keeps it for ever."""
    records_memory_bytes: Annotated[int, Field(ge=1024)] = 64 * MIB
    """Most memory of records that are made or wait to be written; calls beyond it leave none."""
    records_free_bytes: Annotated[int, Field(ge=0)] = 256 * MIB
    """Of the disk, that records leave free: below it answers go on without them. Of SQLite only; PostgreSQL's is not
    seen from here."""
    usage_queue_rows: Annotated[int, Field(ge=1)] = 10_000
    """Usage rows that may wait to be written; a full queue makes calls wait rather than lose a row."""

    @field_validator("tls_certificate_file", "tls_key_file", mode="before")
    @classmethod
    def _empty_is_none(cls, given: object) -> object:
        return given or None

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("GATEWAY_TLS_CERTIFICATE_FILE and GATEWAY_TLS_KEY_FILE are set together, or neither is")
        return self

    @field_validator("usage_kept_days")
    @classmethod
    def _budgets_stay_exact(cls, days: float) -> float:
        if 0 < days < SHORTEST_USAGE_DAYS:
            raise ValueError(f"must be 0 or at least {SHORTEST_USAGE_DAYS}: budgets of a month are made of usage rows")
        return days


def origins_in(setting: str) -> list[str]:
    """The origins that a setting names, with commas between them."""
    return [origin for word in setting.split(",") if (origin := word.strip().rstrip("/"))]
