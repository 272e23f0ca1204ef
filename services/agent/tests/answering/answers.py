"""What tests of answers ask of one."""

from __future__ import annotations

from services.agent.tests.conftest import LEAVE, content_of

from contracts.models.chat import ChatCompletion

RIGHT = "Full-time employees get 27 days of paid leave per year."


def kind_of(answer: ChatCompletion) -> str:
    assert answer.groundwork is not None
    return answer.groundwork.answer_kind


def assert_exact(answer: ChatCompletion) -> None:
    """Every marker has a citation at its place, and every quote is its span of the source."""
    content = content_of(answer)
    annotations = answer.choices[0].message.annotations or []
    for one in annotations:
        assert content[one.index :].startswith(one.marker)
        assert LEAVE.text[one.start - LEAVE.start : one.end - LEAVE.start] == one.quote
    assert content.count("[") == len(annotations)


INCLUDE = {"include": ["sources", "receipt"]}
OWN_PROMPT = {"prompt": "friendly@1"}
"""With which the packaged model is asked, too, where sentences are held back."""


def degraded(answer: ChatCompletion) -> list[str]:
    assert answer.groundwork is not None
    assert answer.groundwork.receipt is not None
    return answer.groundwork.receipt.degraded
