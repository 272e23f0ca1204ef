"""What a model says, as it goes out: defused once the run has read what others wrote.

Text of documents and of other computers can make a model write an image or a link that carries what it knows to
somebody. Whoever shows the run's text would fetch it; so there is none in it.
"""

from __future__ import annotations

from agent.messages import keepable
from agent.neutral import defused, settled
from agent.running.state import RunState

OWN = frozenset(("calculator", "current_time", "plan"))
"""Tools whose results nobody else has written."""


def has_read_others(state: RunState) -> bool:
    """Whether what the model reads holds words of documents or other computers."""
    said = (*state.get("earlier", ()), *state["messages"])
    return bool(state.get("summary")) or any(one["role"] == "tool" and one["name"] not in OWN for one in said)


class Speech:
    """The words of one step. With `careful` they go out as soon as what they belong to is complete."""

    def __init__(self, *, careful: bool) -> None:
        self._careful = careful
        self._heard = ""
        self._sent: list[str] = []

    @property
    def text(self) -> str:
        """All that went out."""
        return "".join(self._sent)

    def hear(self, words: str) -> str:
        """The text to send now that the model has said these words."""
        words = keepable(words)
        if not self._careful:
            self._sent.append(words)
            return words
        self._heard += words
        return self._send(settled(self._heard))

    def end(self) -> str:
        """What is left when the model has ended."""
        return self._send(len(self._heard))

    def _send(self, upto: int) -> str:
        piece, self._heard = defused(self._heard[:upto], self.text), self._heard[upto:]
        if piece:
            self._sent.append(piece)
        return piece
