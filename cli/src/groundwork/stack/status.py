"""What `groundwork status` shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.supervision.processes import Memory, memory, supervisor_of
from groundwork.stack.supervision.programs import Program, programs
from groundwork.stack.supervision.readiness import Readiness, probe
from groundwork.stack.supervision.supervisord import ProcessState, Supervisor


@dataclass(frozen=True)
class Row:
    """One process."""

    name: str
    pid: int
    state: str
    port: int
    memory: Memory
    readiness: Readiness


def look(home: Home, state: RunState) -> list[Row]:
    """Every process of a running home, supervisord first; raises `SupervisorFailed`."""
    states = Supervisor(state.socket).processes()
    password = home.secret("redis.password")

    def row(program: Program) -> Row:
        process = states.get(program.name) or ProcessState(program.name, "MISSING", 0, 0, "")
        readiness = probe(program, state, password)
        used = memory(process.pid) if process.pid else Memory()
        return Row(program.name, process.pid, process.state, state.ports[program.port], used, readiness)

    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(row, programs(home, with_valkey=state.redis)))
    supervisor = supervisor_of(home)
    if supervisor is None:
        return rows
    own = supervisor.memory_full_info()
    used = Memory(own.rss, getattr(own, "pss", own.rss))
    return [Row("supervisord", supervisor.pid, "RUNNING", 0, used, Readiness(True, "ready")), *rows]
