from __future__ import annotations

import inspect

from agent.answering import errors
from servicekit.core.errors import ServiceError

LONG = "x" * 5000
ALL: list[tuple[ServiceError, int, str]] = [
    (errors.FormNeedsModel(), 400, "model_needed"),
    (errors.FieldsUnsupported([LONG, "/b", "/c", "/d"]), 400, "fields_unsupported"),
    (errors.FieldsUnsupported(()), 400, "fields_unsupported"),
    (errors.OutputUnfit([LONG]), 502, "invalid_output"),
    (errors.ImagesNotRead(3), 400, "content_unsupported"),
]


def test_each_says_what_to_do_in_bounded_length() -> None:
    own = {value for value in vars(errors).values() if inspect.isclass(value) and value.__module__ == errors.__name__}
    assert {type(error) for error, *_ in ALL} == own
    for error, status, code in ALL:
        body = error.body("req_1")
        assert (error.http_status, body.code) == (status, code)
        assert body.message.endswith(".")
        assert len(body.message) < 800
