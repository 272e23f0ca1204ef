"""The process that workers are forked from: `python -I -m extraction.sandbox.fork_server MODULE…`, its input a socket.

It has the modules imported that its workers will need, so that one is there in a millisecond instead of a tenth of a
second. It sees none of the service's settings and reads no document itself. One message a request, as JSON:

    {"start": N, "source", "folder"}, with the files for the worker's input, output and errors    {"kill": N}

One message for each worker that has ended: `{"ended": N, "status": exit status, or minus the signal}`. When the
service's end of the socket is closed it ends, and with it all its workers.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import selectors
import signal
import socket
import sys
from importlib import import_module
from typing import Any, NoReturn

from extraction.sandbox import worker

LARGEST_MESSAGE = 64 * 1024
PR_SET_PDEATHSIG = 1


class ForkServer:
    """Workers by the number that the service gave them."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._pids: dict[int, int] = {}

    def serve(self) -> None:
        """Until the service is gone."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == woken:
                        os.read(woken, 4096)
                        self._reap()
                    elif not self._take():
                        return

    def _take(self) -> bool:
        message, files, _, _ = socket.recv_fds(self._channel, LARGEST_MESSAGE, 3)
        if not message:
            return False
        request = json.loads(message)
        if "kill" in request:
            self._kill(request["kill"])
        else:
            self._start(request, files)
        return True

    def _start(self, request: dict[str, Any], files: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError:  # no more processes, no memory: this worker is not to be had now
            self._say_ended(request["start"], worker.NOT_NOW)
        else:
            if pid == 0:
                self._become_worker(request, files)
            self._pids[request["start"]] = pid
        for file in files:
            os.close(file)

    def _kill(self, number: int) -> None:
        """The worker with whatever it started. Nobody else can have its pid: it has not been waited for."""
        pid = self._pids.get(number)
        if pid is None:
            return
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        for number, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[number]
                self._say_ended(number, os.waitstatus_to_exitcode(status))

    def _say_ended(self, number: int, status: int) -> None:
        self._channel.send(json.dumps({"ended": number, "status": status}).encode())

    def _become_worker(self, request: dict[str, Any], files: list[int]) -> NoReturn:
        status = 1
        try:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            for source, target in zip(files, (0, 1, 2), strict=True):
                os.dup2(source, target)
            os.closerange(3, 256)
            os.chdir(request["folder"])
            os.environ["TMPDIR"] = request["folder"]  # noqa: TID251  # where this process may write, and no setting
            status = worker.main(request["source"], request["folder"])
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001  # whatever it is, it ends this worker and must not run the fork server's code
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)


def main() -> None:
    """Import, then serve."""
    for name in sys.argv[1:]:
        import_module(name)
    gc.freeze()  # what is here now is shared with the workers: looking for garbage in it would copy it
    with socket.socket(fileno=os.dup(0)) as channel:
        ForkServer(channel).serve()


if __name__ == "__main__":
    main()
