"""The settings that every service has. Each service subclasses this with its own `env_prefix`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

SECRETS_DIR = Path("/run/groundwork")
"""Where a container finds its secrets, one file a setting, named like the environment variable in lower case."""

CAPTURE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURED = {"span_only": True, "span_and_event": True, "event_only": False, "no_content": False, "": False}
"""OpenTelemetry's words for where content goes; we have no events."""


class ServiceSettings(BaseSettings):
    """Read once at start from the environment; `os.environ` is read nowhere else."""

    model_config = SettingsConfigDict(extra="ignore", use_attribute_docstrings=True, populate_by_name=True)

    host: str = "127.0.0.1"
    """Address to listen on. Inner services stay on loopback unless a private network needs otherwise."""
    port: int = 0
    """Port to listen on."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log line that is written."""
    log_format: Literal["auto", "json", "console"] = "auto"
    """`auto` writes console lines to a terminal and JSON everywhere else."""
    shutdown_seconds: float = 20.0
    """How long running calls may take to finish after SIGTERM."""
    restart_seconds: Annotated[float, Field(ge=0, le=300)] = 15.0
    """How long calls to another service wait for it when it takes no connections but did before: it is being restarted.
    The gateway, the agent service and ingest's API wait; 0: none does."""
    data_dir: Path = Path(".groundwork/data")
    """Folder for what this service keeps on disk."""
    disk_reserve_bytes: Annotated[int, Field(ge=0)] = 64 * 1024 * 1024
    """Room on the disk of the data folder that is left alone: with less, `/readyz` says so, and what would fill it
    (uploads and chunks) is refused or waits; 0: never."""
    otlp_endpoint: str = ""
    """Collector that traces are sent to over OTLP/HTTP, e.g. `http://127.0.0.1:4318`. Empty: no spans are recorded."""
    otlp_headers: SecretStr = SecretStr("")
    """Headers that the collector wants, `name=value` pairs with commas between them."""
    trace_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the traces that begin here which are recorded. A trace that a caller began is the caller's decision."""
    captures_content: Annotated[bool, Field(validation_alias=CAPTURE_CONTENT)] = False
    """`true`, `span_only` or `span_and_event`: the gateway's spans hold what was asked and answered, as the key's
    guardrails leave it. OpenTelemetry's own variable; of the other services no span does."""
    max_json_values: Annotated[int, Field(ge=1000)] = 200_000
    """Most values (items of lists, fields of objects) that a JSON body may hold: in memory each takes some hundred
    bytes, however short it is written."""
    max_bodies_bytes: Annotated[int, Field(ge=1024)] = 128 * 1024 * 1024
    """Most bytes of large bodies (above 16 KiB) that open calls hold together; more are refused with 429. Reckon with
    three times as much memory."""
    delegation_public_key_file: Path = Path(".groundwork/keys/delegation.pub")
    """PEM file of the key that verifies delegation tokens; the gateway writes it at its first start."""

    @field_validator("captures_content", mode="before")
    @classmethod
    def _known_words(cls, value: object) -> object:
        return _CAPTURED.get(value.lower(), value) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Given values first, then the environment, then the secrets folder where there is one."""
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        if SECRETS_DIR.is_dir():
            sources += (SecretsSettingsSource(settings_cls, secrets_dir=SECRETS_DIR),)
        return sources


class SqlSettings(BaseSettings):
    """For services that keep a ledger or a catalog."""

    model_config = SettingsConfigDict(extra="ignore", use_attribute_docstrings=True)

    database_url: SecretStr | None = None
    """SQLAlchemy URL (`postgresql+asyncpg://…`). Empty means SQLite in the data folder."""


class RedisSettings(BaseSettings):
    """For services that use the Redis protocol."""

    model_config = SettingsConfigDict(extra="ignore", use_attribute_docstrings=True)

    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    """Redis or Valkey, with its password. Never the only copy of anything."""
