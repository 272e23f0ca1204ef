"""What a model says, as it goes out: with nothing live in it.

Text of documents, of other computers, or pasted by a person can make a model write an image or a link that carries
what it knows to somebody. Whoever shows the run's text would fetch it; so there is none in it.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.sanitisation.sanitiser import Sanitiser
from agent.threads.messages import keepable


class EmittedText:
    """The words of one step. They go out as soon as they can't change any more; with `whole` once all are there."""

    def __init__(self, whole: Callable[[str], str] | None = None) -> None:
        self._whole = whole
        self._through = Sanitiser(shaped=True)
        self._received: list[str] = []
        self._sent: list[str] = []

    @property
    def received(self) -> str:
        """All that the model said."""
        return "".join(self._received)

    @property
    def text(self) -> str:
        """All that went out."""
        return "".join(self._sent)

    def feed(self, words: str) -> str:
        """The text to send now that the model has said these words."""
        self._received.append(keepable(words))
        return self._send(self._through.feed(words)) if self._whole is None else ""

    def end(self) -> str:
        """What is left when the model has ended."""
        whole = self._whole
        return self._send(
            self._through.end() if whole is None else whole(self.received) if self.received.strip() else ""
        )

    def _send(self, piece: str) -> str:
        if piece:
            self._sent.append(piece)
        return piece
