"""Tuning: jobs in OpenAI's words (`/v1/fine_tuning/jobs`), that learn from a version of a question set."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from contracts.core.base import Count, Line, Name, Reply, Request
from contracts.models.catalog import ModelKind
from contracts.models.tuning import Suffix

MOST_METADATA = 16
FineTuningStatus = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
FINAL_FINE_TUNING_STATUSES: tuple[FineTuningStatus, ...] = ("succeeded", "failed", "cancelled")
Auto = Literal["auto"]
Schedule = Literal["cosine", "linear", "constant"]
TrainingSet = Annotated[str, StringConstraints(pattern=r"^set:[a-z0-9][a-z0-9_-]{0,62}(@[1-9][0-9]{0,8})?$")]
"""`set:NAME@VERSION`, or `set:NAME` for its newest version."""


class SupervisedHyperparameters(Request):
    """OpenAI's three, and ours. `auto` means a value that suits most data."""

    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"
    batch_size: Auto | Annotated[int, Field(ge=1, le=64)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=100)] = "auto"
    rank: Annotated[int, Field(ge=1, le=64)] = 8
    """Of the matrices that are learnt beside each projection of the model."""
    schedule: Schedule = "cosine"
    """What becomes of the learning rate."""
    max_tokens: Annotated[int, Field(ge=32, le=2048)] = 512
    """Of an example, question and answer together. Longer ones are left out, and counted."""


class SupervisedMethod(Request):
    """Learning to give the answers that a question set has."""

    hyperparameters: SupervisedHyperparameters = Field(default_factory=SupervisedHyperparameters)


class DpoHyperparameters(SupervisedHyperparameters):
    """OpenAI's four, and ours."""

    beta: Auto | Annotated[float, Field(gt=0, le=2)] = "auto"
    """How much it is held to the model that it began as: the more, the nearer it stays."""


class DpoMethod(Request):
    """Learning which of two answers people prefer (direct preference optimisation)."""

    hyperparameters: DpoHyperparameters = Field(default_factory=DpoHyperparameters)


class ClassificationHyperparameters(Request):
    """Of a head over frozen vectors."""

    l2: Auto | Annotated[float, Field(gt=0, le=1000)] = "auto"
    """How much the weights are held back. `auto` tries some, and takes the one that left-out examples fit best."""


class ClassificationMethod(Request):
    """Learning to give texts the labels of a question set's questions, on an embedding model."""

    hyperparameters: ClassificationHyperparameters = Field(default_factory=ClassificationHyperparameters)


class LoraHyperparameters(Request):
    """Of small matrices beside each layer of an encoder, for methods of which that is a form among others (`lora`)."""

    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"
    """This and all that no other form has are of `lora`."""
    batch_size: Auto | Annotated[int, Field(ge=1, le=64)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0, le=100)] = "auto"
    rank: Annotated[int, Field(ge=1, le=32)] = 8
    schedule: Schedule = "cosine"


class EmbeddingHyperparameters(LoraHyperparameters):
    """Of what moves the vectors of questions (`projection`), or how they are read (`lora`)."""

    form: Literal["projection", "lora"] = "projection"
    """What is learnt: a change of questions' vectors, in seconds, or small matrices beside each layer of the encoder
    (LoRA), with which questions are read by a copy of it."""
    l2: Auto | Annotated[float, Field(gt=0, le=1_000_000)] = "auto"
    """Of `projection`: how much it is held back: the more, the less questions are moved."""


class EmbeddingMethod(Request):
    """Learning to find what answers the questions of a set, on an embedding model whose passages stay as they are."""

    collection: Name | None = None
    """Whose documents answer them. Unsaid, the one that the questions were made from."""
    hyperparameters: EmbeddingHyperparameters = Field(default_factory=EmbeddingHyperparameters)


class ReadingHyperparameters(LoraHyperparameters):
    """Of what corrects a reading model's chances (`correction`), or also of how its encoder reads (`lora`)."""

    form: Literal["correction", "lora"] = "correction"
    """What is learnt: a correction of its chances, in seconds, or with one small matrices beside each layer of its
    encoder (LoRA), with which passages are read by a copy of it."""
    l2: Auto | Annotated[float, Field(gt=0, le=1_000_000)] = "auto"
    """Of `correction`: how much it is held back: the more, the nearer to the model's own chances."""


class ReadingMethod(Request):
    """Learning which passages answer the questions of a set, and which do not, on a reading model."""

    collection: Name | None = None
    """Whose documents are searched for each question. Unsaid, the one that the questions were made from."""
    hyperparameters: ReadingHyperparameters = Field(default_factory=ReadingHyperparameters)


class RerankMethod(ReadingMethod):
    """Learning to order what searches find, on a reading model; what is learnt is a rerank model."""


class TuningMethod(Request):
    """Which way to learn; its own settings are below its name."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=40)] = "supervised"
    supervised: SupervisedMethod = Field(default_factory=SupervisedMethod)
    dpo: DpoMethod = Field(default_factory=DpoMethod)
    classification: ClassificationMethod = Field(default_factory=ClassificationMethod)
    embedding: EmbeddingMethod = Field(default_factory=EmbeddingMethod)
    reading: ReadingMethod = Field(default_factory=ReadingMethod)
    rerank: RerankMethod = Field(default_factory=RerankMethod)


class TuningOptions(Request):
    """What OpenAI's API has no words for."""

    leaks: Literal["refuse", "skip"] = "refuse"
    """What becomes of a question that another question set asks, too, outside its split `train`: the job ends, or the
    question is left out."""
    sensitive: Literal["mask", "refuse", "keep"] = "mask"
    """What becomes of secrets and personal data in what would be learnt, as guardrails find them: each is written as
    its kind, such as `[email]`; the job ends; or they are learnt as they stand."""
    publish: bool = True
    """Whether what was learnt is served as a model of its own, where it passes the gates."""
    general_file: TrainingSet | None = None
    """Other questions than those of the training set, on which the tuned model must not be worse. Unsaid, of a chat
    model, a small set that comes with the lab."""


