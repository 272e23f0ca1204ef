"""Citations: a quote is exactly its span, or there is no citation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.answering.drafting.writer import Writer
from agent.answering.state import Event, Piece
from agent.grounding.citations import Citations, Support, can_cite
from agent.testing.scripted_answers import hit


@given(st.text(max_size=60), st.integers(-5, 70), st.integers(-5, 70), st.integers(0, 10_000), st.integers(-1, 1))
def test_a_quote_is_exactly_the_span_that_it_names(text: str, begin: int, end: int, start: int, slip: int) -> None:
    source = hit(text, start=start)
    source = source.model_copy(update={"end": max(0, source.end + slip)})
    document = "·" * start + text
    annotation = Citations().add(Support(source, (begin, end), 0.9), index=0)
    if annotation is not None:
        assert slip == 0 or source.end - source.start == len(text)
        assert document[annotation.start : annotation.end] == annotation.quote != ""
    assert (annotation is not None) == can_cite(Support(source, (begin, end), 0.9))


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 3), st.booleans()), max_size=12))
def test_each_marker_stands_at_its_offset_in_the_content(steps: list[tuple[str, int, bool]]) -> None:
    sources = [hit(f"Fact number {at} of the sources.", f"d{at}") for at in range(4)]
    events: list[Event] = []
    writer = Writer(events.append)
    for text, which, cited in steps:
        support = Support(sources[which], (0, 4), 0.8)
        if cited:
            writer.write_cited(text, " ", support)
        else:
            writer.write(text)
    writer.finish()
    pieces = [event for event in events if isinstance(event, Piece)]
    content = "".join(piece.text for piece in pieces)
    assert writer.length == len(content)
    assert not any(piece.annotations for piece in pieces[:-1]), "citations come with the last piece"
    for annotation in pieces[-1].annotations:
        assert content[annotation.index :].startswith(annotation.marker)
        cited = annotation.url_citation
        assert content[cited.start_index : cited.end_index] == annotation.marker


def test_each_citation_of_a_document_has_the_same_address() -> None:
    spans = (hit("Some text.", "a"), hit("Other text.", "a", start=50), hit("Some text.", "b"))
    citations = Citations("https://docs.example/")
    for source in (*spans, spans[0]):
        citations.add(Support(source, (0, 4), 1.0), index=0)
    urls = [one.url_citation.url for one in citations.annotations]
    assert (
        urls[0] == urls[1] == urls[3] == "https://docs.example/v1/collections/handbook/documents/a/content" != urls[2]
    )


@pytest.mark.parametrize("source", ["javascript:alert(1)", "//evil.example/x", "https://a.example/ <img>", "a.md"])
def test_only_an_address_of_the_web_is_linked_as_it_is(source: str) -> None:
    cited = Citations().add(Support(hit("Some text.", "a", source=source), (0, 4), 1.0), index=0)
    assert cited is not None
    assert cited.url_citation.url == "/v1/collections/handbook/documents/a/content"


def test_sources_are_numbered_in_the_order_in_which_they_are_cited() -> None:
    first, second, third = (hit("Some text.", name) for name in ("a", "b", "c"))
    citations = Citations()
    for source in (third, first, third):
        citations.add(Support(source, (0, 4), 1.0), index=0)
    assert [one.marker for one in citations.annotations] == ["[1]", "[2]", "[1]"]
    listed = citations.sources([first, second, third])
    assert [(one.number, one.document_id) for one in listed] == [(1, "c"), (2, "a"), (3, "b")]
