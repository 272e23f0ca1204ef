"""Why a guardrail refuses a request or an answer."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.core.errors import InvalidRequest, ServiceError, UpstreamFailed


class ContentBlocked(ServiceError):
    """A guardrail said no."""

    status, type, code = 400, "content_blocked", "content_blocked"

    def __init__(self, guard: str, where: str, kinds: Sequence[str]) -> None:
        what = f"{guard} ({', '.join(kinds)})"
        messages = {
            "input": f"The request holds {what}, which this key may not send. Take it out and ask again.",
            "retrieved": f"A document that the answer would draw on holds {what}. Tell whoever keeps the documents.",
            "output": f"The answer holds {what}, which this key may not receive.",
        }
        super().__init__(messages[where])


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
