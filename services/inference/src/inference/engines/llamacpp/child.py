"""llama.cpp's server with one model in a process of its own: `process.py` runs this file by its path.

It reads one line of JSON from standard input, since arguments and environment of a process can be read by others and
one of these settings is a key. It answers with one line of JSON, its address, once the model is loaded. When standard
input ends it ends, so that it never outlives who started it.

With the argument `devices` it only says what GPUs it can use, and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

DEVICES = "devices"
GPU = "GGML_BACKEND_DEVICE_TYPE_GPU"
"""Of llama.cpp's types of devices. One that shares the machine's memory is an IGPU."""
PR_SET_PDEATHSIG = 1
"""Of Linux' prctl: which signal comes when the parent ends."""
ERRORS = 1
"""llama.cpp's verbosity: errors, never what it is asked."""
HOST = "127.0.0.1"
MADV_DONTNEED = 4
LARGE, BLOCK = 2**24, 2**18
"""Bytes of a region that is looked at, and of what is looked at and given back at once."""
SPINS = b"2000"
"""How often a thread of OpenMP looks whether the others are there before it sleeps. With the default of 300,000 waiting
threads keep working ones off cores that others use, too: beside busy processes answers were several times slower."""


def main() -> int:
    """Serve until the parent is gone; 1 where the model can't be loaded, which the log then explains."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    if sys.argv[1:] == [DEVICES]:
        answers.write(json.dumps(_gpus()))
        answers.close()
        return 0
    settings = json.loads(sys.stdin.buffer.readline())
    _end_with(settings["parent"])
    _open_openmp()
    import xllamacpp  # 100 MB, which only this process maps

    try:
        server = xllamacpp.Server(_parameters(xllamacpp, settings))
    except (RuntimeError, ValueError, MemoryError) as error:
        print(f"0 E {error}", file=sys.stderr)  # noqa: T201  # its log is this
        return 1
    _release_zeros()
    for number in (signal.SIGTERM, signal.SIGINT):  # llama.cpp's own handlers end its server, but not this process
        signal.signal(number, signal.SIG_DFL)
    answers.write(json.dumps({"address": server.listening_address}) + "\n")
    answers.flush()
    threading.Event().wait()
    return 0


def _gpus() -> dict[str, int]:
    """Free bytes of each GPU."""
    _open_openmp()
    import xllamacpp

    devices = xllamacpp.get_device_info()
    return {each["name"]: each["memory_free"] for each in devices if each["type"].name == GPU}


def _open_openmp() -> None:
    """Its wheel wants the system's libgomp. Slim images have none, and torch brings one. That reads its settings
    when it is loaded; those of the operator stay."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).setenv(b"GOMP_SPINCOUNT", SPINS, 0)
    spec = importlib.util.find_spec("torch")
    for place in spec.submodule_search_locations or () if spec else ():
        with contextlib.suppress(OSError):
            ctypes.CDLL(f"{place}/lib/libgomp.so.1", ctypes.RTLD_GLOBAL)


def _end_with(parent: int) -> None:
    """End at once when the parent does, even by SIGKILL, and even while a model is being loaded."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before this was in force
        os._exit(0)
    threading.Thread(target=_end_with_input, daemon=True).start()


def _end_with_input() -> None:
    """Where there is no prctl: the pipe from the parent closes when the parent ends."""
    while os.read(0, 4096):
        pass
    os._exit(0)


def _parameters(library: Any, settings: dict[str, Any]) -> Any:
    """Settings as llama.cpp has them. What it does unasked (downloads, a page, fitting to memory) is off."""
    params = library.CommonParams()
    params.model.path = settings["weights"]
    params.mmproj.path = settings["mmproj"] or ""
    params.lora_adapters = [library.CommonAdapterLoraInfo(path, scale) for path, scale in settings["adapters"]]
    params.n_parallel = settings["slots"]
    params.n_ctx = settings["context"] * settings["slots"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.n_gpu_layers = -1 if settings["gpu_layers"] is None else settings["gpu_layers"]
    params.hostnames, params.port = [HOST], 0  # a port that is free: no other process can take it in between
    params.api_keys = [settings["key"]]
    params.endpoint_metrics = True
    params.ui = params.endpoint_slots = params.endpoint_props = False
    params.offline = True
    params.fit_params = params.warmup = params.ctx_shift = False
    params.cache_ram_mib, params.cache_idle_slots = 0, False  # 8 GB otherwise; the slots keep what was said last
    params.verbosity = ERRORS
    return params


def _release_zeros() -> None:
    """Give back memory that holds nothing but zeros: the slots' keys and values, which llama.cpp has cleared.

    Nobody has asked anything yet, so nothing is written meanwhile. Linux gives such pages again, zeroed, when they are
    first used.
    """
    if sys.platform != "linux":
        return
    regions = [line.split() for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines()]
    library = ctypes.CDLL(None, use_errno=True)
    compare, advise, zeros = library.memcmp, library.madvise, ctypes.create_string_buffer(BLOCK)
    place, length, advice = ctypes.c_void_p(), ctypes.c_size_t(BLOCK), ctypes.c_int(MADV_DONTNEED)
    for span, rights, _, _, inode, *_ in regions:
        start, end = (int(each, 16) for each in span.split("-"))
        if rights != "rw-p" or inode != "0" or end - start < LARGE:
            continue
        for at in range(start, end - BLOCK + 1, BLOCK):
            place.value = at
            if not compare(place, zeros, length):  # what a call needs is made before, so that none of it is put there
                advise(place, length, advice)


if __name__ == "__main__":
    raise SystemExit(main())
