from __future__ import annotations

import pytest

from inference.engines.logits_processors import LogitsProcessors
from inference.errors import SchemaUnsupported
from inference.requests.generation_request import GenerationRequest, Sampling

PROCESSORS = LogitsProcessors.for_bytes()
SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False}


def _request(schema: dict[str, object] | None) -> GenerationRequest:
    return GenerationRequest((), None, 1, (), Sampling(), schema, None)


def test_free_text_has_no_processor() -> None:
    assert PROCESSORS.create(_request(None)) is None


def test_only_tokens_that_lead_to_the_form_are_allowed() -> None:
    processor = PROCESSORS.create(_request(SCHEMA))
    assert processor is not None
    assert processor.again().fits(list(b'{"a": true}'))
    assert not processor.again().fits(list(b'{"a": 1}'))
    fresh = processor.again()
    assert [chr(each) for each in range(256) if fresh.allowed()[each]] == ["{"]


def test_a_schema_that_nothing_fits_is_refused_by_its_place() -> None:
    with pytest.raises(SchemaUnsupported) as refused:
        PROCESSORS.create(_request({"type": "string", "minLength": 3, "maxLength": 1}))
    assert refused.value.param == "response_format.json_schema.schema"
