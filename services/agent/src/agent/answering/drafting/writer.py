"""Sends the answer's text piece by piece, always one behind, so that the last piece can carry the citations."""

from __future__ import annotations

from collections.abc import Callable

from agent.answering.state import Event, Piece
from agent.grounding.citations import Citations, Support, can_cite
from agent.metrics import CITATIONS
from agent.relevance.passages import Passage


class Writer:
    """The content of one answer as it goes out. Offsets are code points of what was written."""

    def __init__(self, send: Callable[[Event], None], public_url: str = "") -> None:
        self._send = send
        self._held = ""
        self.length = 0
        self.citations = Citations(public_url)
        self.cited: list[Support] = []
        """What was cited in this section, in order."""
        self.contradicted: list[Passage] = []
        """Passages that contradict what stands in this section without a citation."""
        self._heading = ""
        self._begun_at = 0

    @property
    def empty(self) -> bool:
        """Whether nothing was written yet, or nothing since the section began."""
        return self.length == self._begun_at

    def begin(self, heading: str) -> None:
        """A section of the answer begins. Its heading is written with its first words, if there are any."""
        self._heading = f"\n\n{heading}\n" if self.length else f"{heading}\n"
        self._begun_at = self.length
        self.cited, self.contradicted = [], []

    def write(self, text: str) -> None:
        """The next characters; what came before them is sent."""
        if not text:
            return
        text, self._heading = self._heading + text, ""
        if self._held:
            self._send(Piece(self._held))
        self._held = text
        self.length += len(text)

    def cite(self, support: Support) -> bool:
        """A marker after what was written last; False, and nothing written, if its quote can't be exact."""
        annotation = self.citations.add(support, self.length + 1)
        if annotation is None:
            return False
        self.cited.append(support)
        self._held += f" {annotation.marker}"
        self.length += len(annotation.marker) + 1
        CITATIONS.inc()
        return True

    def write_cited(self, text: str, separator: str, support: Support) -> bool:
        """A sentence and its marker, or neither."""
        if not text or not can_cite(support):
            return False
        self.write(("" if self.empty else separator) + text)
        return self.cite(support)

    def finish(self) -> None:
        """Send the last piece with all citations."""
        self._send(Piece(self._held, list(self.citations.annotations)))
        self._held = ""
