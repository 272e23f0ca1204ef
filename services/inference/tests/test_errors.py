from __future__ import annotations

import pytest

from inference import errors
from servicekit.core.errors import ServiceError


@pytest.mark.parametrize(
    ("error", "status", "code", "says"),
    [
        (errors.ModelNotFound("x" * 500, "chat"), 404, "model_not_found", f"chat model '{'x' * 128}'"),
        (errors.ModelNotFound("x", ""), 404, "model_not_found", "'default' means the default model where"),
        (errors.NoReranker(), 404, "no_reranker", "kind: rerank"),
        (errors.ModelNotReady("m", "it is loading."), 503, "model_not_ready", "it is loading."),
        (errors.ModelBusy("m", 3.0), 429, "queue_full", "'m'"),
        (errors.UpstreamBroke("m", "failed"), 502, "upstream_error", "'m'"),
    ],
)
def test_an_error_says_what_is_wrong_and_to_whom_it_matters(
    error: ServiceError, status: int, code: str, says: str
) -> None:
    assert (error.http_status, error.code) == (status, code)
    assert says in error.message


def test_a_prompt_that_is_too_long_is_told_in_openai_s_words() -> None:
    message = errors.ContextExceeded(100, 64, 0).message
    assert message.startswith("This model's maximum context length is 64 tokens")
    assert "(context_length_exceeded)" in message
