"""Metrics of the agent service, beside those that every service has.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_answers_total | kind, grounding | answers by kind (`generated`, `extractive`, `abstained`) and mode |
| groundwork_answer_failures_total | code | answers that ended in an error; codes outside a closed set are `other` |
| groundwork_answer_stage_seconds | stage | time of each node of the answer graph |
| groundwork_answer_sentences_total | outcome | sentences of drafts: `not_factual`, or by verdict |
| groundwork_answer_readings_total | part, outcome | calls of the reading model; `none`: no model reads that |
| groundwork_answer_citations_total | | citations sent |
| groundwork_answer_degraded_total | reason | what answers had to do without, by a closed set or `other` |
| groundwork_runs_total | status | ended runs of agents by status |
| groundwork_run_steps_total | | model calls of runs |
| groundwork_run_step_seconds | part | time of a step's parts: `model`, `tools`, and `own`, the rest |
| groundwork_run_tool_calls_total | tool, outcome | tool calls by tool (`mcp` for all of MCP) and outcome |
| groundwork_run_slots | state | runs at work in this process: `busy`, `free` |
| groundwork_run_claims_total | kind | claims: `first`, or `again` after a wait or a death |
| groundwork_run_records_total | outcome | ended runs that the gateway was told of, for their records |

`outcome` of records is sent, refused (the key was revoked, or the thread deleted), no_memory (too many waited), failed
(however often it was tried) or closed (the process ended).
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from servicekit.telemetry.metrics import LATENCY_BUCKETS, begin_at_zero

DEGRADATIONS = frozenset(
    (
        "model_unavailable",
        "model_timeout",
        "draft_unsupported",
        "embeddings_unavailable",
        "reader_unavailable",
        "rerank_unavailable",
        "rerank_model_unknown",
        "rerank_timeout",
        "dense_unavailable",
        "query_truncated",
        "tools_ignored",
        "style_ignored",
        "format_ignored",
        "context_ignored",
        "prompt_ignored",
        "rewrite_timeout",
        "rewrite_unavailable",
        "second_hop_unavailable",
        "instructions_truncated",
        "document_cut",
    )
)
FAILURES = frozenset(
    (
        "collection_not_found",
        "retriever_unreachable",
        "retriever_timeout",
        "gateway_unreachable",
        "rate_limited",
        "budget_exceeded",
        "deadline_passed",
        "upstream_error",
    )
)

ANSWERS = Counter("groundwork_answers_total", "Answers by kind and grounding mode.", ("kind", "grounding"))
ANSWER_FAILURES = Counter("groundwork_answer_failures_total", "Answers that ended in an error.", ("code",))
STAGE_SECONDS = Histogram(
    "groundwork_answer_stage_seconds", "Time of each node of the answer graph.", ("stage",), buckets=LATENCY_BUCKETS
)
SENTENCES = Counter("groundwork_answer_sentences_total", "Sentences of drafts by verdict.", ("outcome",))
READINGS = Counter("groundwork_answer_readings_total", "Calls of the reading model.", ("part", "outcome"))
CITATIONS = Counter("groundwork_answer_citations_total", "Citations sent.")
DEGRADED = Counter("groundwork_answer_degraded_total", "What answers had to do without.", ("reason",))

RUNS = Counter("groundwork_runs_total", "Ended runs of agents by status.", ("status",))
RUN_STEPS = Counter("groundwork_run_steps_total", "Model calls of runs.")
RUN_STEP_SECONDS = Histogram(
    "groundwork_run_step_seconds", "Time of a step's parts.", ("part",), buckets=LATENCY_BUCKETS
)
TOOL_CALLS = Counter("groundwork_run_tool_calls_total", "Tool calls by kind and outcome.", ("tool", "outcome"))
TOOL_OUTCOMES = ("ok", "failed", "timeout", "unknown")
RUN_SLOTS = Gauge("groundwork_run_slots", "Runs at work in this process.", ("state",))
RUN_CLAIMS = Counter("groundwork_run_claims_total", "Claims of runs.", ("kind",))
RUN_RECORDS = Counter("groundwork_run_records_total", "Ended runs told for their records.", ("outcome",))

begin_at_zero(ANSWERS, ("generated", "extractive", "abstained"), ("strict", "annotate", "off"))
begin_at_zero(ANSWER_FAILURES, sorted(FAILURES))
begin_at_zero(SENTENCES, ("supported", "unsupported", "contradicted", "not_factual"))
begin_at_zero(READINGS, ("passages", "pairs"), ("read", "unavailable", "none"))
begin_at_zero(DEGRADED, sorted(DEGRADATIONS))
begin_at_zero(RUNS, ("completed", "failed", "cancelled", "limit_reached"))
begin_at_zero(RUN_CLAIMS, ("first", "again"))
begin_at_zero(RUN_RECORDS, ("sent", "refused", "no_memory", "failed", "closed"))
