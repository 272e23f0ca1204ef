"""Long documents in parts: what is cut from parts is what the whole document's text says, wherever reading resumed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from libs.extraction.tests.cases import documents

from contracts.retrieval.collections import Chunking
from extraction.chunking.chunker import Chunker
from extraction.chunking.tokens import Tokens
from extraction.model.document import PART_JOINT, Builder, Extracted
from extraction.model.parts import split
from ingest.parts.files import NOTHING, Part, as_inputs, dump, load


@st.composite
def built(draw: st.DrawFn) -> Extracted:
    builder = Builder()
    for _ in range(draw(st.integers(1, 12))):
        if draw(st.booleans()):
            builder.heading(draw(st.text("abc ", min_size=1, max_size=20)), draw(st.integers(1, 3)))
        builder.block("paragraph", draw(st.text("abc. é漢\n", min_size=1, max_size=200)))
    return builder.finish()


@given(document=built(), chars=st.integers(1, 300))
def test_chunks_of_parts_are_slices_of_the_whole_in_order_and_cover_it(
    document: Extracted, chars: int, tokens: Tokens
) -> None:
    cutter = Chunker(tokens, Chunking(max_tokens=16), 64)
    last, texts, sent = NOTHING, [], []
    for extracted in split(document, chars):
        chunks = cutter.cut(extracted, "title")
        size = (len(extracted.text), last.next_chunk, len(chunks))
        last = Part(last.number + 1, "", "", last.next_start, *size, None, extracted.done)
        sent += as_inputs(last, extracted.text, chunks, last.first_chunk, last.next_chunk)
        texts += [extracted.text] if extracted.text else []
    text = PART_JOINT.join(texts)
    assert text == document.text
    assert [chunk.ordinal for chunk in sent] == list(range(len(sent)))
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in sent)
    missing = set(range(len(text))).difference(*(range(chunk.start, chunk.end) for chunk in sent))
    assert all(text[place].isspace() for place in missing)


@given(document=documents())
def test_what_is_kept_of_a_part_is_read_back_as_it_was(document: Extracted, tokens: Tokens) -> None:
    chunks = Chunker(tokens, Chunking(max_tokens=16), 64).cut(document, "title")
    assert load(document.text, dump(document, chunks)) == (document, chunks)
