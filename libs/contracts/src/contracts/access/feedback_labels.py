"""The labels that a tenant's people may give answers: a closed set, so that they can be counted."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from contracts.core.base import Request

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,39}$")]
WRONG_SOURCE: Label = "wrong_source"
"""Of a citation: its source does not belong to this question. Every set has it."""
LABELS: tuple[Label, ...] = (
    WRONG_SOURCE, "incorrect", "incomplete", "unsupported", "outdated", "off_topic", "unclear", "unsafe", "other",
)  # fmt: skip
"""The set of a tenant that has none of its own."""


def _with_wrong_source(labels: list[Label]) -> list[Label]:
    return list(dict.fromkeys((WRONG_SOURCE, *labels)))


LabelSet = Annotated[list[Label], Field(max_length=100), AfterValidator(_with_wrong_source)]


class FeedbackLabels(Request):
    """The closed set of labels of one tenant."""

    labels: LabelSet
