"""The gateway's metrics, on their own port.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_gateway_calls_total | route, status, error_type | metered calls, the model plane's too |
| groundwork_gateway_tokens_total | model, kind, tenant | tokens as reported by engines: prompt, completion, embedding |
| groundwork_gateway_cost_usd_total | model, tenant | known cost |
| groundwork_gateway_unpriced_calls_total | model | calls with tokens for which no price is known |
| groundwork_gateway_limit_rejections_total | limit | refused calls: `redis_away`, or whose limit: `key_tokens` |
| groundwork_gateway_budget_alerts_total | whose, percent | budgets that passed 80 or 100 % of their period |
| groundwork_gateway_orphans_settled_total | | attempts of replicas that died, billed as estimated |
| groundwork_gateway_fallbacks_total | reason | attempts after a failed one |
| groundwork_gateway_cache_total | result | calls that could be answered from the cache: hit, miss, bypass |
| groundwork_gateway_guardrails_total | guard, where, action | what guards decided, once a call and kind of finding |
| groundwork_gateway_experiments_ended_total | metric | variants of routes that a guard has ended |
| groundwork_gateway_monitors_fallen | metric | monitors of live answers with a measure that fell, of all tenants |
| groundwork_gateway_monitor_verdicts_total | outcome | live answers that a monitor's judge was asked of, by verdict |
| groundwork_gateway_shadow_calls_total | outcome | calls that were asked of a route's shadow, too |
| groundwork_gateway_circuit_open | model | a circuit's state as last shared: 0 closed, 0.5 half open, 1 open |
| groundwork_gateway_limits_skipped_total | | calls let in unchecked while Redis was away |
| groundwork_gateway_redis_seconds | | time of a limit check in Redis |
| groundwork_gateway_first_token_seconds | route | time to the first byte of a streamed answer |
| groundwork_gateway_inside_wait_seconds | | how long an answer or a run waited for the calls inside it to be settled |
| groundwork_gateway_overhead_seconds | route | a call's time in the gateway itself, not waiting for others |
| groundwork_gateway_usage_queue_rows | | usage rows waiting to be written |
| groundwork_gateway_usage_write_seconds | | time of one group commit of usage rows |
| groundwork_gateway_usage_write_failures_total | | group commits that failed and were tried again |
| groundwork_gateway_feedback_total | rating, change, model, prompt, collection | what people said of answers |
| groundwork_gateway_records_total | outcome | records of answers: `written`, or lost |
| groundwork_gateway_records_held_bytes | | memory of records that are made or wait to be written |
| groundwork_gateway_records_paused | | 1 while answers leave no records, since they can't be written |
| groundwork_gateway_certificate_expires_timestamp_seconds | | when the public port's certificate ends; 0 without TLS |

`reason` is retry, error, context_overflow, refusal or circuit_open.
`outcome` of records is written, no_memory, no_room (on the disk), failed, paused (soon after one of these) or closed;
of shadow calls answered, failed, left_out (too many at once) or other_tenant.
`limit` is `redis_away`, `key_event_streams`, or key, tenant or model with requests, tokens, concurrency or budget.
`tenant` is one of the first `GATEWAY_METRICS_TENANTS` tenants that a process served, else `other`.
`route` is one of `meter.ROUTES`; `model` is a configured model, else `other`; `error_type` is the API's closed set
plus `client_disconnected`, `cut` (a call inside another one that our own agent ended early, which is no error), or
`none`.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from servicekit.telemetry.metrics import LATENCY_BUCKETS, begin_at_zero

FINE_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

CALLS = Counter("groundwork_gateway_calls_total", "Metered calls.", ("route", "status", "error_type"))
TOKENS = Counter("groundwork_gateway_tokens_total", "Tokens by kind.", ("model", "kind", "tenant"))
COST = Counter("groundwork_gateway_cost_usd_total", "Known cost in US dollars.", ("model", "tenant"))
UNPRICED = Counter("groundwork_gateway_unpriced_calls_total", "Calls with tokens and no known price.", ("model",))
LIMIT_REJECTIONS = Counter("groundwork_gateway_limit_rejections_total", "Calls refused by a limit.", ("limit",))
FALLBACKS = Counter("groundwork_gateway_fallbacks_total", "Attempts after a failed one.", ("reason",))
CACHE = Counter("groundwork_gateway_cache_total", "Calls that could be answered from the cache.", ("result",))
GUARDRAILS = Counter("groundwork_gateway_guardrails_total", "What guards decided.", ("guard", "where", "action"))
EXPERIMENTS_ENDED = Counter("groundwork_gateway_experiments_ended_total", "Variants ended by a guard.", ("metric",))
MONITOR_VERDICTS = Counter(
    "groundwork_gateway_monitor_verdicts_total",
    "Live answers that were judged: right, wrong, failed; or postponed.",
    ("outcome",),
)
MONITORS_FALLEN = Gauge("groundwork_gateway_monitors_fallen", "Monitors with a measure that fell.", ("metric",))
SHADOW_CALLS = Counter("groundwork_gateway_shadow_calls_total", "Calls asked of a shadow, too.", ("outcome",))
CIRCUIT_OPEN = Gauge("groundwork_gateway_circuit_open", "A model's circuit.", ("model",))
LIMITS_SKIPPED = Counter("groundwork_gateway_limits_skipped_total", "Calls let in while Redis was away.")
BUDGET_ALERTS = Counter("groundwork_gateway_budget_alerts_total", "Budgets nearly spent.", ("whose", "percent"))
ORPHANS = Counter("groundwork_gateway_orphans_settled_total", "Attempts of dead replicas, billed as estimated.")
REDIS_SECONDS = Histogram("groundwork_gateway_redis_seconds", "Time of a limit check.", buckets=FINE_BUCKETS)
FIRST_TOKEN = Histogram(
    "groundwork_gateway_first_token_seconds", "Time to a stream's first byte.", ("route",), buckets=LATENCY_BUCKETS
)
INNER_WAIT = Histogram(
    "groundwork_gateway_inside_wait_seconds", "Wait for the calls inside one to be settled.", buckets=FINE_BUCKETS
)
OVERHEAD = Histogram(
    "groundwork_gateway_overhead_seconds", "Time spent in the gateway itself.", ("route",), buckets=FINE_BUCKETS
)
USAGE_QUEUE = Gauge("groundwork_gateway_usage_queue_rows", "Usage rows waiting to be written.")
USAGE_WRITE = Histogram("groundwork_gateway_usage_write_seconds", "Time of a group commit.", buckets=FINE_BUCKETS)
USAGE_FAILURES = Counter("groundwork_gateway_usage_write_failures_total", "Group commits that failed.")
RECORDS = Counter("groundwork_gateway_records_total", "Records of answers.", ("outcome",))
RECORDS_HELD = Gauge("groundwork_gateway_records_held_bytes", "Memory of records that are not written yet.")
RECORDS_PAUSED = Gauge("groundwork_gateway_records_paused", "Whether answers leave no records.")
CERTIFICATE_EXPIRES = Gauge(
    "groundwork_gateway_certificate_expires_timestamp_seconds", "When the public port's certificate ends."
)

FEEDBACK = Counter(
    "groundwork_gateway_feedback_total",
    "What people said of answers.",
    ("rating", "change", "model", "prompt", "collection"),
)

_OTHER = ("other",)
begin_at_zero(TOKENS, _OTHER, ("prompt", "completion", "embedding"), _OTHER)
begin_at_zero(COST, _OTHER, _OTHER)
begin_at_zero(UNPRICED, _OTHER)
begin_at_zero(LIMIT_REJECTIONS, ("redis_away", "key_event_streams"))
for _whose in ("key", "tenant", "model"):
    begin_at_zero(LIMIT_REJECTIONS, [f"{_whose}_{what}" for what in ("requests", "tokens", "concurrency", "budget")])
begin_at_zero(FALLBACKS, ("retry", "error", "context_overflow", "refusal", "circuit_open"))
begin_at_zero(CACHE, ("hit", "miss", "bypass"))
begin_at_zero(GUARDRAILS, ("secrets", "pii"), ("input", "output", "retrieved"), ("flag", "redact", "block"))
begin_at_zero(GUARDRAILS, ["injection"], ["retrieved"], ("flag", "block"))
begin_at_zero(GUARDRAILS, ["size"], ["input"], ["block"])
begin_at_zero(EXPERIMENTS_ENDED, ("rating", "support", "abstention", "error_rate", "cost_usd", "latency_ms"))
begin_at_zero(MONITOR_VERDICTS, ("right", "wrong", "failed", "postponed"))
begin_at_zero(SHADOW_CALLS, ("answered", "failed", "left_out", "other_tenant"))
begin_at_zero(BUDGET_ALERTS, ("key", "tenant"), ("80", "100"))
begin_at_zero(FEEDBACK, ("up", "neutral", "down", "none"), ("given", "changed"), _OTHER, _OTHER, _OTHER)
begin_at_zero(RECORDS, ("written", "no_memory", "no_room", "failed", "paused", "closed"))
begin_at_zero(CALLS, ["chat"], ["200"], ["none"])
