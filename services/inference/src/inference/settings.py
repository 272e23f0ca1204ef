"""Settings of inference, read from `INFERENCE_*` in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import ServiceSettings


class InferenceSettings(ServiceSettings):
    """What can be set."""

    model_config = SettingsConfigDict(env_prefix="INFERENCE_")

    port: int = 8103
    """Port to listen on."""
    models_file: Path = Path("deploy/config/models.yaml")
    """YAML file that declares the models."""
    models_dir: Path | None = None
    """Folder of downloaded models. Empty means `models` in the Python environment."""
    precision: Literal["auto", "bfloat16", "float32"] = "auto"
    """What in-process models compute in. `auto` takes bfloat16 where the processor has it, else float32."""
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Cores that one in-process operation may use, and llama.cpp unless its model says otherwise."""
    chat_waiting: Annotated[int, Field(ge=0, le=10_000)] = 8
    """Chat calls that may wait for a model that runs here, by llama.cpp; more get 429."""
    batch_tokens: Annotated[int, Field(ge=64)] = 2048
    """The most tokens embedded at once."""
    batch_seconds: Annotated[float, Field(gt=0, le=10)] = 0.5
    """How long one batch of embeddings should take; it has fewer tokens where the machine is slow, since one that is
    under way is not stopped. Queries don't wait for batches of bulk."""
    waiting_tokens: Annotated[int, Field(ge=1024)] = 400_000
    """Tokens that may wait to be embedded, for each priority; more get 429."""
    chat_waiting_tokens: Annotated[int, Field(ge=1)] = 200_000
    """Tokens of chat calls, prompts and answers, that may wait for one model; more get 429."""
    upstream_at_once: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Calls that one upstream model answers at once; more wait here."""
    upstream_waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    """Calls that may wait here for one upstream model; more get 429."""
    engine_waiting: Annotated[int, Field(ge=1, le=10_000)] = 32
    """Calls that may wait inside a vLLM whose `metrics_url` is declared, or inside llama.cpp; while as many do, more
    get 429."""
    allow_downloads: bool = False
    """Whether models that name a Hugging Face id may be downloaded. Otherwise nothing is fetched at run time."""
    hub_url: str = ""
    """Where Hugging Face ids are downloaded from, for a mirror. Empty means Hugging Face."""
    upstream_seconds: Annotated[float, Field(gt=0)] = 120.0
    """How long an upstream server may be silent before its call fails."""
    reader_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long a caller may leave a streamed answer unread before its call is ended and its slot given to another."""
    probe_seconds: Annotated[float, Field(gt=0)] = 20.0
    """How long an answer proves that a model lives. Then it is asked for one token, or one vector, again."""
    paid_probe_seconds: Annotated[float, Field(gt=0)] = 600.0
    """The same for a model that has a price and a server behind https, whose provider charges for each question. A call
    that fails has it asked at the next probe."""
    stalled_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long a busy model may go without any progress before it counts as stalled."""


def secret_named(name: str) -> SecretStr | None:
    """The secret in the environment variable that a model's `api_key_env` names; None when unset or empty."""
    value = os.environ.get(name)  # noqa: TID251  # the models file names the variable; this is still settings
    return SecretStr(value) if value else None
