"""What can be wrong with a call to the agent service."""

from __future__ import annotations

from servicekit.errors import Forbidden, InvalidRequest, NotFound, UpstreamTimeout


class ModelNotAnswerable(NotFound):
    """The model is not one that this service answers for."""

    code = "model_not_found"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"There is no model '{model[:100]}' here. Use 'rag:<collection>' (several: 'rag:a,b'); "
            "GET /v1/models lists what your key may use.",
            param="model",
        )


class CollectionNotNamed(InvalidRequest):
    """The part after `rag:` is not a list of collection names."""

    code = "invalid_collection"

    def __init__(self, why: str) -> None:
        super().__init__(f"{why} Write the model as 'rag:<collection>' or 'rag:a,b'.", param="model")


class CollectionNotAllowed(Forbidden):
    """The key's list of collections does not have this one."""

    code = "collection_not_allowed"

    def __init__(self, name: str) -> None:
        super().__init__(f"Your key may not use the collection '{name}'. Ask for a key that may.", param="model")


class QuestionMissing(InvalidRequest):
    """No user message, or one without text."""

    code = "question_missing"

    def __init__(self) -> None:
        super().__init__(
            "The conversation must end with a message of role 'user' that has text: it is the question.",
            param="messages",
        )


class QuestionTooLong(InvalidRequest):
    """The question is longer than search takes."""

    code = "question_too_long"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The question is longer than {limit:,} characters. Ask a shorter one.", param="messages")


class OptionNotSupported(InvalidRequest):
    """A field that means something for plain models only."""

    code = "option_not_supported"

    def __init__(self, name: str) -> None:
        super().__init__(f"'rag:' models do not take '{name}'. Leave it out, or call a plain model.", param=name)


class DeadlinePassed(UpstreamTimeout):
    """The whole answer took too long."""

    code = "deadline_passed"

    def __init__(self) -> None:
        super().__init__("The answer took longer than this service allows. Ask again, or lower top_k.")
