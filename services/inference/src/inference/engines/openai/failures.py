"""What servers that speak OpenAI's API say when they fail, in each one's dialect, as our errors.

| server | an error looks like |
| --- | --- |
| OpenAI, Ollama | `{"error": {"message", "type", "param", "code": "words"}}` |
| vLLM | `{"error": {"message", "type", "param", "code": 400}}`; older ones without `error`; 503 when its line is full |
| llama.cpp | `{"error": {"message", "type": "exceed_context_size_error", "code": 400}}`; 503 while it loads |
| Anthropic | `{"type": "error", "error": {"type": "overloaded_error", "message"}}`; 529 when overloaded |
| Google | `[{"error": {"code": 429, "message", "status", "details": [{"retryDelay": "17s"}]}}]` |
| Cohere | `{"message"}` · FastAPI: `{"detail"}` |

A server's words reach the caller only where it says that the request is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from inference.errors import ContextExceeded, ModelBusy, ModelNotReady, UpstreamBroke, UpstreamRefused
from servicekit.core.errors import ServiceError

SHOWN = 500
USUAL_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 3600.0
REFUSED = frozenset((400, 413, 422))
BUSY = frozenset((429, 529))
BUSY_WORDS = re.compile(r"busy|overloaded|backlog", re.IGNORECASE)
"""In a 503: of vLLM, Ollama and OpenAI when more calls wait than they take, not while they start."""
TOO_LONG_CODES = frozenset(("context_length_exceeded", "exceed_context_size_error"))
OPENAI_WORDS = "this model's maximum context length is"
TOO_LONG = re.compile(
    r"maximum context length|context (length|size|window)|prompt is too long|too many tokens|"
    r"input token count .* exceeds",
    re.IGNORECASE,
)
PARAMETER = re.compile(
    r"[`'\"]?([a-z][a-z_]{0,40}(?:\.[a-z0-9_]+)*)[`'\"]?:? (?:must|should|is|can|cannot|has|value)\b"
)
NO_CREDIT = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_error"))
STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "unavailable_error": 503,
    "timeout_error": 504,
    "BadRequestError": 400,
    "ServiceUnavailableError": 503,
}
"""What an error inside a stream means that names its type and no status."""
BROKE = {
    401: "refused the key that it was given",
    402: "says that its account has no credit left",
    403: "refused the key that it was given",
}


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error as a server worded it."""

    message: str = ""
    code: str = ""
    type: str = ""
    param: str | None = None
    retry_seconds: float | None = None


def is_failure(answer: object) -> bool:
    """Whether a JSON value that came with a good status is an error all the same."""
    if isinstance(answer, list):
        return bool(answer) and is_failure(answer[0])
    if not isinstance(answer, dict):
        return True
    return bool(answer.get("error")) or answer.get("object") == "error" or answer.get("type") == "error"


def failure_of(
    model: str, upstream_model: str, status: int, headers: Mapping[str, str], answer: object
) -> ServiceError:
    """Our error for a server's. `status` is below 400 for an error inside an answer that began as a success."""
    server_error = _parse_error(answer)
    effective_status = status if status >= 400 else _status_of(server_error)
    if (
        server_error.code in TOO_LONG_CODES
        or server_error.type in TOO_LONG_CODES
        or (effective_status in REFUSED and TOO_LONG.search(server_error.message))
    ):
        return _refusal(ContextExceeded.code, _too_long(server_error.message), "messages")
    if server_error.code in NO_CREDIT or server_error.type in NO_CREDIT:
        return UpstreamBroke(model, BROKE[402])
    if effective_status in REFUSED:
        named = server_error.code if server_error.code and not server_error.code.isdigit() else UpstreamRefused.code
        return _refusal(named, server_error.message, server_error.param)
    if effective_status in BUSY or (effective_status == 503 and BUSY_WORDS.search(server_error.message)):
        return ModelBusy(model, retry_after=_retry_after(headers, server_error))
    if effective_status == 503:
        return ModelNotReady(
            model, "its server says that it is not ready", _retry_after(headers, server_error, usual=2.0)
        )
    if effective_status == 404:
        return UpstreamBroke(model, f"has no model '{upstream_model}'")
    return UpstreamBroke(model, BROKE.get(effective_status, "failed"))


def names_parameter(error: ServiceError, parameter: str) -> bool:
    """Whether a refusal is about a parameter."""
    return isinstance(error, UpstreamRefused) and (parameter in error.message or parameter in (error.param or ""))


def _parse_error(answer: object) -> ServerError:
    if isinstance(answer, list):
        return _parse_error(answer[0]) if answer else ServerError()
    if isinstance(answer, str):
        return ServerError(message=answer[:SHOWN])
    if not isinstance(answer, dict):
        return ServerError()
    error = answer.get("error")
    inner: Mapping[str, Any] = error if isinstance(error, dict) else answer
    message = inner.get("message") or inner.get("detail") or (error if isinstance(error, str) else "")
    param = inner.get("param")
    return ServerError(
        message=(message if isinstance(message, str) else str(message))[:SHOWN],
        code=str(inner.get("code") or ""),
        type=str(inner.get("type") or inner.get("status") or ""),
        param=param if isinstance(param, str) else _named_in(str(message)),
        retry_seconds=_google_delay(inner.get("details")),
    )


def _named_in(message: str) -> str | None:
    """The parameter with which a message begins, as vLLM's and Anthropic's do: "temperature must be ..."."""
    found = PARAMETER.match(message)
    return found[1] if found else None


def _status_of(server_error: ServerError) -> int:
    if server_error.code.isdigit() and 400 <= int(server_error.code) < 600:
        return int(server_error.code)
    return STATUS_OF_TYPE.get(server_error.type) or STATUS_OF_TYPE.get(server_error.code) or 502


def _refusal(code: str, message: str, param: str | None) -> ServiceError:
    error = UpstreamRefused(message or "The server behind this model says that the request is wrong.", param=param)
    error.code = code
    return error


def _too_long(message: str) -> str:
    """A server's words about a prompt that is too long, with OpenAI's before and after them: clients look for these."""
    if OPENAI_WORDS not in message.lower():
        message = f"This model's maximum context length is exceeded: {message}"
    return message if ContextExceeded.code in message else f"{message} ({ContextExceeded.code})"


def _retry_after(headers: Mapping[str, str], server_error: ServerError, usual: float = USUAL_RETRY_SECONDS) -> float:
    seconds = server_error.retry_seconds
    if seconds is None:
        seconds = _number(headers.get("retry-after-ms", ""), 1000) or _seconds(headers)
    return usual if seconds is None else min(LONGEST_RETRY_SECONDS, max(1.0, seconds))


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After`: seconds, or a date beside the server's own."""
    value = headers.get("Retry-After", "")
    number = _number(value, 1)
    if number is not None or not value:
        return number
    try:
        return (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))).total_seconds()
    except (ValueError, TypeError):
        return None


def _number(value: str, divisor: float) -> float | None:
    return float(value) / divisor if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value.strip()) else None


def _google_delay(details: object) -> float | None:
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and delay.endswith("s"):
            return _number(delay[:-1], 1)
    return None
