"""Moderation on the wire, in OpenAI's form."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from contracts.core.base import Reply, Request
from contracts.core.values import Text
from contracts.models.classification import check_inputs

CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
"""OpenAI's, which its clients expect in every answer."""


class TextPart(Request):
    """One part of an input of several; pictures are not looked at, and refused."""

    type: Literal["text"]
    text: Text


def _inputs(value: object) -> object:
    """Texts, or the parts of one."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        if any(each.get("type") != "text" for each in value):
            raise ValueError('takes parts with "type": "text" only; the model reads no pictures')
        check_inputs([each.get("text") for each in value])
        return value
    return check_inputs(value)


class ModerationRequest(BaseModel):
    """Body of `POST /v1/moderations`."""

    model_config = ConfigDict(extra="ignore")

    model: str = "default"
    """A classification model with `moderation`; `default` and OpenAI's own names mean the one that is configured."""
    input: Annotated[str | list[str] | list[TextPart], BeforeValidator(_inputs)]
    """A text, a list of 1 to 256 texts, or the text parts of one input."""

    def texts(self) -> list[str]:
        """The inputs, each of which has a result; parts are one."""
        if isinstance(self.input, str):
            return [self.input]
        parts = [each.text for each in self.input if isinstance(each, TextPart)]
        return ["\n".join(parts)] if parts else [each for each in self.input if isinstance(each, str)]


class Moderated(Reply):
    """What one input is."""

    flagged: bool
    """Whether any category is."""
    categories: dict[str, bool]
    category_scores: dict[str, float]
    """From 0 to 1."""
    category_applied_input_types: dict[str, list[Literal["text"]]]
    """Empty for a category that the model knows nothing of."""


class ModerationReply(Reply):
    """Results in the order of the inputs."""

    id: str
    model: str
    results: list[Moderated]
