"""Metrics of inference.

| metric | labels | meaning |
| --- | --- | --- |
| groundwork_inference_tokens_total | model, kind | prompt, completion, embedding, rerank, reading, classification |
| groundwork_inference_waiting | model | calls (chat) or inputs (embeddings) that wait their turn |
| groundwork_inference_waiting_tokens | model | tokens of the chat calls that wait, prompt and answer, roughly |
| groundwork_inference_engine_waiting | model | calls that wait inside the server behind the model, by its own metrics |
| groundwork_inference_engine_restarts_total | model | processes of llama.cpp started in place of one that ended |
| groundwork_inference_asleep | model | 1 while llama.cpp has given back the memory of a model that nobody asks |
| groundwork_inference_running | model | calls that the model works on |
| groundwork_inference_rejected_total | model | calls refused because the queue was full |
| groundwork_inference_abandoned_total | model | chat calls whose caller left before the end |
| groundwork_inference_truncated_total | model | inputs that were longer than the model reads |
| groundwork_inference_tool_calls_total | model, how | of servers: as_written, mended, malformed |
| groundwork_inference_batch_inputs | model | inputs embedded together |
| groundwork_inference_first_token_seconds | model | from the call to the first piece of its answer |
| groundwork_inference_generation_seconds | model | from the call to the end of its answer |
| groundwork_inference_ready | model | 1 once the model is loaded and while it answers; asked again and again |
| groundwork_inference_silent_seconds | model | how long no token has come though there are calls |

`model` is a name of the models file or of a model that an administrator added, so the set is closed.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from servicekit.telemetry.metrics import LATENCY_BUCKETS, begin_at_zero

TOKENS = Counter("groundwork_inference_tokens_total", "Tokens read and written.", ("model", "kind"))
WAITING = Gauge("groundwork_inference_waiting", "Calls or inputs that wait.", ("model",))
WAITING_TOKENS = Gauge("groundwork_inference_waiting_tokens", "Tokens of calls that wait.", ("model",))
ENGINE_WAITING = Gauge("groundwork_inference_engine_waiting", "Calls that wait inside the server.", ("model",))
ENGINE_RESTARTS = Counter("groundwork_inference_engine_restarts_total", "Processes started again.", ("model",))
ASLEEP = Gauge("groundwork_inference_asleep", "Without a process until it is asked.", ("model",))
RUNNING = Gauge("groundwork_inference_running", "Calls being worked on.", ("model",))
REJECTED = Counter("groundwork_inference_rejected_total", "Calls refused by a full queue.", ("model",))
ABANDONED = Counter("groundwork_inference_abandoned_total", "Calls whose caller left.", ("model",))
TRUNCATED = Counter("groundwork_inference_truncated_total", "Inputs cut to what the model reads.", ("model",))
TOOL_CALLS = Counter(
    "groundwork_inference_tool_calls_total", "Tool calls of servers' models by what they needed.", ("model", "how")
)
BATCH_INPUTS = Histogram(
    "groundwork_inference_batch_inputs", "Inputs embedded together.", ("model",), buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
FIRST_TOKEN_SECONDS = Histogram(
    "groundwork_inference_first_token_seconds", "Time to the first piece.", ("model",), buckets=LATENCY_BUCKETS
)
GENERATION_SECONDS = Histogram(
    "groundwork_inference_generation_seconds", "Time to the end.", ("model",), buckets=LATENCY_BUCKETS
)
SILENT_SECONDS = Gauge(
    "groundwork_inference_silent_seconds", "Time without a token though there are calls.", ("model",)
)
READY = Gauge("groundwork_inference_ready", "Loaded and answering.", ("model",))

_KINDS = {
    "chat": ("prompt", "completion"),
    "embedding": ("embedding",),
    "rerank": ("rerank",),
    "reading": ("reading",),
    "classification": ("classification",),
}


def begin_model(name: str, kind: str) -> None:
    """Have the series of a declared model from the start."""
    begin_at_zero(TOKENS, [name], _KINDS.get(kind, ()))
    for counter in (REJECTED, ABANDONED, TRUNCATED):
        begin_at_zero(counter, [name])
    if kind == "chat":
        begin_at_zero(TOOL_CALLS, [name], ("as_written", "mended", "malformed"))


def end_model(name: str) -> None:
    """Show nothing more of what a removed model is now; what it has done stays counted."""
    for gauge in (READY, SILENT_SECONDS, WAITING, WAITING_TOKENS, ENGINE_WAITING, RUNNING, ASLEEP):
        gauge.remove_by_labels({"model": name})
