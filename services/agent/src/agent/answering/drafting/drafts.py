"""Cuts a model's draft into sentences while it arrives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from agent.text.sentences import sentences


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """One sentence or line, and the white space that stood before it (a line break or a space)."""

    text: str
    separator: str


async def partial_sentences(pieces: AsyncIterator[str]) -> AsyncIterator[tuple[DraftSentence, bool]]:
    """The current sentence each time that it has grown, with False; and once when it is whole, with True."""
    buffer, separator = "", ""
    async for piece in pieces:
        buffer += piece
        while "\n" in buffer:
            line, buffer = buffer.split("\n", 1)
            for begin, end in sentences(line):
                yield DraftSentence(line[begin:end], separator), True
                separator = " "
            separator = "\n" if separator else ""
        spans = sentences(buffer)
        for begin, end in spans[:-1]:
            yield DraftSentence(buffer[begin:end], separator), True
            separator = " "
        if spans:
            buffer = buffer[spans[-1][0] :]
            yield DraftSentence(buffer, separator), False
    for begin, end in sentences(buffer):
        yield DraftSentence(buffer[begin:end], separator), True
        separator = " "


async def sentences_of(pieces: AsyncIterator[str]) -> AsyncIterator[DraftSentence]:
    """Each sentence when it is whole."""
    async for sentence, whole in partial_sentences(pieces):
        if whole:
            yield sentence
