from __future__ import annotations

import pytest

from contracts.operations.agents import GET_RUN
from contracts.operations.documents import CREATE_DOCUMENTS, GET_DOCUMENT, GET_DOCUMENT_TEXT, LIST_COLLECTIONS


def test_a_path_is_filled_in_in_order_and_quoted() -> None:
    assert GET_RUN.path_of("t 1", "r/2") == "/v1/threads/t%201/runs/r%2F2"
    assert CREATE_DOCUMENTS.path_of("hb") == "/v1/collections/hb/documents:batch"
    assert LIST_COLLECTIONS.path_of() == "/v1/collections"


def test_a_value_with_braces_is_no_parameter() -> None:
    assert GET_DOCUMENT.path_of("{id}", "a") == "/v1/collections/%7Bid%7D/documents/a"


@pytest.mark.parametrize("values", [(), ("hb",), ("hb", "a", "b")])
def test_a_path_takes_as_many_values_as_it_has_parameters(values: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match="takes"):
        GET_DOCUMENT_TEXT.path_of(*values)
