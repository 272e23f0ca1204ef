"""Is the platform well, and which part is not."""

from __future__ import annotations

from panels import Board, Row, line, quantiles, rates, stat

BOARD = Board(
    "groundwork-overview",
    "Groundwork: overview",
    (
        Row(
            "Now",
            (
                stat("Processes that don't answer", "sum(1 - up)", says="Alert TargetDown."),
                stat("Alerts that fire", 'count(ALERTS{alertstate="firing"}) or vector(0)'),
                stat("Calls that fail", "groundwork:error_ratio:rate5m", "percentunit", "5xx of all calls, 5 minutes."),
                stat("First token, p95", "groundwork:first_token_seconds:p95", "s"),
                stat("Search, p95", "groundwork:search_seconds:p95", "s"),
                stat("Jobs queued", 'max(groundwork_ingest_jobs{status="queued"})'),
            ),
        ),
        Row(
            "Calls",
            (
                line("Calls", ("groundwork:calls:rate5m", "{{route}}"), unit="reqps"),
                line(
                    "Failed calls",
                    rates("groundwork_gateway_calls_total", "route, error_type", 'status=~"5.."'),
                    unit="reqps",
                ),
                line(
                    "Answers of each service, p95",
                    *quantiles("groundwork_http_request_seconds", "service", shares=(0.95,)),
                    unit="s",
                ),
                line("Calls being answered", ("sum by (service) (groundwork_http_in_flight)", "{{service}}")),
                line(
                    "Calls between services that fail",
                    rates("groundwork_peer_requests_total", "peer, outcome", 'outcome!="ok"'),
                    unit="reqps",
                ),
                line(
                    "Wait for a peer, p95",
                    *quantiles("groundwork_peer_request_seconds", "peer", shares=(0.95,)),
                    unit="s",
                ),
            ),
        ),
        Row(
            "Machines",
            (
                line("Memory of each process", ("process_resident_memory_bytes", "{{instance}}"), unit="bytes"),
                line(
                    "Processor of each process",
                    ("rate(process_cpu_seconds_total[$__rate_interval])", "{{instance}}"),
                    unit="percentunit",
                ),
                line(
                    "Free disk",
                    ("groundwork_disk_free_bytes / groundwork_disk_size_bytes", "{{instance}}"),
                    unit="percentunit",
                    says="Alert DiskFilling.",
                ),
            ),
        ),
    ),
)
