"""Reading over HTTP: the gateway's model plane, where it is charged to the answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from http import HTTPStatus

from agent.ports import ReadPart
from contracts.models.reading import Languages, ReadingReply, ReadingRequest
from servicekit.core.clock import Clock
from servicekit.core.errors import ServiceError
from servicekit.peers.client import Peer, PeerMalformed

MADE_FOR_OTHERS = "unsupported_parameter"
"""The code of a model that can't tell what is asked. Where none reads, or the plane is older, it is 404."""
DEFAULT = "default"
KNOWN_FOR = timedelta(seconds=20)
"""So long after it was declared a reading model may be left out, and another's languages held to be its own."""


class PlaneReader:
    """`Reader` by the gateway's model plane. What no model reads is known for a while, not asked for each answer.

    Leaving a call closes its connection, and the model stops after the batch that it is at.
    """

    def __init__(
        self,
        peer: Peer,
        timeout_seconds: float,
        clock: Clock,
        model: str = DEFAULT,
        alone: set[str] | None = None,
    ) -> None:
        self._peer = peer
        self._model = model
        self._timeout = timeout_seconds
        self._clock = clock
        self._unread: dict[ReadPart, datetime] = {}
        self._languages: Languages | None = None
        self._languages_until = clock.now()
        self._alone: set[str] = set() if alone is None else alone

    def may_read(self, part: ReadPart) -> bool:
        """False for a while after the plane said that nothing reads it, or nothing that an answer could use."""
        return part not in self._unread or self._clock.now() >= self._unread[part]

    @property
    def languages(self) -> Languages | None:
        """As the last reply said it; unknown again after a while, since another model may be declared."""
        return self._languages if self._clock.now() < self._languages_until else None

    @property
    def alone(self) -> bool:
        """As this model's last reply to anybody said it."""
        return self._model in self._alone

    def named(self, model: str) -> PlaneReader:
        """For one answer: what it can't read, or reads well, is not known beforehand."""
        return PlaneReader(self._peer, self._timeout, self._clock, model, self._alone)

    async def read(self, request: ReadingRequest, token: str) -> ReadingReply | None:
        """`POST /v1/reading`."""
        named = request if self._model == DEFAULT else request.model_copy(update={"model": self._model})
        try:
            reply = await self._peer.call(
                "POST", "/v1/reading", ReadingReply, token=token, body=named, timeout_seconds=self._timeout
            )
        except ServiceError as error:
            if error.http_status != HTTPStatus.NOT_FOUND and error.code != MADE_FOR_OTHERS:
                raise
            self._note("passages" if request.passages else "pairs")
            return None
        if (len(reply.passages), len(reply.pairs)) != (len(request.passages), len(request.pairs)):
            raise PeerMalformed(self._peer.name)
        self._languages, self._languages_until = reply.languages, self._clock.now() + KNOWN_FOR
        (self._alone.add if reply.alone else self._alone.discard)(self._model)
        if request.passages and "answers" not in reply.reads:
            self._note("passages")  # their relevance alone is of no use to an answer
        return reply

    def _note(self, part: ReadPart) -> None:
        self._unread[part] = self._clock.now() + KNOWN_FOR
