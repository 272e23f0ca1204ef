"""Models: what waits, how fast they answer, and vLLM's own view."""

from __future__ import annotations

from panels import Board, Row, line, quantiles, rates

BOARD = Board(
    "groundwork-inference",
    "Groundwork: inference and vLLM",
    (
        Row(
            "Models",
            (
                line(
                    "Models that answer",
                    ("min by (model) (groundwork_inference_ready)", "{{model}}"),
                    says="Alert ModelNotAnswering.",
                ),
                line("Calls being worked on", ("sum by (model) (groundwork_inference_running)", "{{model}}")),
                line(
                    "Waiting",
                    ("sum by (model) (groundwork_inference_waiting)", "{{model}}"),
                    says="With no tokens written: alert ModelStalled.",
                ),
                line("Tokens", rates("groundwork_inference_tokens_total", "model, kind")),
                line("First token", *quantiles("groundwork_inference_first_token_seconds", "model"), unit="s"),
                line("A whole answer", *quantiles("groundwork_inference_generation_seconds", "model"), unit="s"),
                line("Tokens that wait", ("sum by (model) (groundwork_inference_waiting_tokens)", "{{model}}")),
                line(
                    "Waiting inside the server behind it",
                    ("max by (model) (groundwork_inference_engine_waiting)", "{{model}}"),
                    needs="vllm",
                ),
                line("Inputs embedded together", *quantiles("groundwork_inference_batch_inputs", "model")),
                line("Refused by a full queue", rates("groundwork_inference_rejected_total", "model"), unit="reqps"),
                line("Callers who left", rates("groundwork_inference_abandoned_total", "model"), unit="reqps"),
                line("Inputs cut to what the model reads", rates("groundwork_inference_truncated_total", "model")),
            ),
        ),
        Row(
            "vLLM",
            (
                line(
                    "Requests",
                    ("sum by (instance) (vllm:num_requests_running)", "{{instance}} running"),
                    ("sum by (instance) (vllm:num_requests_waiting)", "{{instance}} waiting"),
                    needs="vllm",
                ),
                line(
                    "Cache of keys and values in use",
                    ("max by (instance) (vllm:kv_cache_usage_perc)", "{{instance}}"),
                    unit="percentunit",
                    needs="vllm",
                ),
                line("Tokens", rates("vllm:prompt_tokens_total"), rates("vllm:generation_tokens_total"), needs="vllm"),
                line("First token", *quantiles("vllm:time_to_first_token_seconds"), unit="s", needs="vllm"),
                line("Between two tokens", *quantiles("vllm:inter_token_latency_seconds"), unit="s", needs="vllm"),
                line("Wait in its queue", *quantiles("vllm:request_queue_time_seconds"), unit="s", needs="vllm"),
                line(
                    "Prompts found in the prefix cache",
                    f"{rates('vllm:prefix_cache_hits_total')[0]} / {rates('vllm:prefix_cache_queries_total')[0]}",
                    unit="percentunit",
                    needs="vllm",
                ),
                line("Requests put aside for others", rates("vllm:num_preemptions_total"), needs="vllm"),
            ),
        ),
    ),
)
