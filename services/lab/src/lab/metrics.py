"""Metrics of the lab, beside those that every service has.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_lab_question_sets_saved_total | outcome | saves of question sets: a `version`, `unchanged`, `refused` |
| groundwork_lab_evaluations_total | status | evaluations that ended, by status |
| groundwork_lab_questions_asked_total | outcome | questions of evaluations: `answered`, `failed` |
| groundwork_lab_sweeps_total | status | sweeps that ended, by status |
| groundwork_lab_generations_total | status | runs that made questions, by status at their end |
| groundwork_lab_questions_generated_total | outcome | passages that were asked about: `kept`, `dropped` |
| groundwork_lab_jobs_without_worker | kind | jobs that may run while none of their kind does; each replica has all |
| groundwork_lab_tuning_jobs_total | status | tuning jobs that ended, by status |
| groundwork_lab_tuned_tokens_total | | tokens that tuning jobs which succeeded have learnt from |
| groundwork_lab_tuning_charges_owed | | tuning jobs whose tokens are not charged yet; each replica has all |
| groundwork_lab_tuning_charge_oldest_seconds | | how long the oldest of them is owed |
| groundwork_lab_tuning_loss | method | the loss of the last step of any job |
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from servicekit.telemetry.metrics import begin_at_zero

SAVED = Counter("groundwork_lab_question_sets_saved_total", "Saves of question sets by outcome.", ("outcome",))

EVALUATIONS = Counter("groundwork_lab_evaluations_total", "Evaluations that ended, by status.", ("status",))
ASKED = Counter("groundwork_lab_questions_asked_total", "Questions of evaluations by outcome.", ("outcome",))
SWEEPS = Counter("groundwork_lab_sweeps_total", "Sweeps that ended, by status.", ("status",))
GENERATIONS = Counter("groundwork_lab_generations_total", "Runs that made questions, by status.", ("status",))
GENERATED = Counter("groundwork_lab_questions_generated_total", "Passages asked about, by outcome.", ("outcome",))
WITHOUT_WORKER = Gauge("groundwork_lab_jobs_without_worker", "Jobs that may run while none does.", ("kind",))
TUNING_ENDED = Counter("groundwork_lab_tuning_jobs_total", "Tuning jobs that ended, by status.", ("status",))
TUNED_TOKENS = Counter("groundwork_lab_tuned_tokens_total", "Tokens that tuning jobs have learnt from.")
CHARGES_OWED = Gauge("groundwork_lab_tuning_charges_owed", "Tuning jobs whose tokens are not charged yet.")
CHARGE_OLDEST = Gauge("groundwork_lab_tuning_charge_oldest_seconds", "How long the oldest of them is owed.")
TUNING_LOSS = Gauge("groundwork_lab_tuning_loss", "The loss of the last step of any tuning job.", ("method",))

begin_at_zero(SAVED, ("version", "unchanged", "refused"))
begin_at_zero(EVALUATIONS, ("completed", "failed", "cancelled", "limit_reached"))
begin_at_zero(SWEEPS, ("completed", "failed", "cancelled", "limit_reached"))
begin_at_zero(ASKED, ("answered", "failed"))
begin_at_zero(GENERATIONS, ("completed", "failed", "cancelled", "limit_reached"))
begin_at_zero(GENERATED, ("kept", "dropped"))
begin_at_zero(TUNING_ENDED, ("succeeded", "failed", "cancelled"))
