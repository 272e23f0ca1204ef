"""What can be wrong with an answer to a form, or to pictures."""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.core.errors import InvalidRequest, UpstreamFailed

CONNECT = "Name one in `groundwork.model` (GET /v1/models lists them), or have one connected: `groundwork model add`."


class FormNeedsModel(InvalidRequest):
    """There is no model that fills in schemas."""

    code = "model_needed"

    def __init__(self) -> None:
        super().__init__(
            f"A `response_format` with a schema needs a larger model than the packaged one. {CONNECT}",
            param="response_format",
        )


class FieldsUnsupported(InvalidRequest):
    """No source says what a field needs, and the schema has no way to leave it empty."""

    code = "fields_unsupported"

    def __init__(self, pointers: Sequence[str]) -> None:
        named = ", ".join(f"'{pointer[:60]}'" for pointer in pointers[:3]) or "what the schema requires"
        super().__init__(
            f"The documents do not say {named}, and the schema allows no null there. Allow it "
            '(`{"type": ["string", "null"]}`), take the field out of `required`, or set `groundwork.grounding` to '
            "`annotate`, which keeps what no document supports.",
            param="response_format.json_schema.schema",
        )


class OutputUnfit(UpstreamFailed):
    """The model's answer does not fit the schema, also when it was told so."""

    code = "invalid_output"

    def __init__(self, wrong: Sequence[str]) -> None:
        super().__init__(
            f"The model's answer does not fit the schema ({'; '.join(wrong)[:300]}). Ask again with a simpler schema, "
            "more `max_tokens`, or another `groundwork.model`."
        )


class ImagesNotRead(InvalidRequest):
    """The model that would answer reads no pictures."""

    code = "content_unsupported"

    def __init__(self, number: int) -> None:
        super().__init__(
            f"Message {number} holds a picture, and the model that answers is not known to read any. Name one whose "
            "entry in GET /v1/models says `images: true` in `groundwork.model`, or leave the picture out.",
            param=f"messages.{number}.content",
        )
