"""What a response can't be asked for here, said by name."""

from __future__ import annotations

from servicekit.core.errors import InvalidRequest, NotFound

WITHOUT_STORE = "Responses are not kept here: send the whole conversation in 'input', with store: false"


class UnknownParameter(InvalidRequest):
    """A field that no response has, in OpenAI's words."""

    code = "unknown_parameter"

    def __init__(self, name: str) -> None:
        super().__init__(f"Unknown parameter: '{name[:100]}'.", param=name[:100])


class NotKept(InvalidRequest):
    """A field that needs responses to be kept."""

    code = "responses_not_kept"

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is not supported. {WITHOUT_STORE}.", param=name)


class ResponseNotKept(NotFound):
    """Somebody asks for a response of before."""

    code = "responses_not_kept"

    def __init__(self) -> None:
        super().__init__(f"There is no such response. {WITHOUT_STORE}.")


class Unsupported(InvalidRequest):
    """A value that asks for what is not there."""

    code = "unsupported_parameter"

    def __init__(self, param: str, what: str) -> None:
        super().__init__(f"{param}: {what}.", param=param)
