from __future__ import annotations

import inspect

from agent.runs import errors
from servicekit.core.errors import ServiceError

ALL: list[tuple[ServiceError, int, str]] = [
    (errors.RunNotEnded("running"), 409, "run_not_ended"),
    (errors.StepNotFound(9, 2), 400, "step_not_found"),
    (errors.NothingLeftToDo(2), 400, "nothing_left_to_do"),
    (errors.ReplayTooLarge(10_000, 20_000_000), 409, "replay_too_large"),
    (errors.ReplayBeyondLimit(12_000, 8_000), 409, "replay_too_large"),
]


def test_each_says_what_to_do_in_bounded_length() -> None:
    own = {value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__}
    assert {type(error) for error, *_ in ALL} == own
    for error, status, code in ALL:
        body = error.body("req_1")
        assert (error.http_status, body.code) == (status, code)
        assert body.message.endswith(".")
        assert len(body.message) < 800
