"""Reads a chat request: which collections, which question, and what was said before."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.errors import (
    CollectionNotAllowed,
    CollectionNotNamed,
    ContentNotText,
    ModelNotAnswerable,
    OptionNotSupported,
    QuestionMissing,
    QuestionTooLong,
    ToolsNotCalled,
)
from agent.questions.messages.manner import NO_MANNER, Manner, read_manner
from agent.questions.messages.message import UserMessage, read_message
from agent.questions.output_form import OutputForm, read_output_form
from contracts.access.delegation import Delegation
from contracts.core.abstention import Abstain
from contracts.core.base import NAME
from contracts.models.catalog import MAX_COLLECTIONS, RAG, rag_collections
from contracts.models.chat import AnswerOptions, ChatRequest, TextPart

MAX_QUESTION = 8_000
"""Characters."""
MAX_MESSAGE = 64_000
"""Characters of a message whose question is looked for among what was pasted beside it."""
MAX_INSTRUCTIONS = 4_000
"""Characters."""
SYSTEM_ROLES = ("system", "developer")
MAX_TURNS = 6
"""Earlier questions that a follow-up may lean on."""
IMAGE = "image_url"
PLAIN_ONLY = ("logprobs", "audio")


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as it came, and the number of its message."""

    message: int
    part: TextPart


@dataclass(frozen=True)
class Conversation:
    """One question with its past, and how it is to be answered."""

    collections: tuple[str, ...]
    question: str
    """What is asked, without labels, instructions and pasted context."""
    earlier: tuple[str, ...] = ()
    """Earlier questions, oldest first."""
    instructions: str = ""
    """The caller's own system messages."""
    manner: Manner = NO_MANNER
    """What the last message says about how to answer."""
    context_pasted: bool = False
    """Whether that message has context of its own beside the question."""
    instructions_truncated: bool = False
    options: AnswerOptions = field(default_factory=AnswerOptions)
    images: tuple[Image, ...] = ()
    """The pictures of all that the user has sent."""
    form: OutputForm | None = None
    """The schema that the answer is to fill in."""
    tenant: str = ""
    abstain: Abstain | None = None
    """Who decides for the key that there is no answer."""


def read_conversation(request: ChatRequest, delegation: Delegation) -> Conversation:
    """The conversation of a request; raises what is wrong with it, before any work is done."""
    collections = _collections(request.model, delegation)
    images = tuple(_images(request))
    refuse_plain_options(request, images)
    said = _last_message(request)
    earlier = _earlier_questions(request)
    if not said.asks and earlier:  # "In German, please": the question before, to be answered in another way
        said = UserMessage(earlier.pop(), said.directives)
    system = "\n".join(message.plain_text() for message in request.messages if message.role in SYSTEM_ROLES)
    return Conversation(
        collections=collections,
        question=said.question,
        earlier=tuple(earlier)[-MAX_TURNS:],
        instructions=system[:MAX_INSTRUCTIONS],
        manner=read_manner(said.directives),
        context_pasted=bool(said.context),
        instructions_truncated=len(system) > MAX_INSTRUCTIONS,
        options=request.groundwork or AnswerOptions(),
        images=images,
        form=read_output_form((request.model_extra or {}).get("response_format")),
        tenant=delegation.tenant,
        abstain=delegation.abstain,
    )


def _last_message(request: ChatRequest) -> UserMessage:
    """The last message of the user, read; raises where it has no question, or one that is too long."""
    text = request.question().strip()
    if not any(character.isalnum() for character in text):
        raise QuestionMissing
    said = read_message(text) if len(text) <= MAX_MESSAGE else UserMessage(text)
    if len(said.question) > MAX_QUESTION:
        raise QuestionTooLong(MAX_QUESTION)
    return said


def _earlier_questions(request: ChatRequest) -> list[str]:
    """The questions of the messages before; what only says how to answer asks nothing."""
    asked = [message.plain_text().strip() for message in request.messages if message.role == "user"][:-1]
    read = [read_message(text[:MAX_MESSAGE]) for text in asked[-2 * MAX_TURNS :] if text]
    return [one.question[:MAX_QUESTION] for one in read if one.asks]


def _collections(model: str, delegation: Delegation) -> tuple[str, ...]:
    if not model.startswith(RAG):
        raise ModelNotAnswerable(model)
    names = tuple(rag_collections(model))
    for name in names:
        if not NAME.fullmatch(name):
            raise CollectionNotNamed(f"'{name[:70]}' is not the name of a collection.")
        if not delegation.allows_collection(name):
            raise CollectionNotAllowed(name)
    if len(names) > MAX_COLLECTIONS:
        raise CollectionNotNamed(f"{len(names)} collections are too many; at most {MAX_COLLECTIONS} go together.")
    return names


def refuse_plain_options(request: ChatRequest, images: Collection[Image] = ()) -> None:
    """Raise for what only plain models take; these images are read. Tools are passed over unless the answer has to be a
    call of one."""
    _refuse_other_than_text(request, images)
    if request.n is not None and request.n != 1:
        raise OptionNotSupported("n")
    extra = request.model_extra or {}
    for name in PLAIN_ONLY:
        if extra.get(name):
            raise OptionNotSupported(name)
    if extra.get("modalities") not in (None, [], ["text"]):
        raise OptionNotSupported("modalities")
    for name in ("tool_choice", "function_call"):
        if not _leaves_tools_open(extra.get(name)):
            raise ToolsNotCalled(name)


def refuse_output_forms(request: ChatRequest) -> None:
    """Raise for a schema that an agent's answer is to fit: its own definition says whether it has one."""
    shape = (request.model_extra or {}).get("response_format")
    if isinstance(shape, dict) and shape.get("type", "text") != "text":
        raise OptionNotSupported("response_format")


def _images(request: ChatRequest) -> Iterator[Image]:
    for number, message in enumerate(request.messages):
        if message.role == "user" and isinstance(message.content, list):
            yield from (Image(number, part) for part in message.content if part.type == IMAGE)


def _refuse_other_than_text(request: ChatRequest, images: Collection[Image]) -> None:
    read = [image.part for image in images]
    for number, message in enumerate(request.messages):
        for part in message.content if isinstance(message.content, list) else ():
            if part.type != "text" and not any(part is image for image in read):
                raise ContentNotText(number, part.type)


def _leaves_tools_open(choice: Any) -> bool:
    """Whether an answer without a call is one that the caller allows."""
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        choice = allowed.get("mode") if isinstance(allowed, dict) else choice
    return choice in (None, "auto", "none")
