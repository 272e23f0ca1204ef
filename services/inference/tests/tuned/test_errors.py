from __future__ import annotations

import pytest

from inference.tuned import errors
from servicekit.core.errors import ServiceError


@pytest.mark.parametrize(
    ("error", "status", "code", "says"),
    [
        (errors.NotTunable("m"), 400, "model_not_tunable", "one GGUF file"),
        (errors.EncoderNotTunable("m"), 400, "model_not_tunable", "Leave 'form' out"),
        (errors.EncoderNotTunable("m", "reading"), 400, "model_not_tunable", "Choose one such, as the packaged one is"),
        (errors.TunedNameTaken("m+s"), 409, "model_name_taken", "another suffix"),
        (errors.TooManyTunedModels(3), 409, "too_many_tuned_models", "has 3 tuned models"),
        (errors.ParentReplaced("m"), 409, "base_model_replaced", "Start another job"),
        (errors.AdapterIncomplete("j"), 409, "adapter_incomplete", "Publish it again"),
        (errors.AdapterTooLarge(1000), 400, "adapter_too_large", "1,000 bytes"),
    ],
)
def test_an_error_says_what_is_wrong_and_what_to_do(error: ServiceError, status: int, code: str, says: str) -> None:
    assert (error.http_status, error.code) == (status, code)
    assert says in error.message
