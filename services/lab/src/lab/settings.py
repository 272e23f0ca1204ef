"""The lab's settings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.core.settings import ServiceSettings, SqlSettings


class LabSettings(ServiceSettings, SqlSettings):
    """Read once at start from the environment (`LAB_…`)."""

    model_config = SettingsConfigDict(env_prefix="LAB_", extra="ignore", use_attribute_docstrings=True)

    port: int = 8105
    """Port to listen on."""
    gateway_url: str = "http://127.0.0.1:8090"
    """Where the gateway's model plane listens: evaluations ask there, and for their right and what it cost."""
    evaluation_slots: Annotated[int, Field(ge=0, le=32)] = 2
    """Evaluations that this process works on at once; 0 leaves them to other replicas."""
    evaluation_calls: Annotated[int, Field(ge=1, le=64)] = 2
    """Questions of one evaluation that are under way at once. More are quicker, and slow other callers down."""
    evaluations_per_tenant: Annotated[int, Field(ge=1)] = 20
    """Most evaluations of one tenant that are queued or at work."""
    sweeps_slots: Annotated[int, Field(ge=0, le=32)] = 16
    """Sweeps that this process follows at once: each waits for one evaluation, which has its own slot. 0 leaves them to
    other replicas."""
    sweeps_per_tenant: Annotated[int, Field(ge=1)] = 5
    """Most sweeps of one tenant that are queued or at work."""
    sweeps_chunks: Annotated[int, Field(ge=1)] = 50_000
    """Most chunks of a collection for which a sweep builds indexes, to try chunk sizes or embedding models."""
    generation_slots: Annotated[int, Field(ge=0, le=32)] = 1
    """Runs that make questions which this process works on at once; 0 leaves them to other replicas."""
    generation_calls: Annotated[int, Field(ge=1, le=64)] = 2
    """Passages of one run that are asked about at once."""
    generations_per_tenant: Annotated[int, Field(ge=1)] = 100
    """Most runs that make questions which one tenant has, those that have ended too."""
    evaluation_lease_seconds: Annotated[float, Field(gt=0)] = 15.0
    """How long a claim of an evaluation lasts without a heartbeat; a dead process's are taken over after this."""
    evaluation_poll_seconds: Annotated[float, Field(gt=0)] = 2.0
    """How often evaluations are looked for without a wake-up."""
    answer_seconds: Annotated[float, Field(gt=0)] = 300.0
    """The longest wait for one answer."""
    drain_seconds: Annotated[float, Field(ge=0)] = 6.0
    """How long questions that are under way may take to end after SIGTERM; then they are asked again later."""
    inference_url: str = "http://127.0.0.1:8103"
    """Where inference answers: tuning learns on the weights that it serves."""
    tuning_slots: Annotated[int, Field(ge=0, le=8)] = 1
    """Tuning jobs that learn here at once, each in a process of its own; 0 leaves them to other replicas."""
    tuning_jobs_per_tenant: Annotated[int, Field(ge=1)] = 5
    """Most tuning jobs of one tenant that are queued or at work."""
    tuning_jobs_kept: Annotated[int, Field(ge=1)] = 200
    """Most tuning jobs that one tenant has, those that have ended too."""
    tuning_bytes_kept: Annotated[int, Field(ge=1)] = 2_000_000_000
    """Bytes of what one tenant's tuning jobs have learnt from which on no other job is started."""
    tuning_threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Cores that a tuning job uses, at a low priority (nice 10)."""
    tuning_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that learn a chat model's job together on this host, by torchrun, and share the cores."""
    tuning_device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where chat models learn: `cuda` is a GPU, in bfloat16, and a job fails as `device_not_there` where there is none;
    `auto` takes one that torch can use, else the processor."""
    tuning_tokens: Annotated[int, Field(ge=1)] = 3_000_000
    """Most tokens that one job reads to learn and to judge what it learnt, each as often as it is read."""
    tuning_silent_seconds: Annotated[float, Field(gt=0)] = 900.0
    """How long a tuning job's process may say nothing before it is ended and begun anew from its last checkpoint."""
    question_sets_per_tenant: Annotated[int, Field(ge=1)] = 500
    """Most question sets of one tenant."""
    questions_per_tenant: Annotated[int, Field(ge=1)] = 500_000
    """Most questions that are stored of one tenant. One that several versions of a set have counts once."""
