"""supervisord that imports the services once and forks them: `python -m … --configuration FILE`.

A service imports 1,000 to 2,150 modules, most of them the same as the others'. Forks share them and their pages, and a
service that died runs again without an import. Valkey is executed, as supervisord does it; so is a service that can't
be imported, and every service where a fork is unsafe.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from supervisor import supervisord
from supervisor.options import ServerOptions

from groundwork.stack.supervision import launch

FORKS = sys.platform == "linux"
"""macOS's own libraries break in a process that was forked and not executed."""
HANDLED = (signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR2)
"""Signals that supervisord handles, beside SIGINT, and a service starts without."""


class PreloadingOptions(ServerOptions):  # type: ignore[misc]  # supervisor has no types
    """supervisord's view of the operating system, in which services are forked."""

    imported: ClassVar[set[str]] = set()
    """Modules that a fork finds in memory. Kept while supervisord restarts itself."""

    def check_execv_args(self, filename: str, argv: Sequence[str], st: Any) -> None:
        """Import a service; supervisord calls this before each fork."""
        super().check_execv_args(filename, argv, st)
        module = service_module(argv)
        if module is not None and module not in self.imported:
            try:
                preload(module)
            except (Exception, SystemExit):  # noqa: BLE001  # it is executed instead, and its own log tells
                self.logger.warn(f"{module} can't be preloaded: {traceback.format_exc(limit=2)}")
            else:
                self.imported.add(module)

    def execve(self, filename: str, argv: Sequence[str], env: Mapping[str, str]) -> None:
        """In the fork: go on as the service, or execute the program."""
        module = service_module(argv)
        if module is not None and module in self.imported:
            become(module, argv[4], others=self.imported - {module})
        os.execve(filename, list(argv), dict(env))  # noqa: S606  # what supervisord does


def service_module(argv: Sequence[str]) -> str | None:
    """The service that a command starts (`python -I -S launch.py FILE MODULE`), if it can be forked."""
    return argv[5] if FORKS and len(argv) > 5 and argv[3] == launch.__file__ else None


def preload(module: str) -> None:
    """Import everything that `python -m MODULE` imports before it does anything."""
    main = f"{module}.__main__"
    gc.disable()  # what is imported is no garbage
    try:
        importlib.import_module(main)
    finally:
        gc.enable()
    del sys.modules[main]  # a fork runs it as `__main__`
    gc.freeze()  # a collection would touch, and so copy, every shared page


def become(module: str, file: str, others: set[str]) -> NoReturn:
    """Run a service in this fork as `python -m MODULE` would, and end the process with it.

    supervisord's objects are left alone: freed, they would close descriptors that now belong to the service.
    """
    status = 1
    try:
        environment = launch.prepare(file)["environment"]
        os.environ.clear()  # noqa: TID251  # given to the settings, not read
        os.environ.update(environment)  # noqa: TID251
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.stdin, sys.stdout, sys.stderr = _standard_streams()
        sys.argv = [module]
        Path("/proc/self/comm").write_text(module[:15])  # what `top` shows
        multiprocessing.current_process().authkey = os.urandom(32)
        _unregister_metrics({name.partition(".")[0] for name in others} - {module.partition(".")[0]})
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  # the outermost one: its log is stderr
        traceback.print_exc()
    finally:
        _end(status)


def _standard_streams() -> tuple[Any, ...]:
    """supervisord's own are files that it opened; these are unbuffered as under PYTHONUNBUFFERED."""
    return os.fdopen(0, closefd=False), *(os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))


def _unregister_metrics(packages: set[str]) -> None:
    """Keep other services' metrics out of this one's `/metrics`: their modules are imported here, too."""
    from prometheus_client import REGISTRY  # not before: the CLI itself does without
    from prometheus_client.metrics import MetricWrapperBase

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in packages:
            for value in vars(module).values():
                if isinstance(value, MetricWrapperBase):
                    with contextlib.suppress(KeyError):  # imported by two modules
                        REGISTRY.unregister(value)


def _end(status: int) -> NoReturn:
    """End as the interpreter does and as `multiprocessing` ends its forks: threads, exit functions, streams."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def main() -> None:
    """Be supervisord."""
    supervisord.ServerOptions = PreloadingOptions
    supervisord.main()


if __name__ == "__main__":
    main()
