"""Settings of inference, read from `INFERENCE_*` in the environment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import ServiceSettings, SqlSettings
from servicekit.peers.address_policy import AddressPolicy


class InferenceSettings(ServiceSettings, SqlSettings):
    """What can be set."""

    model_config = SettingsConfigDict(env_prefix="INFERENCE_")

    port: int = 8103
    """Port to listen on."""
    data_dir: Path = Path(".groundwork/data/inference")
    """Folder of the SQLite database of models that were added, and of digests of models' files."""
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
    hub_dir: Path | None = None
    """Folder of what is downloaded from there. Empty means `hub` in INFERENCE_MODELS_DIR. Replicas share it, or each
    needs INFERENCE_ALLOW_DOWNLOADS."""
    pull_bytes: Annotated[int, Field(ge=0)] = 50_000_000_000
    """The most that an administrator may have fetched for one model (`POST /v1/models/pull`); 0: none may be."""
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
    """How long a busy model may go without any progress before it counts as stalled. A llama.cpp that is silent for so
    long and computes nothing is started again."""
    follow_seconds: Annotated[float, Field(gt=0, le=60)] = 2.0
    """How often it is looked whether another replica added or removed a model."""
    tuned_models_per_tenant: Annotated[int, Field(ge=0)] = 20
    """Most models of one tenant that its tuning jobs have published. A chat model that is asked is a process with its
    own memory, and sleeps when nobody asks it; what LoRA has learnt of an encoder has one of its own in this process,
    of which INFERENCE_LORA_ENCODERS_AT_ONCE are loaded; the others take next to none."""
    lora_encoders_at_once: Annotated[int, Field(ge=1, le=1000)] = 2
    """Encoders of embedding, reading and rerank models by LoRA that are loaded at once, of all tenants; each takes as
    much memory as that of the model that it was learnt on. For another one, one is let go that nobody has asked for 30
    seconds, else one of the tenant that has the most; its next question loads it again."""
    vllm_adapters_dir: Path | None = None
    """Folder of what tuning jobs have learnt for models on vLLM, which must see it under the same path: a volume that
    both mount. Nothing is deleted there but what inference wrote. Empty means `vllm-adapters` in INFERENCE_DATA_DIR,
    for a vLLM on the same host."""
    added_hosts: str = "localhost:11434,127.0.0.1:11434,localhost:8000,127.0.0.1:8000"
    """Hosts of servers, as `host` or `host:port`, that a model may name that is added while it runs, though their
    addresses are private: at first Ollama and vLLM on this machine. Public addresses may be named anyway."""
    added_networks: str = ""
    """Networks whose addresses such a model may name, for example `10.0.0.0/8`."""
    added_ports: str = "80,443"
    """Ports of public addresses that such a model may name."""
    added_keys: str = (
        "OPENAI_API_KEY=api.openai.com,ANTHROPIC_API_KEY=api.anthropic.com,"
        "GEMINI_API_KEY=generativelanguage.googleapis.com,COHERE_API_KEY=api.cohere.com,COHERE_API_KEY=api.cohere.ai,"
        "VLLM_API_KEY=localhost,VLLM_API_KEY=127.0.0.1"
    )
    """Variables with keys that such a model may name (`api_key_env`), each with a host that the key may be sent to, as
    `NAME=host` or `NAME=host:port`."""
    added_folders: str = ""
    """Folders, with commas between them, in which folders of weights and tokenizers of such models may lie, beside
    INFERENCE_MODELS_DIR. A GGUF file may lie anywhere."""

    @model_validator(mode="after")
    def _readable(self) -> InferenceSettings:
        self.added_policy()
        key_hosts(self.added_keys)
        return self

    def added_policy(self) -> AddressPolicy:
        """What an added model's server may be."""
        return AddressPolicy.of(self.added_ports, self.added_hosts, self.added_networks)


def key_hosts(text: str) -> dict[str, frozenset[str]]:
    """From the words of `added_keys`; raises `ValueError` for one that makes no sense."""
    hosts: dict[str, frozenset[str]] = {}
    for word in filter(None, (word.strip() for word in text.split(","))):
        name, separator, host = word.partition("=")
        if not (name.isidentifier() and separator and host):
            raise ValueError(f"'{word}' is not NAME=host or NAME=host:port")
        hosts[name] = hosts.get(name, frozenset()) | {host.lower()}
    return hosts


def secret_named(name: str) -> SecretStr | None:
    """The secret in the environment variable that a model's `api_key_env` names; None when unset or empty."""
    value = os.environ.get(name)  # noqa: TID251  # the models file names the variable; this is still settings
    return SecretStr(value) if value else None
