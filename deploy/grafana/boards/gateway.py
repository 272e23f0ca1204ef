"""Who calls what, what it costs, what is refused and why."""

from __future__ import annotations

from panels import Board, Row, line, quantiles, rates, stat

BOARD = Board(
    "groundwork-gateway",
    "Groundwork: gateway and cost",
    (
        Row(
            "Cost",
            (
                stat("Spent in 24 hours", "sum(increase(groundwork_gateway_cost_usd_total[24h]))", "currencyUSD"),
                stat(
                    "Budgets past 80 %, 24 hours",
                    'sum(increase(groundwork_gateway_budget_alerts_total{percent="80"}[24h]))',
                ),
                line(
                    "Cost an hour",
                    ("sum by (model) (rate(groundwork_gateway_cost_usd_total[$__rate_interval])) * 3600", "{{model}}"),
                    unit="currencyUSD",
                ),
                line(
                    "Cost an hour by tenant",
                    (
                        "sum by (tenant) (rate(groundwork_gateway_cost_usd_total[$__rate_interval])) * 3600",
                        "{{tenant}}",
                    ),
                    unit="currencyUSD",
                    says="`other` is every tenant beyond `GATEWAY_METRICS_TENANTS`; `/v1/usage` has them all.",
                ),
                line(
                    "Tokens",
                    rates("groundwork_gateway_tokens_total", "model, kind"),
                    says="As the engines reported them.",
                ),
                line(
                    "Calls without a known price",
                    rates("groundwork_gateway_unpriced_calls_total", "model"),
                    unit="reqps",
                ),
            ),
        ),
        Row(
            "Limits and budgets",
            (
                line("Refused calls", rates("groundwork_gateway_limit_rejections_total", "limit"), unit="reqps"),
                line(
                    "Budgets nearly spent",
                    (
                        "sum by (whose, percent) (increase(groundwork_gateway_budget_alerts_total[1h]))",
                        "{{whose}} {{percent}} %",
                    ),
                    says="Alert BudgetNearlySpent.",
                ),
                line(
                    "Let in unchecked",
                    rates("groundwork_gateway_limits_skipped_total"),
                    unit="reqps",
                    says="Redis is away: alert LimitsNotChecked.",
                ),
                line(
                    "A limit check in Redis",
                    *quantiles("groundwork_gateway_redis_seconds", shares=(0.5, 0.99)),
                    unit="s",
                ),
                line("Guardrails", rates("groundwork_gateway_guardrails_total", "guard, where, action"), unit="reqps"),
            ),
        ),
        Row(
            "Models behind it",
            (
                line("Fallbacks and retries", rates("groundwork_gateway_fallbacks_total", "reason"), unit="reqps"),
                line(
                    "Circuits",
                    ("max by (model) (groundwork_gateway_circuit_open)", "{{model}}"),
                    says="0 closed, 0.5 half open, 1 open: alert CircuitOpen.",
                ),
                line("Answers from the cache", rates("groundwork_gateway_cache_total", "result"), unit="reqps"),
                line("First token", *quantiles("groundwork_gateway_first_token_seconds", "route"), unit="s"),
            ),
        ),
        Row(
            "Improving answers",
            (
                line("Ratings", rates("groundwork_gateway_feedback_total", "rating")),
                line(
                    "Share of ratings that are up, an hour",
                    (
                        (
                            'sum by (model, prompt) (increase(groundwork_gateway_feedback_total{rating="up"}[1h])) / '
                            'sum by (model, prompt) (increase(groundwork_gateway_feedback_total{rating!="none"}[1h]))'
                        ),
                        "{{model}} {{prompt}}",
                    ),
                    unit="percentunit",
                    says="By the version of the prompt; `GET /v1/experiments/{route}` has intervals.",
                ),
                line(
                    "Records",
                    rates("groundwork_gateway_records_total", "outcome"),
                    says="All but `written` are answers without a record.",
                ),
                line("Records that wait", ("sum(groundwork_gateway_records_held_bytes)", "held"), unit="bytes"),
                line(
                    "Answers leave no records",
                    ("max(groundwork_gateway_records_paused)", "paused"),
                    says="1 while the disk is full or nothing can be written; `/readyz` says why.",
                ),
                line(
                    "Variants ended by a guard",
                    ("sum by (metric) (increase(groundwork_gateway_experiments_ended_total[1h]))", "{{metric}}"),
                    says="Alert ExperimentEnded.",
                ),
                line(
                    "Monitors with a fall",
                    ("max by (metric) (groundwork_gateway_monitors_fallen)", "{{metric}}"),
                    says="Alert MonitorFallen.",
                ),
                line("Shadow calls", rates("groundwork_gateway_shadow_calls_total", "outcome"), unit="reqps"),
                line("Question sets saved", rates("groundwork_lab_question_sets_saved_total", "outcome")),
                line("Evaluations ended", rates("groundwork_lab_evaluations_total", "status")),
                line(
                    "Jobs of the lab that none works on",
                    ("max by (kind) (groundwork_lab_jobs_without_worker)", "{{kind}}"),
                    says="Alert LabJobsWait.",
                ),
                line("Passages asked about", rates("groundwork_lab_questions_generated_total", "outcome")),
                line("Questions asked by evaluations", rates("groundwork_lab_questions_asked_total", "outcome")),
            ),
        ),
        Row(
            "The gateway itself",
            (
                line("Calls by status", rates("groundwork_gateway_calls_total", "status"), unit="reqps"),
                line(
                    "Its own share of a call",
                    *quantiles("groundwork_gateway_overhead_seconds", "route", shares=(0.5, 0.99)),
                    unit="s",
                ),
                line("Usage rows that wait", ("sum(groundwork_gateway_usage_queue_rows)", "rows")),
                line(
                    "A group commit of usage",
                    *quantiles("groundwork_gateway_usage_write_seconds", shares=(0.5, 0.99)),
                    unit="s",
                ),
                line(
                    "Commits that failed",
                    rates("groundwork_gateway_usage_write_failures_total"),
                    says="Alert UsageNotWritten.",
                ),
                line("Attempts of dead replicas, settled", rates("groundwork_gateway_orphans_settled_total")),
            ),
        ),
    ),
)
