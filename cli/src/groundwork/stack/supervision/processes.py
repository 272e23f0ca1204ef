"""The operating system's view: which processes belong to a start of a home, and how they are ended."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import psutil

from groundwork.stack.configuration.environment import RUN_MARK
from groundwork.stack.home.folder import Home


def supervisor_of(home: Home) -> psutil.Process | None:
    """The supervisord of a home, if it runs. A pid that meanwhile belongs to another program does not count."""
    try:
        process = psutil.Process(int(home.supervisor_pid_file.read_text()))
        ours = str(home.supervisor_settings) in process.cmdline()
        return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def marked(run_id: str) -> list[psutil.Process]:
    """Every process of this user that carries the mark of a start."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid() and process.environ().get(RUN_MARK) == run_id:
                found.append(process)
        except (psutil.Error, OSError):  # ended meanwhile, or not readable: then it is not ours
            continue
    return found


def end(found: list[psutil.Process], *, grace: float) -> int:
    """Ask processes to end, kill those that have not within `grace` seconds; returns how many had to be killed."""
    left = [process for process in found if process.pid != os.getpid()]
    for process in left:
        _send(process, signal.SIGTERM)
    left = _wait(left, grace)
    for process in left:
        _send(process, signal.SIGKILL)
    _wait(left, 5.0)
    return len(left)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:  # it has ended by itself
        return


def _wait(found: list[psutil.Process], seconds: float) -> list[psutil.Process]:
    living = [process for process in found if _is_alive(process)]
    _, living = psutil.wait_procs(living, timeout=seconds)
    return [process for process in living if _is_alive(process)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@dataclass(frozen=True)
class Memory:
    """What a process with its children has in memory, in bytes."""

    resident: int = 0
    share: int = 0
    """Resident memory in which each page is divided among the processes that share it: these can be added up."""


def memory(pid: int) -> Memory:
    """Of a process with its children; zero when it has ended."""
    try:
        process = psutil.Process(pid)
        infos = [member.memory_full_info() for member in (process, *process.children(recursive=True))]
    except psutil.Error:
        return Memory()
    return Memory(sum(info.rss for info in infos), sum(getattr(info, "pss", info.rss) for info in infos))
