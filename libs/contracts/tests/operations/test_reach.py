from __future__ import annotations

from contracts.operations.reach import DOCUMENTS, NO_MODEL, READS_RUN, RUN
from contracts.operations.table import OPERATIONS


def test_a_call_that_is_screened_in_no_way_reaches_no_model() -> None:
    assert not NO_MODEL.reaches_a_model
    assert READS_RUN.reaches_a_model, "what a model said is read there"
    assert (RUN.question, RUN.answer, READS_RUN.question) == (True, True, False)


def test_texts_that_nobody_screens_have_a_reason() -> None:
    for operation in OPERATIONS:
        if operation.reach.reaches_a_model:
            assert not operation.reach.why, operation.id
    assert (DOCUMENTS.reaches_a_model, "screened when" in DOCUMENTS.why) == (False, True)


def test_what_is_spared_is_a_field_of_the_body_and_never_one_that_a_model_reads() -> None:
    read = {"messages", "prompt", "input", "instructions", "query", "documents", "params", "decisions", "tools"}
    for operation in OPERATIONS:
        assert not operation.reach.spared & read, operation.id
    for reach in {operation.reach for operation in OPERATIONS if operation.reach.spared}:
        fields = {
            name
            for operation in OPERATIONS
            if operation.reach == reach and operation.request is not None
            for name in operation.request.model_fields
        }
        assert reach.spared <= fields, reach.spared - fields


def test_a_question_is_screened_only_where_a_body_comes_with_the_call() -> None:
    for operation in OPERATIONS:
        assert operation.request is not None or not operation.reach.question, operation.id
