"""The typed client of the public API. It needs no server code and no stack extras."""

from __future__ import annotations

from groundwork.client.answers import Answer, AnswerDone, AnswerEvent, TextDelta
from groundwork.client.groundwork import Groundwork
from groundwork.errors import (
    ApiError,
    GroundworkError,
    JobFailed,
    NoSuchName,
    UnexpectedAnswer,
    Unreachable,
    WaitTimeout,
)

__all__ = [
    "Answer",
    "AnswerDone",
    "AnswerEvent",
    "ApiError",
    "Groundwork",
    "GroundworkError",
    "JobFailed",
    "NoSuchName",
    "TextDelta",
    "UnexpectedAnswer",
    "Unreachable",
    "WaitTimeout",
]
