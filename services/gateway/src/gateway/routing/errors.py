"""What can be wrong with a route, or with the models behind it. One class a fact."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.core.errors import InvalidRequest, NotFound, NotReady, ServiceError, UpstreamFailed, UpstreamTimeout


class StreamBrokenOff(UpstreamFailed):
    """A stream ended without its end."""

    code = "stream_broken_off"

    def __init__(self) -> None:
        super().__init__("The answer broke off before its end. What has arrived is not complete; ask again.")


class FirstPieceTimeout(UpstreamTimeout):
    """A stream that says nothing."""

    code = "first_piece_timeout"

    def __init__(self) -> None:
        super().__init__("The model did not begin its answer in time. Try again, or use another model.")


class RouteNotFound(NotFound):
    """No route with this name."""

    code = "route_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no route '{name[:100]}'. GET /v1/routes lists them.", param="name")


class RouteNameTaken(InvalidRequest):
    """A name that means something else."""

    code = "route_name_reserved"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' can't be a route: it means the configured default. Give the default model's own name a route, "
            "and 'default' follows it.",
            param="name",
        )


class RouteModelUnknown(InvalidRequest):
    """A route over a model that inference does not have."""

    code = "route_model_unknown"

    def __init__(self, model: str, param: str) -> None:
        super().__init__(
            f"Inference has no chat model '{model[:200]}'. GET /v1/models lists them; a route can't stand on another.",
            param=param,
        )


class RouteHasNoModel(NotReady):
    """None of a route's models is there now."""

    code = "route_has_no_model"

    def __init__(self, name: str) -> None:
        super().__init__(f"None of the models behind '{name}' is there now. Try again, or use another.", retry_after=5)


class CircuitsOpen(NotReady):
    """All models that could answer have failed too often."""

    code = "circuit_open"

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__(
            f"The models behind '{name}' keep failing and are left alone for a moment. Try again shortly.",
            retry_after=seconds,
        )


class CacheUnreachable(NotReady):
    """Redis is away, so that cached answers can't be ended."""

    code = "cache_unreachable"

    def __init__(self) -> None:
        super().__init__("The cache can't be reached, so nothing was forgotten. Try again shortly.", retry_after=2)


class ContentBlocked(ServiceError):
    """A guardrail said no."""

    status, type, code = 400, "content_blocked", "content_blocked"

    def __init__(self, guard: str, where: str, kinds: Sequence[str]) -> None:
        what = f"{guard} ({', '.join(kinds)})"
        told = {
            "input": f"The request holds {what}, which this key may not send. Take it out and ask again.",
            "retrieved": f"A document that the answer would draw on holds {what}. Tell whoever keeps the documents.",
            "output": f"The answer holds {what}, which this key may not receive.",
        }
        super().__init__(told[where])


class BodyUnreadable(InvalidRequest):
    """A body that has to be looked at and can't be read."""

    code = "invalid_json"

    def __init__(self) -> None:
        super().__init__("The body is not JSON, or is nested too deeply. Send one JSON object.")


class AnswerTooLarge(UpstreamFailed):
    """An answer that guardrails would have to hold whole, and is too large for that."""

    code = "answer_too_large"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"The answer has more than {most:,} bytes, which this key's guardrails can't look at. Ask for fewer things "
            "at once (`limit`)."
        )


class InputTooLong(InvalidRequest):
    """More text than a key may send at once."""

    code = "input_too_long"

    def __init__(self, length: int, most: int) -> None:
        super().__init__(f"The request has {length:,} characters of text; this key may send {most:,}. Send less.")
