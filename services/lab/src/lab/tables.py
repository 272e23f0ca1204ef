"""The lab's tables: question sets, their versions and questions; evaluations, what was answered in them, and sweeps;
runs that make questions from documents, and what they made; tuning jobs, what happened in them and what they learnt.

A question is stored once for all the versions in a row that have it: from `first_version` to `last_version`, which is
null while the newest one has it.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from contracts.improvement.tuning import FINAL_FINE_TUNING_STATUSES
from servicekit.jobs.events import EventLog, event_columns
from servicekit.jobs.tables import JobTable, job_columns, job_indexes
from servicekit.sql.database import UtcTime
from servicekit.web.idempotency import StoredAnswers, idempotency_table

metadata = MetaData()

QUESTION_SETS = Table(
    "question_sets",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("description", Text, nullable=False),
    Column("newest", Integer, nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("deleted_at", UtcTime),
)

VERSIONS = Table(
    "question_set_versions",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("counts", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

QUESTIONS = Table(
    "questions",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("name", String(63), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("first_version", Integer, nullable=False),
    Column("last_version", Integer),
    Column("question_id", String(200), nullable=False),
    Column("split", String(63)),
    Column("digest", String(64), nullable=False),
    Column("content", JSON, nullable=False),
    Index("questions_by_version", "tenant", "name", "last_version", "first_version"),
)

EVALUATIONS = Table(
    "evaluations",
    metadata,
    *job_columns(),
    Column("name", String(200), nullable=False),
    Column("question_set", String(63), nullable=False),
    Column("version", Integer, nullable=False),
    Column("split", String(63)),
    Column("target", JSON, nullable=False),
    Column("measures", JSON(none_as_null=True)),
    Column("judge", JSON(none_as_null=True)),
    Column("budget_nano_usd", BigInteger),
    Column("questions", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("figures", JSON, nullable=False),
    Column("spent", JSON),
    Column("trial_id", String(40)),
    Column("combination", Integer),
    Column("part", String(10)),
    *job_indexes("evaluations"),
    Index("evaluations_of_a_tenant", "tenant", "id"),
    Index("evaluations_of_a_trial", "trial_id", "combination", "part"),
)
"""`judge` has the rubric's text as it was when the evaluation was started, `spent` what the usage ledger had of it when
it was last asked. One that is a sweep's has its id, the number of the combination that it asks, and which part of the
questions."""
EVALUATION_JOBS = JobTable(EVALUATIONS)

SWEEPS = Table(
    "sweeps",
    metadata,
    *job_columns(),
    Column("collection", String(63), nullable=False),
    Column("question_set", String(63), nullable=False),
    Column("version", Integer, nullable=False),
    Column("choose_split", String(63)),
    Column("confirm_split", String(63)),
    Column("choose_questions", Integer, nullable=False),
    Column("confirm_questions", Integer, nullable=False),
    Column("measure", String(40), nullable=False),
    Column("answers", Boolean, nullable=False),
    Column("combinations", JSON, nullable=False),
    Column("budget_nano_usd", BigInteger),
    Column("result", JSON, nullable=False),
    Column("applied", JSON(none_as_null=True)),
    Column("indexes", JSON(none_as_null=True)),
    *job_indexes("sweeps"),
    Index("sweeps_of_a_tenant", "tenant", "id"),
)
"""`combinations`: the first is what served when it was started. `result` is empty until it has ended. `indexes`
(`lab.sweeps.indexes.Indexes`) is null where only searches are tried."""
TRIAL_JOBS = JobTable(SWEEPS)

ANSWERS = Table(
    "evaluation_answers",
    metadata,
    Column("evaluation_id", String(40), ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("question_id", String(200), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("question", Text, nullable=False),
    Column("answer", Text),
    Column("figures", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("answer_id", String(200)),
    Column("report", JSON, nullable=False),
    Column("tries", Integer, nullable=False),
)
"""One row a question, written with the progress of its evaluation: a question that has one is not asked again."""

UNJUDGED = Table(
    "evaluation_unjudged",
    metadata,
    Column("evaluation_id", String(40), ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("answered", JSON, nullable=False),
    Column("tries", Integer, nullable=False),
)
"""Answers that are paid for and wait for their verdict: with it, each becomes a row of `evaluation_answers`."""

GENERATIONS = Table(
    "question_generations",
    metadata,
    *job_columns(),
    Column("question_set", String(63), nullable=False),
    Column("collection", String(63), nullable=False),
    Column("wanted", JSON, nullable=False),
    Column("limited", Boolean, nullable=False),
    Column("budget_nano_usd", BigInteger),
    Column("passages", Integer),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("version", Integer),
    Column("spent", JSON(none_as_null=True)),
    *job_indexes("question_generations"),
    Index("question_generations_of_a_set", "tenant", "question_set", "id"),
)
"""`passages` is null until they are chosen; `limited`: whether the key sees only its own sets."""
GENERATION_JOBS = JobTable(GENERATIONS)

GENERATED = Table(
    "generated_questions",
    metadata,
    Column("generation_id", String(40), ForeignKey("question_generations.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String(20), nullable=False),
    Column("made_by", String(20), nullable=False),
    Column("answerable", Boolean, nullable=False),
    Column("reason", String(40)),
    Column("document_id", String(200), nullable=False),
    Column("content", JSON, nullable=False),
    Index("generated_questions_by_document", "document_id"),
)
"""A passage that is to be asked about (`planned`), and then what came of it: one row, written once."""

TUNING = Table(
    "tuning_jobs",
    metadata,
    *job_columns(),
    Column("method", String(40), nullable=False),
    Column("model", String(200), nullable=False),
    Column("suffix", String(63)),
    Column("training_set", String(63), nullable=False),
    Column("training_version", Integer, nullable=False),
    Column("validation_set", String(63)),
    Column("validation_version", Integer),
    Column("seed", Integer, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("limited", Boolean, nullable=False),
    Column("card", JSON(none_as_null=True)),
    Column("result", JSON(none_as_null=True)),
    Column("steps", Integer, nullable=False, server_default="0"),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("trained_tokens", BigInteger, nullable=False, server_default="0"),
    *job_indexes("tuning_jobs"),
    Index("tuning_jobs_of_a_tenant", "tenant", "id"),
)
"""`settings` are the method's, `labels` the caller's own words; `limited`: whether the key sees only its own sets."""

TUNING_EVENTS = Table("tuning_events", metadata, *event_columns("job_id", "tuning_jobs"))
TUNING_LOG = EventLog(TUNING_EVENTS, TUNING, FINAL_FINE_TUNING_STATUSES)
TUNING_JOBS = JobTable(TUNING, TUNING_LOG)

TUNING_CHECKPOINTS = Table(
    "tuning_checkpoints",
    metadata,
    Column("job_id", String(40), ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("figures", JSON, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

ARTIFACTS = Table(
    "tuning_artifacts",
    metadata,
    Column("job_id", String(40), ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("bytes", Integer, nullable=False),
)
"""What a job has learnt: one file."""

ARTIFACT_PIECES = Table(
    "tuning_artifact_pieces",
    metadata,
    Column("job_id", String(40), ForeignKey("tuning_jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)
"""The file's bytes: no reader, and no backup, has more than a few pieces in memory."""

TUNING_CHARGES = Table(
    "tuning_charges",
    metadata,
    Column("job_id", String(40), primary_key=True),
    Column("grant_token", Text, nullable=False),
    Column("model", String(200), nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("owed_at", UtcTime),
)
"""Of no job's row: a job that is deleted still owes them."""

IDEMPOTENCY = idempotency_table(metadata)
KEPT_ANSWERS = StoredAnswers(IDEMPOTENCY)
"""What was answered to calls with an `Idempotency-Key`."""
