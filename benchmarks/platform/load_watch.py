"""What the processes of a home do while they are loaded: processor time, memory, and the queues in their metrics."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil

from benchmarks.home import Home
from groundwork.stack.home.folder import Home as HomeFolder
from groundwork.stack.lifecycle import require_running
from groundwork.stack.supervision.supervisord import Supervisor

QUEUES = {
    "chat and embedding calls waiting": ("inference", "groundwork_inference_waiting"),
    "jobs of ingest": ("ingest", "groundwork_ingest_jobs"),
    "usage rows waiting": ("metrics", "groundwork_gateway_usage_queue_rows"),
    "calls in the gateway": ("metrics", "groundwork_http_in_flight"),
}


@dataclass
class Watch:
    """The processes of a running home by name, children counted with their parents, and this one as `load`."""

    home: Home
    _began: float = field(default_factory=time.monotonic)
    _spent: dict[str, float] = field(default_factory=dict)
    _idle: float = 0.0

    def __post_init__(self) -> None:
        self._state = require_running(HomeFolder.at(self.home.folder))
        self.reset()

    def processes(self) -> dict[str, list[psutil.Process]]:
        """Those that live now."""
        found: dict[str, list[psutil.Process]] = {"load": [psutil.Process()]}
        for name, state in Supervisor(self._state.socket).processes().items():
            if state.pid:
                parent = psutil.Process(state.pid)
                found[name] = [parent, *parent.children(recursive=True)]
        return found

    def reset(self) -> None:
        """Count from now on."""
        self._began, self._spent, self._idle = time.monotonic(), self._seconds(), psutil.cpu_times().idle

    def cores(self) -> dict[str, float]:
        """Cores that each process has used on average since `reset`, busiest first; `idle` is what all have left."""
        seconds = time.monotonic() - self._began
        used = {name: (spent - self._spent.get(name, 0.0)) / seconds for name, spent in self._seconds().items()}
        idle = (psutil.cpu_times().idle - self._idle) / seconds
        ordered = sorted(used.items(), key=lambda each: -each[1])
        return {name: round(max(0.0, cores), 2) for name, cores in (*ordered, ("idle", idle))}

    def resident(self) -> dict[str, int]:
        """Bytes of each process that are its own, without what is mapped from files and shared with others."""
        found = {}
        for name, processes in self.processes().items():
            found[name] = sum(_own_bytes(process) for process in processes)
        return found

    def queues(self) -> dict[str, float]:
        """How long each queue is now."""
        return {name: self.home.metric(*where) for name, where in QUEUES.items()}

    def _seconds(self) -> dict[str, float]:
        return {name: sum(map(_spent, processes)) for name, processes in self.processes().items()}


def _spent(process: psutil.Process) -> float:
    """Processor seconds, those of its children that have ended included."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _own_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().uss)
    except psutil.Error:
        return 0