class FineTuningCreate(Request):
    """Body of `POST /v1/fine_tuning/jobs`."""

    model: Annotated[Line, StringConstraints(min_length=1, max_length=200)]
    training_file: TrainingSet
    """A question set: `set:support@3`."""
    validation_file: TrainingSet | None = None
    """Another one to be judged by. Unsaid, the training set's split `test`, or a tenth of its questions."""
    method: TuningMethod = Field(default_factory=TuningMethod)
    hyperparameters: SupervisedHyperparameters | None = None
    """Where OpenAI's older clients have those of `supervised`."""
    suffix: Suffix | None = None
    """What is learnt is served as `MODEL+SUFFIX`, of other tenants than `default` as `MODEL+TENANT.SUFFIX`; unsaid, the
    job's id is the suffix. A suffix that is used again stands for the newer one."""
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    metadata: Annotated[
        dict[Annotated[str, StringConstraints(max_length=64)], Annotated[Line, StringConstraints(max_length=512)]],
        Field(max_length=MOST_METADATA),
    ] = Field(default_factory=dict)
    integrations: Annotated[list[Any], Field(max_length=0)] | None = None
    """There are none: progress is in the job's events, and in Prometheus."""
    groundwork: TuningOptions = Field(default_factory=TuningOptions)


class FineTuningError(Reply):
    """Why a job failed, and what to do."""

    code: str
    message: str
    param: str | None = None


class DatasetCard(Reply):
    """What a job learns from, and what was left out of it."""

    training_set: str
    """`set:NAME@VERSION`, as it was when the job was made."""
    validation_set: str | None = None
    digest: str
    """Of the training set's version."""
    questions: Count
    train: Count
    held_out: Count
    unanswered: Count = 0
    """Left out: nothing says what would be right."""
    other_splits: Count = 0
    """Left out: they are neither in `train` nor in `test`."""
    leaked: Count = 0
    """Left out: another question set asks them, too."""
    masked: dict[str, Count] = Field(default_factory=dict)
    """Secrets and personal data that are not learnt, by kind: `card`, `email`, `openai_key`."""
    split_by: str
    """How what is held out was chosen."""


class NotPublished(Reply):
    """Why what was learnt is kept, and not served."""

    code: str
    message: str
    """With what to do."""


class TuningReport(Reply):
    """What came of a job, in figures and in words."""

    card: DatasetCard | None = None
    steps: Count = 0
    done: Count = 0
    """Steps that were made."""
    waiting_on: str | None = None
    verdict: Literal["better", "worse", "no difference"] | None = None
    """Of the tuned model against the one that it began as, over the questions that were held out."""
    words: str | None = None
    figures: dict[str, float] = Field(default_factory=dict)
    artifact: str | None = None
    """Its digest, `sha256:…`; `GET …/artifact` has its bytes."""
    artifact_bytes: Count = 0
    base: str | None = None
    """Digest of the weights that it belongs to."""
    kind: ModelKind = "chat"
    general: str | None = None
    """The verdict on the general set, in words; null where none was asked."""
    parity: str | None = None
    """How far the served model answers as the trainer would, in words; null for methods without such a check."""
    not_published: NotPublished | None = None
    """Null while the job is at work, and where `fine_tuned_model` is served."""


class FineTuningJob(Reply):
    """A job, as OpenAI's clients read it. Times are in Unix seconds."""

    id: str
    object: Literal["fine_tuning.job"] = "fine_tuning.job"
    created_at: Count
    finished_at: Count | None = None
    estimated_finish: Count | None = None
    status: FineTuningStatus
    model: str
    fine_tuned_model: str | None = None
    """What to ask for; null until it is published, and where the report's `not_published` says why it is not."""
    training_file: str
    validation_file: str | None = None
    result_files: list[str] = Field(default_factory=list)
    hyperparameters: dict[str, Any]
    method: dict[str, Any]
    trained_tokens: Count | None = None
    error: FineTuningError | None = None
    seed: Count
    suffix: str | None = None
    organization_id: str
    """The tenant."""
    metadata: dict[str, str] = Field(default_factory=dict)
    integrations: list[Any] = Field(default_factory=list)
    groundwork: TuningReport


class FineTuningEvent(Reply):
    """Something that happened, with the figures of a step in `data`."""

    id: str
    object: Literal["fine_tuning.job.event"] = "fine_tuning.job.event"
    created_at: Count
    level: Literal["info", "warn", "error"] = "info"
    message: str
    type: Literal["message", "metrics"] = "message"
    data: dict[str, Any] = Field(default_factory=dict)


class FineTuningCheckpoint(Reply):
    """The figures after an epoch. The state itself is not kept once the job has ended."""

    id: str
    object: Literal["fine_tuning.job.checkpoint"] = "fine_tuning.job.checkpoint"
    created_at: Count
    fine_tuning_job_id: str
    fine_tuned_model_checkpoint: str | None = None
    """Null: no state on the way is served."""
    step_number: Count
    metrics: dict[str, float]


class FineTuningJobs(Reply):
    """OpenAI's list: `after` the last id for more."""

    object: Literal["list"] = "list"
    data: list[FineTuningJob]
    has_more: bool = False


class FineTuningEvents(Reply):
    """Newest first."""

    object: Literal["list"] = "list"
    data: list[FineTuningEvent]
    has_more: bool = False


class FineTuningCheckpoints(Reply):
    """Newest first."""

    object: Literal["list"] = "list"
    data: list[FineTuningCheckpoint]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None
