"""The agent service's settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import RedisSettings, ServiceSettings, SqlSettings
from servicekit.peers.address_policy import AddressPolicy


class AgentSettings(ServiceSettings, SqlSettings, RedisSettings):
    """Read once at start from the environment (`AGENT_…`)."""

    model_config = SettingsConfigDict(env_prefix="AGENT_", extra="ignore", use_attribute_docstrings=True)

    port: int = 8104
    """Port to listen on."""
    retriever_url: str = "http://127.0.0.1:8102"
    """Where the retriever listens."""
    gateway_url: str = "http://127.0.0.1:8090"
    """Where the gateway's model plane listens."""
    abstain_threshold: Annotated[float, Field(ge=0, le=1)] = 0.24
    """Abstain when the chance that the sources answer the question is judged lower than this. Higher abstains more."""
    reader_threshold: Annotated[float, Field(ge=0, le=1)] = 0.4
    """The same where a reading model gives the chance that the sources answer. The rules' chance counts a quarter
    beside it, by how far it is from the one at which they alone would abstain; not beside a judge's."""
    reader_support: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The chance from which a source supports a sentence where a reading model gives it; facts must agree, too."""
    reader_passages: Annotated[int, Field(ge=1, le=64)] = 6
    """How many pieces of the sources a reading model reads for one question, the most promising first. A large chat
    model as judge finds more in 12, of as many hits (`top_k`)."""
    reader_seconds: Annotated[float, Field(gt=0)] = 3.0
    """The longest that one answer waits for the reading model in all; after that it does without. A chat model that
    judges needs more, 20 or so."""
    deadline_seconds: Annotated[float, Field(gt=0)] = 60.0
    """The longest that one answer may take in all."""
    search_seconds: Annotated[float, Field(gt=0)] = 15.0
    """The longest wait for the retriever."""
    first_token_seconds: Annotated[float, Field(gt=0)] = 20.0
    """The longest wait for the model's first token; after that the answer is extractive."""
    rewrite_seconds: Annotated[float, Field(gt=0)] = 4.0
    """The longest that a model may take to rewrite a question, where the caller asks for that; after that it is
    searched for as it is."""
    draft_seconds: Annotated[float, Field(gt=0)] = 30.0
    """The longest that `strict` waits for a supported sentence; after that the answer is extractive."""
    context_tokens: Annotated[int, Field(ge=64)] = 6000
    """Room for sources in the prompt, in tokens (estimated from characters)."""
    answer_tokens: Annotated[int, Field(ge=16)] = 700
    """The most tokens that a model may answer with, unless the caller asks for fewer."""
    packaged_context_tokens: Annotated[int, Field(ge=64)] = 550
    """Room for sources in the prompt of the packaged model, which reads slowly on a CPU."""
    packaged_answer_tokens: Annotated[int, Field(ge=16)] = 96
    """The most tokens that the packaged model may answer with."""
    embedding_model: str = "default"
    """The embedding model that compares sentences."""
    neighbours: Annotated[int, Field(ge=0, le=3)] = 0
    """How many chunks before and after each found one are read with it."""
    compared_passages: Annotated[int, Field(ge=4, le=200)] = 48
    """How many sentences and table rows of the sources are embedded for one question."""
    keepalive_seconds: Annotated[float, Field(gt=0)] = 10.0
    """A stream that is silent for so long gets a comment line, so that nothing in between closes it."""

    public_url: Annotated[str, StringConstraints(pattern=r"^(https?://[^\s]+)?$")] = ""
    """Where callers reach the gateway: `https://docs.example`. A citation of a document that has no URL of its own
    links there. Empty: the address that the caller used."""

    definitions_dir: Path | None = None
    """Folder with one agent a YAML file, read at start; a file that has not changed since then changes nothing."""
    run_slots: Annotated[int, Field(ge=0, le=256)] = 16
    """Runs that this process works on at once; 0 leaves them to other replicas."""
    run_slots_per_tenant: Annotated[int, Field(ge=0, le=256)] = 0
    """Of these, how many one tenant's runs hold at most, so that long ones do not stop the others'; 0 means three
    quarters. With a single tenant, give it all of them."""
    run_seconds: Annotated[float, Field(gt=0, le=86_400)] = 3600.0
    """The longest that a run may be at work, whatever `limits.seconds` of its agent says."""
    run_lease_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How long a claim of a run lasts without a heartbeat; a dead process's runs are taken over after this."""
    run_poll_seconds: Annotated[float, Field(gt=0)] = 1.0
    """How often runs are looked for without a wake-up."""
    run_attempts: Annotated[int, Field(ge=1)] = 5
    """Tries of a run without any progress after which it is failed."""
    run_wait_seconds: Annotated[float, Field(gt=0)] = 600.0
    """How long a run may wait for a service that is down before it is failed."""
    run_answer_tokens: Annotated[int, Field(ge=16)] = 2000
    """The most tokens that a model may say in one step of a run; fewer where the models file says so of the model
    (`generation.max_tokens`)."""
    drain_seconds: Annotated[float, Field(ge=0)] = 6.0
    """How long steps that are under way may take to end after SIGTERM; then their runs go back to the queue."""
    events_kept_seconds: Annotated[float, Field(gt=0)] = 7 * 86_400.0
    """How long an ended run's events can be read."""
    threads_kept_days: Annotated[float, Field(ge=0)] = 0.0
    """How long a thread that nobody wrote to is kept, with its runs; 0 keeps threads until they are deleted."""
    tool_seconds: Annotated[float, Field(gt=0)] = 60.0
    """The longest that one tool call may take."""
    tool_result_chars: Annotated[int, Field(ge=500)] = 16_000
    """What a model reads of one tool's result; the rest is cut off."""
    http_ports: str = "80,443"
    """Ports that `http_get` and `http_post` may call."""
    http_allowed_hosts: str = ""
    """Hosts that these tools may call though their addresses are not public: `wiki.intra`, `wiki.intra:9000`. An agent
    must name a host, too, to call it."""
    http_allowed_networks: str = ""
    """Networks whose addresses count as public for these tools: `10.20.0.0/16`."""
    http_seconds: Annotated[float, Field(gt=0)] = 20.0
    """The longest that one call of these tools may take."""
    http_bytes: Annotated[int, Field(ge=1024)] = 1_000_000
    """The largest answer that these tools read."""
    protected_labels: str = "production"
    """Labels of prompts that only keys with the scope `prompts:release` may move: `production,live`."""
    mcp_file: Path | None = None
    """YAML file that names the MCP servers whose tools agents may use."""
    completion_seconds: Annotated[float, Field(gt=0)] = 280.0
    """How long an `agent:` completion waits for its run."""

    @model_validator(mode="after")
    def _addresses_make_sense(self) -> AgentSettings:
        self.http_policy()
        return self

    @property
    def tenant_slots(self) -> int:
        """How many runs of one tenant this process works on at once."""
        return max(1, self.run_slots_per_tenant or self.run_slots * 3 // 4)

    @property
    def protected(self) -> frozenset[str]:
        """The labels of prompts that need a scope of their own."""
        return frozenset(label.strip() for label in self.protected_labels.split(",") if label.strip())

    def http_policy(self) -> AddressPolicy:
        """What the HTTP tools may reach; raises `ValueError` for a word that makes no sense."""
        return AddressPolicy.of(self.http_ports, self.http_allowed_hosts, self.http_allowed_networks)
