"""One run of llama.cpp's server: started, asked for its address, its log passed on, ended."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import sys
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog

from inference.catalog.gguf_files import GgufFiles
from inference.engines.llamacpp.failures import load_failure
from inference.errors import CannotLoad, EngineMissing

log = structlog.get_logger(__name__)
CHILD = Path(__file__).with_name("child.py")
LIBRARY = "xllamacpp"
START_SECONDS = 900.0
"""For a large model from a slow disk; a process that says nothing for longer is given up."""
LOG_LINE = re.compile(r"^\S+ ([IWE]) (.*)$")
"""llama.cpp's: the time, a letter for the level, the words."""
SHOWN = 300
LAST_LINES = 40
LONGEST_LINE = 2**20
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS = os.sysconf("SC_CLK_TCK")
"""Of processor time, a second."""
DEVICES = "devices"
"""The argument by which `child.py` tells what it can compute on."""
DEVICES_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a run is started with."""

    context: int
    slots: int
    threads: int
    gpu_layers: int | None


class ServerProcess:
    """A process that has loaded its model and listens at `address`."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, logging: asyncio.Task[None]) -> None:
        self._process = process
        self.address = address
        self._logging = logging
        self._ended = asyncio.ensure_future(process.wait())

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    async def wait(self, seconds: float) -> int | None:
        """What it ended with (-9 for SIGKILL), or None if it has not within so many seconds."""
        await asyncio.wait((self._ended,), timeout=seconds)
        return self._ended.result() if self._ended.done() else None

    def memory_bytes(self) -> int:
        """What it holds of the machine's memory; 0 where the system does not say."""
        return self._resident()[0]

    def private_bytes(self) -> int:
        """The same without pages of files, which can be had again."""
        resident, of_files = self._resident()
        return resident - of_files

    def _resident(self) -> tuple[int, int]:
        """All that it holds, and what of that are pages of files."""
        try:
            _, resident, of_files, *_ = Path(f"/proc/{self.pid}/statm").read_text().split()
            return int(resident) * PAGE, int(of_files) * PAGE
        except (OSError, ValueError):
            return 0, 0

    def cpu_seconds(self) -> float | None:
        """Processor time that it has had, of all its threads; None where the system does not say."""
        try:
            user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            return (int(user) + int(system)) / TICKS
        except (OSError, ValueError):
            return None

    async def end(self) -> None:
        """Kill it: what it was answering has been finished or given up before."""
        await _end(self._process, self._logging)
        await self._ended


async def gpu_bytes() -> int | None:
    """Free memory of the GPUs that this build of llama.cpp can put layers on; None where it has none, 0 where it does
    not say.

    Asked in a process of its own: no other maps llama.cpp. A GPU that shares the machine's memory has none of its own.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(CHILD),
        DEVICES,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(DEVICES_SECONDS):
            answer, _ = await process.communicate()
    except TimeoutError:
        log.warning("llama.cpp does not say what GPUs there are", seconds=DEVICES_SECONDS)
        return 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return 0
    gpus = json.loads(answer)
    return sum(gpus.values()) if gpus else None


async def start_server(model: str, files: GgufFiles, options: ServerOptions, key: str) -> ServerProcess:
    """Start llama.cpp with a model and wait until it is loaded; raises `CannotLoad` with its reason."""
    if importlib.util.find_spec(LIBRARY) is None:
        raise EngineMissing(
            f"llama.cpp is not installed here. Run: pip install {LIBRARY}; where that has no wheel for this platform, "
            "serve the model by any server and declare engine openai"
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # what lies beside the file is not for it to import
        str(CHILD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        start_new_session=True,  # Ctrl-C in a terminal is for us, who let answers end first
    )
    last: deque[str] = deque(maxlen=LAST_LINES)
    logging = asyncio.create_task(_log_lines(model, process, last))
    try:
        address = await asyncio.wait_for(_address(process, files, options, key), START_SECONDS)
        if address is not None:
            return ServerProcess(process, address, logging)
        code = await process.wait()
        await logging
    except TimeoutError:
        await _end(process, logging)
        raise CannotLoad(f"llama.cpp had not loaded it after {START_SECONDS:.0f} s") from None
    except BaseException:
        await _end(process, logging)
        raise
    raise load_failure(files.weights.name, list(last), code)


async def _address(
    process: asyncio.subprocess.Process, files: GgufFiles, options: ServerOptions, key: str
) -> str | None:
    """Where it listens; None where it ended instead."""
    assert process.stdin is not None
    assert process.stdout is not None
    settings = {
        **asdict(options),
        "weights": str(files.weights),
        "mmproj": str(files.mmproj) if files.mmproj else None,
        "adapters": [(str(path), scale) for path, scale in files.adapters],
        "key": key,
        "parent": os.getpid(),
    }
    try:
        process.stdin.write(json.dumps(settings).encode() + b"\n")
        await process.stdin.drain()
        answer = await process.stdout.readline()
    except (BrokenPipeError, ConnectionResetError):
        return None
    return str(json.loads(answer)["address"]) if answer else None


async def _log_lines(model: str, process: asyncio.subprocess.Process, last: deque[str]) -> None:
    """Pass its log on, and keep the last lines: they say why a model can't be loaded."""
    assert process.stderr is not None
    while True:
        try:
            line = (await process.stderr.readline()).decode("utf-8", "replace")
        except ValueError:  # longer than any line of a log
            continue
        if not line:
            return
        parts = LOG_LINE.match(line.strip())
        level, words = parts.groups() if parts else ("I", line.strip())
        last.append(words)
        write = {"E": log.error, "W": log.warning}.get(level, log.info)
        write("llama.cpp says", model=model, words=words[:SHOWN])


async def _end(process: asyncio.subprocess.Process, logging: asyncio.Task[None]) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
    logging.cancel()
    await asyncio.gather(logging, return_exceptions=True)
