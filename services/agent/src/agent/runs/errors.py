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
            f"The run has not finished a step {after}: it has {steps}; one that was under way at its end is none. Give "
            f"`after` from 0, its beginning, to {steps}.",
            param="after",
        )


class NothingLeftToDo(InvalidRequest):
    """After that step stand the model's last words."""

    code = "nothing_left_to_do"

    def __init__(self, after: int) -> None:
        super().__init__(
            f"After step {after} stand the model's last words, so there is nothing to go on with. Give an `input`, or "
            "an earlier step as `after`.",
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


class ReplayBeyondLimit(ReplayTooLarge):
    """What it would begin with is more than its agent may read in a whole run."""

    def __init__(self, tokens: int, limit: int) -> None:
        Conflict.__init__(
            self,
            f"What the run said up to that step has about {tokens:,} tokens, and a run of this version may use "
            f"{limit:,} in all. Replay from an earlier step, or raise `limits.tokens` of the agent and replay with "
            '`agent_version` "current".',
        )
