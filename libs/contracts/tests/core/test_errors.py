from __future__ import annotations

from libs.contracts.tests.refusals import refused_field

from contracts.core.errors import ErrorBody, ErrorEnvelope

BODY = {"type": "not_found", "code": "job_not_found", "message": "There is no job 'a'."}


def test_an_error_has_openais_shape_with_every_field_there() -> None:
    shown = ErrorEnvelope(error=ErrorBody.model_validate(BODY)).model_dump(mode="json")
    assert shown == {"error": {**BODY, "param": None, "request_id": None}}


def test_an_error_s_type_is_one_of_a_closed_set_and_its_code_any_word() -> None:
    assert refused_field(ErrorBody, {**BODY, "type": "teapot"}) == "type"
    assert ErrorBody.model_validate({**BODY, "code": "of_a_later_release"}).code == "of_a_later_release"


def test_an_error_of_a_later_release_is_read_without_what_is_not_known() -> None:
    envelope = ErrorEnvelope.model_validate({"error": {**BODY, "help": "https://…"}, "more": []})
    assert "help" not in envelope.error.model_dump()


def test_what_is_no_envelope_is_not_taken_for_one() -> None:
    assert refused_field(ErrorEnvelope, {"error": "broken"}) == "error"
    assert refused_field(ErrorEnvelope, {"detail": "Not Found"}) == "error"
