"""What can be wrong with a chat's model or options."""

from __future__ import annotations

from servicekit.core.errors import (
    InvalidRequest,
    UpstreamTimeout,
)


class OptionsNeedDocuments(InvalidRequest):
    """`groundwork` options were sent to a plain model."""

    code = "options_need_documents"

    def __init__(self) -> None:
        super().__init__(
            "The field 'groundwork' needs a 'rag:<collection>' model; a plain model would not heed it.",
            param="groundwork",
        )


class VariablesNeedPrompt(InvalidRequest):
    """Variables were sent to a model that has none."""

    code = "variables_need_prompt"

    def __init__(self) -> None:
        super().__init__(
            "'groundwork.variables' are those of a prompt of your own, not of one that ships; name it as the model, "
            "'prompt:<name>', or leave them out.",
            param="groundwork.variables",
        )


class TooManyCollections(InvalidRequest):
    """A `rag:` name lists more collections than one answer may draw on."""

    code = "too_many_collections"

    def __init__(self, most: int) -> None:
        super().__init__(f"One answer can draw on at most {most} collections.", param="model")


class FirstPieceTimeout(UpstreamTimeout):
    """A stream that says nothing."""

    code = "first_piece_timeout"

    def __init__(self) -> None:
        super().__init__("The model did not begin its answer in time. Try again, or use another model.")
