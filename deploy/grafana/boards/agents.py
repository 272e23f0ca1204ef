"""Answers: how many are grounded, what they had to do without, where their time goes."""

from __future__ import annotations

from panels import Board, Row, line, quantiles, rates

BOARD = Board(
    "groundwork-agents",
    "Groundwork: agents",
    (
        Row(
            "Answers",
            (
                line("Answers", rates("groundwork_answers_total", "kind, grounding"), unit="reqps"),
                line("Answers that failed", rates("groundwork_answer_failures_total", "code"), unit="reqps"),
                line(
                    "What answers had to do without", rates("groundwork_answer_degraded_total", "reason"), unit="reqps"
                ),
                line("Sentences of drafts", rates("groundwork_answer_sentences_total", "outcome")),
                line("Citations sent", rates("groundwork_answer_citations_total")),
                line(
                    "Steps of an answer, p95",
                    *quantiles("groundwork_answer_stage_seconds", "stage", shares=(0.95,)),
                    unit="s",
                ),
            ),
        ),
        Row(
            "Runs",
            (
                line("Runs ended", rates("groundwork_runs_total", "status")),
                line("Slots", ("sum by (state) (groundwork_run_slots)", "{{state}}"), says="All busy: runs wait."),
                line("Claims", rates("groundwork_run_claims_total", "kind"), says="`again`: after a wait or a death."),
                line("Calls of the model", rates("groundwork_run_steps_total")),
                line(
                    "Parts of a step, p95", *quantiles("groundwork_run_step_seconds", "part", shares=(0.95,)), unit="s"
                ),
                line("Calls of tools", rates("groundwork_run_tool_calls_total", "tool, outcome")),
                line(
                    "Runs told for their records",
                    rates("groundwork_run_records_total", "outcome"),
                    says="All but `sent` are runs without a record.",
                ),
            ),
        ),
    ),
)
