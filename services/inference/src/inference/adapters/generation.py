"""One generation in a thread: tokens in, text out to the event loop, stoppable at every layer of the model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import structlog

from inference.conversation import Order, last_piece, text_piece, usage_of
from inference.ports import Piece
from inference.stops import StopScanner
from servicekit.errors import Internal, ServiceError

log = structlog.get_logger(__name__)


class GenerationFailed(Internal):
    """The model failed."""

    code = "generation_failed"

    def __init__(self, model: str) -> None:
        super().__init__(f"The model '{model}' failed on this conversation. Give your operator the request id.")


class Abandoned(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to generate."""

    torch: Any
    model: Any
    tokenizer: Any
    """The `tokenizers` object, for ids and text."""
    template: Any
    """The `transformers` tokenizer, for its chat template."""
    ends: frozenset[int]
    """Ids that end an answer."""


class Generation:
    """Runs in a thread (`run`); its pieces arrive on the event loop (`pieces`), the last one or an error at the end."""

    def __init__(
        self,
        name: str,
        loaded: Loaded,
        order: Order,
        prompt: list[int],
        room: int,
        progressed: Callable[[], None],
    ) -> None:
        self._name = name
        self._loaded = loaded
        self._order = order
        self._prompt = prompt
        self._room = room
        self._progressed = progressed
        self._loop = asyncio.get_running_loop()
        self._abandoned = threading.Event()
        self._scanner = StopScanner(order.stops)
        self._written = 0
        self._reason = "length"
        self.pieces: asyncio.Queue[Piece | ServiceError] = asyncio.Queue()

    def abandon(self) -> None:
        """Stop at the next layer."""
        self._abandoned.set()

    def check(self) -> None:
        """Raise `Abandoned` once nobody waits; called before each layer."""
        if self._abandoned.is_set():
            raise Abandoned

    def run(self) -> None:
        """Generate to the end."""
        try:
            self.check()
            self._generate()
            if rest := self._scanner.flush():
                self._send(text_piece(rest))
            self._send(last_piece(self._reason, usage_of(len(self._prompt), self._written)))
        except Abandoned:
            log.debug("generation abandoned", model=self._name, written=self._written)
        except Exception as error:  # the thread's outermost level: the caller must hear of it
            log.exception("generation failed", model=self._name, exc_info=error)
            self._send(GenerationFailed(self._name))

    def _generate(self) -> None:
        from tokenizers.decoders import DecodeStream  # loaded with the model, not with the service
        from transformers import GenerationConfig

        torch, order = self._loaded.torch, self._order
        if order.temperature > 0:
            torch.manual_seed(order.seed) if order.seed is not None else torch.seed()
        decoder = DecodeStream(skip_special_tokens=True)

        def on_token(ids: Any, *_: Any, **__: Any) -> Any:
            self.check()
            self._progressed()
            stop = self._take(int(ids[0, -1]), decoder)
            return torch.tensor([stop])

        ids = torch.tensor([self._prompt])
        sampling = {"temperature": order.temperature, "top_p": order.top_p, "top_k": 0} if order.temperature else {}
        with torch.inference_mode():
            self._loaded.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=GenerationConfig(
                    max_new_tokens=self._room,
                    do_sample=order.temperature > 0,
                    eos_token_id=sorted(self._loaded.ends),
                    pad_token_id=min(self._loaded.ends),
                    **sampling,
                ),
                stopping_criteria=[on_token],
            )

    def _take(self, token: int, decoder: Any) -> bool:
        if token in self._loaded.ends:
            self._reason = "stop"
            return True
        self._written += 1
        text = decoder.step(self._loaded.tokenizer, token)
        shown = self._scanner.feed(text) if text else ""
        if shown:
            self._send(text_piece(shown))
        if self._scanner.found:
            self._reason = "stop"
        return self._scanner.found

    def _send(self, piece: Piece | ServiceError) -> None:
        try:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)
        except RuntimeError:  # the event loop has ended: so has everybody who could read this
            raise Abandoned from None
