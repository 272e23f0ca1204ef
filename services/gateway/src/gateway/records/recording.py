"""What one call asked and was answered, gathered while it runs, and handed to the writer when it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from contracts.access.guardrails import GuardDecision, Guardrails
from contracts.access.records import RecordMode
from contracts.models.chat import ChatRequest, Message
from contracts.models.receipts import Attempt
from contracts.models.versions import ModelVersion
from gateway.auth.keys import Principal
from gateway.records.answer import answer_in
from gateway.records.errors import RecordHeaderUnclear
from gateway.streaming.observer import StreamObserver
from gateway.usage.meter import MeteredCall
from gateway.usage.records import UsageRecord

NOT_KNOWN = ModelVersion()
MOST_ANSWER_BYTES = 2 * 1024 * 1024
"""Of one answer as it went out, frames and all; what follows is not recorded."""


class Room(Protocol):
    """Memory for what is not written yet, and where it goes in the end."""

    def hold(self, size: int) -> bool:
        """Whether there is room for so many bytes more; then they are held."""
        ...

    def submit(self, recording: Recording) -> None:
        """Write it soon, or count it as lost."""
        ...

    def release(self, size: int) -> None:
        """Nothing is to be written of so many bytes."""
        ...


@dataclass(slots=True)
class Recording:
    """One call's record while it is made."""

    room: Room
    mode: RecordMode
    expires_at: datetime
    guardrails: Guardrails
    user: str | None
    request: ChatRequest
    """As it was asked until it is screened, then what guardrails have left of it."""
    id_of: Callable[[str], str]
    """Of a chat's id, the id that the caller saw."""
    size: int = 0
    """Bytes of memory that it holds: of the request, the answer and the sources."""
    answer_bytes: int = 0
    source_bytes: int = 0
    answer_id: str = ""
    """Of the answer's first piece, also where there is no room for the piece itself."""
    frames: list[bytes] = field(default_factory=list)
    truncated: bool = False
    sources_lost: bool = False
    """Whether there was no room for them."""
    prompt_messages: Sequence[Message] = ()
    """What a prompt put before the messages of the request."""
    prompt_lost: bool = False
    """Whether there was no room for these."""
    version: ModelVersion = NOT_KNOWN
    attempts: Sequence[Attempt] = ()
    decisions: Sequence[GuardDecision] = ()
    receipt: dict[str, Any] | None = None
    sources: list[Any] | None = None
    variant: str | None = None
    prompt: str | None = None
    usage: UsageRecord | None = None
    """Set when the call has ended."""
    error: tuple[str, str] | None = None

    def keep_prompt(self, messages: Sequence[Message], size: int) -> None:
        """A prompt was filled: what a model is asked before the caller's own messages, in so many bytes."""
        if self.mode == "full":
            self.prompt_lost = not self._hold(size)
            self.prompt_messages = () if self.prompt_lost else messages

    def begin(self) -> None:
        """An answer begins; what an attempt before it said was not the answer."""
        self._give_back(self.answer_bytes)
        self.frames, self.truncated, self.answer_bytes, self.answer_id = [], False, 0, ""

    def keep(self, piece: bytes) -> None:
        """A piece of the answer goes out. Without words it is its id and its report that count."""
        if not piece or piece.startswith(b":"):
            return
        if self.mode != "full" and self.frames and b'"groundwork":' not in piece:
            return
        if self.truncated or self.answer_bytes + len(piece) > MOST_ANSWER_BYTES or not self._hold(len(piece)):
            if not self.truncated and not self.frames:
                self.answer_id = answer_in([piece], streamed=self.request.stream).id
            self.truncated = True
            return
        self.answer_bytes += len(piece)
        self.frames.append(piece)

    def report(self, receipt: dict[str, Any] | None, sources: object) -> None:
        """What an answer from documents told of itself, also where its caller did not ask for it."""
        self.receipt = receipt if receipt is not None else self.receipt
        if not isinstance(sources, list):
            return
        self._give_back(self.source_bytes)
        size = memory_of(sources)
        self.sources_lost = not self._hold(size)
        self.sources, self.source_bytes = (None, 0) if self.sources_lost else (sources, size)

    def end(self, call: MeteredCall, usage: UsageRecord | None, error: tuple[str, str] | None) -> None:
        """The call has ended, one way or another; one without a row was not let in."""
        if usage is None:
            self.room.release(self.size)
            return
        self.usage, self.error, self.prompt = usage, error, call.prompt
        if call.answered_by.model is not None or self.version.model is None:
            self.version = call.answered_by
        self.room.submit(self)

    def _hold(self, size: int) -> bool:
        if not self.room.hold(size):
            return False
        self.size += size
        return True

    def _give_back(self, size: int) -> None:
        if size:
            self.size -= size
            self.room.release(size)


def memory_of(value: object) -> int:
    """Of parsed JSON, in bytes."""
    size = sys.getsizeof(value)
    if isinstance(value, dict):
        return size + sum(map(memory_of, value.values()))
    return size + sum(map(memory_of, value)) if isinstance(value, list) else size


class Keeper(Protocol):
    """Keeps an answer as it goes out."""

    def begin(self) -> None:
        """An answer begins; what an attempt before it said was not the answer."""
        ...

    def keep(self, piece: bytes) -> None:
        """A piece of the answer goes out."""
        ...


class RecordObserver:
    """Passes everything to another observer, and keeps what that lets out."""

    def __init__(self, observer: StreamObserver, recording: Keeper) -> None:
        self._observer = observer
        self._recording = recording
        recording.begin()

    async def frame(self, frame: bytes) -> bytes:
        """Kept as it goes out."""
        out = await self._observer.frame(frame)
        self._recording.keep(out)
        return out

    async def whole(self, body: bytes) -> bytes:
        """Kept as it goes out."""
        out = await self._observer.whole(body)
        self._recording.keep(out)
        return out

    async def last(self) -> bytes:
        """Kept as it goes out."""
        out = await self._observer.last()
        self._recording.keep(out)
        return out

    def cut_off(self) -> None:
        """The other observer's."""
        self._observer.cut_off()

    def close(self) -> None:
        """The other observer's."""
        self._observer.close()


def is_recorded(principal: Principal, header: str | None) -> bool:
    """Whether a key's call leaves a record, by the key and the call's own `X-Groundwork-Record`. Raises
    `RecordHeaderUnclear`."""
    leave = (header or "yes").strip().lower()
    if leave not in ("yes", "no"):
        raise RecordHeaderUnclear(header or "")
    return principal.records != "off" and leave == "yes"


def begin_recording(
    room: Room, call: MeteredCall, request: ChatRequest, size: int, header: str | None, id_of: Callable[[str], str]
) -> Recording | None:
    """Record a call, if its key wants that and the call itself does not forbid it; `size` is its body's, in bytes.

    Raises `RecordHeaderUnclear`.
    """
    principal: Principal = call.principal
    if not is_recorded(principal, header) or not room.hold(size):
        return None
    more = request.model_extra or {}
    user = next((more[name] for name in ("user", "safety_identifier") if isinstance(more.get(name), str)), None)
    recording = Recording(
        room=room,
        mode=principal.records,
        expires_at=call.started_at + timedelta(days=principal.records_days),
        guardrails=principal.guardrails,
        user=user,
        request=request,
        id_of=id_of,
        size=size,
    )
    call.on_end = recording.end
    return recording
