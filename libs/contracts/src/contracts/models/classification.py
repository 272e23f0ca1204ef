"""Classification on the wire: which of some labels a text has, told by a trained head or by the labels' own texts; and
moderation by it, in OpenAI's form."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from contracts.core.base import Count, Reply, Request
from contracts.core.values import Text, check_text

MAX_CLASSIFIED = 256
"""Inputs of one call."""
MAX_INPUT_CHARACTERS = 100_000
"""Of one input; a model reads far less of it."""
MAX_LABELS = 100
"""Of one call; a trained model may have more of its own."""
MAX_MODEL_LABELS = 200


def check_inputs(value: object) -> object:
    """Say in one sentence what is wrong with a text or a list of texts."""
    each = value if isinstance(value, list) else [value]
    if not 1 <= len(each) <= MAX_CLASSIFIED:
        raise ValueError(f"must be a text or a list of 1 to {MAX_CLASSIFIED} texts; there are {len(each)}")
    for number, one in enumerate(each):
        if not isinstance(one, str):
            raise ValueError(f"must be a text or a list of texts, not {type(one).__name__}; see number {number}")
        if not one.strip():
            raise ValueError(f"must not be empty; see number {number}")
        if len(one) > MAX_INPUT_CHARACTERS:
            raise ValueError(f"must have at most {MAX_INPUT_CHARACTERS} characters; see number {number}")
        check_text(one)
    return value


LabelName = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


LongInputs = Literal["cut", "mean", "highest"]
"""`cut`: its beginning alone is read, which `usage.truncated` counts. With the others all of it is read, in parts, and
each label has the `mean` of its scores there or the `highest`: then what stands anywhere in a text counts, and the
scores of such a text may be more than 1 together."""


class ClassLabel(Request):
    """A label, and what it is about where its name says too little."""

    label: LabelName
    text: Annotated[Text, StringConstraints(min_length=1, max_length=1000)] | None = None
    """What texts with this label are about: a few words or a sentence. Unsaid, the label's name."""


_LABEL: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": 200},
        {
            "type": "object",
            "properties": {
                "label": {"type": "string", "minLength": 1, "maxLength": 200},
                "text": {"type": "string", "minLength": 1, "maxLength": 1000},
            },
            "required": ["label"],
            "additionalProperties": False,
        },
    ]
}


def _as_label(value: object) -> object:
    return {"label": value} if isinstance(value, str) else value


Label = Annotated[ClassLabel, BeforeValidator(_as_label), WithJsonSchema(_LABEL, mode="validation")]


class ClassifyRequest(Request):
    """Body of `POST /v1/classify`."""

    model: str = "default"
    """A classification model, or with `labels` an embedding model."""
    input: Annotated[str | list[str], BeforeValidator(check_inputs)]
    """A text, or a list of 1 to 256 texts."""
    labels: Annotated[list[Label], Field(min_length=2, max_length=MAX_LABELS)] | None = None
    """What there is to choose from, without any training; a classification model has its own labels."""
    long_inputs: LongInputs = "cut"
    """What is done with an input that is longer than the model reads."""

    def texts(self) -> list[str]:
        """The inputs."""
        return [self.input] if isinstance(self.input, str) else self.input

    def label_texts(self) -> dict[str, str]:
        """What each label is about, by its name, in the request's order."""
        return {one.label: one.text or one.label for one in self.labels or ()}


Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9/_-]{0,63}$")]
"""Of moderation: OpenAI's (`harassment`, `hate`, `self-harm`, `sexual`, `violence`, …) or one of your own."""


class ModerationRules(Reply):
    """Which labels of a classification model say that a text should not be let through."""

    categories: Annotated[dict[LabelName, Category], Field(min_length=1, max_length=MAX_MODEL_LABELS)]
    """The category of each such label; labels that are not named are harmless."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The score from which a category is flagged."""


class Classification(Reply):
    """Of one input: its likeliest label, and the score of every label, from 0 to 1."""

    label: str
    scores: dict[str, float]


class ClassifyUsage(Reply):
    """Tokens read, of labels too; written, by a chat model that judges; and how many inputs were cut."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    total_tokens: Count = 0
    truncated: Count = 0


class ClassifyReply(Reply):
    """Results in the order of the inputs."""

    model: str
    results: list[Classification]
    usage: ClassifyUsage = ClassifyUsage()


CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
"""OpenAI's, which its clients expect in every answer."""


class ModerationPart(Request):
    """One part of an input of several; pictures are not looked at, and refused."""

    type: Literal["text"]
    text: Text


def _moderated(value: object) -> object:
    """Texts, or the parts of one."""
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        if any(each.get("type") != "text" for each in value):
            raise ValueError('takes parts with "type": "text" only; the model reads no pictures')
        texts = [each.get("text") for each in value]
        check_inputs(texts)
        if len("\n".join(texts)) > MAX_INPUT_CHARACTERS:
            raise ValueError(f"must have at most {MAX_INPUT_CHARACTERS} characters, its parts together")
        return value
    return check_inputs(value)


class ModerationRequest(BaseModel):
    """Body of `POST /v1/moderations`."""

    model_config = ConfigDict(extra="ignore")

    model: str = "default"
    """A classification model with `moderation`; `default` and OpenAI's own names mean the one that is configured."""
    input: Annotated[str | list[str] | list[ModerationPart], BeforeValidator(_moderated)]
    """A text, a list of 1 to 256 texts, or the text parts of one input."""

    def texts(self) -> list[str]:
        """The inputs, each of which has a result; parts are one."""
        if isinstance(self.input, str):
            return [self.input]
        parts = [each.text for each in self.input if isinstance(each, ModerationPart)]
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
