"""Circuit breakers: a model that keeps failing is left alone for a while, then tried by one call, on all replicas.

Nothing here waits for Redis on the way of a call: each replica counts what it sees, a task exchanges counts and states
every second, and only the one probe of a circuit that is half open is drawn in Redis. With Redis away each replica goes
by what it saw itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from contracts.models.routes import Circuit
from gateway.metrics import CIRCUIT_OPEN
from gateway.routing.circuit_board import BoardUnavailable, CircuitBoard, SharedCircuit

log = structlog.get_logger(__name__)
EXCHANGE_SECONDS = 1.0
SMOOTHING = 0.2
"""Weight of the newest latency in its moving average."""
SLOW_TIMES = 3.0
"""How many times slower than the fastest alternative counts as an outlier."""
SLOW_SAMPLES = 10


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When a circuit opens, and for how long."""

    window_seconds: float
    least_requests: int
    failure_ratio: float
    open_seconds: float


@dataclass(slots=True)
class _Model:
    seen: deque[tuple[float, bool]] = field(default_factory=deque)
    """When and whether each call of the window failed, on this replica."""
    unsent: list[bool] = field(default_factory=list)
    others: tuple[int, int] = (0, 0)
    """Calls and failures of the window on other replicas."""
    tripped: bool = False
    open_until: float = 0.0
    probing: bool = False
    """Whether a call of this replica is the probe."""
    latency: float | None = None
    samples: int = 0
    sampled_at: float = 0.0


class Breakers:
    """The circuits of all models that were called. `clock` counts seconds."""

    def __init__(self, board: CircuitBoard, rules: BreakerPolicy, clock: Callable[[], float]) -> None:
        self._board = board
        self._rules = rules
        self._clock = clock
        self._models: dict[str, _Model] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._away = False

    def state(self, model: str) -> Circuit:
        """Closed: calls pass. Open: none. Half open: one may, by `allow`."""
        known = self._models.get(model)
        if known is None or not known.tripped:
            return "closed"
        return "open" if self._clock() < known.open_until else "half_open"

    def is_tripped(self, model: str) -> bool:
        """Whether the circuit is not closed."""
        return self.state(model) != "closed"

    async def allow(self, model: str) -> bool:
        """Whether a call may go to this model now. Of a circuit that is half open one call on all replicas may."""
        state = self.state(model)
        if state != "half_open":
            return state == "closed"
        known = self._models[model]
        try:
            won = await self._board.probe(model, self._rules.open_seconds)
        except BoardUnavailable:
            won = True
        if not won or self.state(model) == "open":
            return False
        known.open_until = self._clock() + self._rules.open_seconds  # until the probe is back, no other call passes
        known.probing = True
        return True

    def succeeded(self, model: str, seconds: float) -> None:
        """A call came through, its first piece after so many seconds. The probe of an open circuit closes it."""
        known = self._note(model, failed=False)
        known.latency = seconds if known.latency is None else known.latency + SMOOTHING * (seconds - known.latency)
        known.samples, known.sampled_at = known.samples + 1, self._clock()
        if known.tripped:
            log.warning("circuit closed", model=model)
            known.seen.clear()
            known.unsent.clear()
            known.tripped, known.others = False, (0, 0)
            self._publish(self._board.close(model))

    def failed(self, model: str) -> None:
        """A call failed in a way that is the model's, not the caller's."""
        known = self._note(model, failed=True)
        requests, failures = self.counts(model)
        too_many = requests >= self._rules.least_requests and failures >= self._rules.failure_ratio * requests
        if known.tripped or too_many:
            if not known.tripped:
                log.error("circuit opened", model=model, requests=requests, failures=failures)
            known.tripped = True
            known.open_until = self._clock() + self._rules.open_seconds
            self._publish(self._board.open(model, self._rules.open_seconds))

    def undecided(self, model: str) -> None:
        """A call ended without telling anything of the model: refused by a limit, or for what it asked, or given up.

        If it was a probe, the next call is one.
        """
        known = self._models.get(model)
        if known is not None and known.tripped and known.probing:
            known.probing, known.open_until = False, self._clock()
            self._publish(self._board.release(model))

    def counts(self, model: str) -> tuple[int, int]:
        """Calls and failures within the window, on all replicas."""
        known = self._models.get(model)
        if known is None:
            return 0, 0
        self._prune(known)
        return len(known.seen) + known.others[0], sum(failed for _, failed in known.seen) + known.others[1]

    def latency(self, model: str) -> float | None:
        """Moving average of the seconds to the first piece, on this replica."""
        known = self._models.get(model)
        return known.latency if known else None

    def is_outlier(self, model: str, others: list[str]) -> bool:
        """Whether a model is much slower than the fastest of others that could answer in its place.

        One that was left aside for a whole window is asked again.
        """
        known = self._models.get(model)
        if known is None or known.latency is None or known.samples < SLOW_SAMPLES:
            return False
        if self._clock() - known.sampled_at > self._rules.window_seconds:
            return False  # too long ago: it gets another chance
        found = [self._models[name] for name in others if name in self._models and self.state(name) == "closed"]
        latencies = [one.latency for one in found if one.latency is not None and one.samples >= SLOW_SAMPLES]
        return bool(latencies) and known.latency > SLOW_TIMES * min(latencies)

    async def exchange(self) -> None:
        """Tell the board what was seen here since the last time, and learn what others saw."""
        for name, known in list(self._models.items()):
            sent, known.unsent = known.unsent, []
            try:
                shared = await self._board.exchange(name, len(sent), sum(sent), self._rules.window_seconds)
            except BoardUnavailable as error:
                known.unsent = [*sent, *known.unsent]  # calls came through meanwhile
                if not self._away:
                    log.warning("circuits are not shared: redis is away", reason=str(error))
                self._away = True
                return
            self._away = False
            self._learn(name, known, shared)

    async def run(self) -> None:
        """Exchange every second."""
        while True:
            await asyncio.sleep(EXCHANGE_SECONDS)
            await self.exchange()

    def _learn(self, name: str, known: _Model, shared: SharedCircuit) -> None:
        self._prune(known)
        sent = len(known.seen) - len(known.unsent)
        failures = sum(failed for _, failed in known.seen) - sum(known.unsent)
        known.others = (max(0, shared.requests - sent), max(0, shared.failures - failures))
        if self._tasks:  # what happened here meanwhile is on its way
            return
        if shared.tripped and not known.tripped:
            log.warning("circuit opened by another replica", model=name)
        elif known.tripped and not shared.tripped:
            log.warning("circuit closed by another replica", model=name)
            known.seen.clear()
        known.tripped = shared.tripped
        if shared.tripped:
            known.open_until = self._clock() + shared.open_seconds
        CIRCUIT_OPEN.labels(name).set({"closed": 0, "half_open": 0.5, "open": 1}[self.state(name)])

    def _note(self, model: str, *, failed: bool) -> _Model:
        known = self._models.setdefault(model, _Model())
        known.probing = False
        known.seen.append((self._clock(), failed))
        known.unsent.append(failed)
        self._prune(known)
        return known

    def _prune(self, known: _Model) -> None:
        since = self._clock() - self._rules.window_seconds
        while known.seen and known.seen[0][0] < since:
            known.seen.popleft()

    def _publish(self, change: object) -> None:
        task = asyncio.ensure_future(_quietly(change))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _quietly(change: object) -> None:
    try:
        await change  # type: ignore[misc]
    except BoardUnavailable as error:
        log.warning("a circuit's change was not shared", reason=str(error))
