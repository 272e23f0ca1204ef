"""Why a run can't be replayed."""

from __future__ import annotations

from servicekit.core.errors import Conflict, InvalidRequest


class RunNotEnded(Conflict):
    """A run that is under way can't be replayed yet."""

    code = "run_not_ended"

    def __init__(self, status: str) -> None:
        super().__init__(
            f"The run is {status}; only a run that has ended can be replayed. Wait for its end, decide on its pending "
            "tool calls, or cancel it."
        )


class StepNotFound(InvalidRequest):
    """The run has not finished such a step."""

    code = "step_not_found"

    def __init__(self, after: int, steps: int) -> None:
        super().__init__(
            f"The run has not finished a step {after}: it has {steps}. Give `after` from 0, its beginning, to {steps}.",
            param="after",
        )


class NothingLeftToDo(InvalidRequest):
    """After that step the run had answered."""

    code = "nothing_left_to_do"

    def __init__(self, after: int) -> None:
        super().__init__(
            f"After step {after} the model had answered, so there is nothing to go on with. Give an `input`, or an "
            "earlier step as `after`.",
            param="after",
        )


class ReplayTooLarge(Conflict):
    """What stands before the point is more than a thread takes at once."""

    code = "replay_too_large"

    def __init__(self, messages: int, size: int) -> None:
        super().__init__(
            f"Up to that step the thread has more than {messages:,} messages or {size:,} bytes, which is too much to "
            "take over. Start a run on a new thread: POST /v1/threads."
        )
