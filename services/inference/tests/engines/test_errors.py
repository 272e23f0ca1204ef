from __future__ import annotations

import pytest

from inference.engines import errors
from servicekit.core.errors import ServiceError


@pytest.mark.parametrize(
    ("error", "status", "code", "param", "says"),
    [
        (errors.LabelsMissing("words"), 400, "labels_missing", "labels", "'words' has no labels"),
        (errors.LabelsAlike(), 400, "labels_alike", "labels", "masked"),
        (
            errors.ProjectionUnusable("words+manuals", "it is lost"),
            409,
            "projection_unusable",
            "model",
            "it is lost. Learn it again",
        ),
        (errors.HeadUnusable("triage", "it is lost"), 409, "head_unusable", "model", "it is lost. Train it again"),
        (errors.InputsTooLong(1024), 400, "inputs_too_long", "input", "1024 parts"),
    ],
)
def test_an_error_says_what_is_wrong_with_what(
    error: ServiceError, status: int, code: str, param: str, says: str
) -> None:
    assert (error.http_status, error.code, error.param) == (status, code, param)
    assert says in error.message
