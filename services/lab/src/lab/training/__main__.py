"""`python -m lab.training FOLDER`: learn what `job.json` there says, in a process that loads torch and is gone after.

It writes a line of JSON for each thing that happened; `result.json` and `adapter.gguf` are there once it ends with 0.
Where the job is what served models said (`said`), it looks at that instead, and writes `parity.json`.
It ends when its stdin does, so that none is left behind by a lab that was killed.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from servicekit.core.imports import quick_imports

NICE = 10
"""So that who waits for an answer goes first, and the job is not starved."""
NO_MEMORY = ("not enough memory", "out of memory", "can't allocate memory")
"""How torch says so, in small letters."""
DISK_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


def tell(event: str, **more: Any) -> None:
    """A line for the lab."""
    _write({"event": event, **more})


def fail(code: str, message: str) -> NoReturn:
    """The last line: the job can't be done, and what to do."""
    _write({"failed": code, "message": message})
    os._exit(1)


def _write(line: Mapping[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(line, allow_nan=False)}\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def prepare() -> None:
    """Let all others go first, and have OpenMP's threads sleep while they wait for each other; before torch is loaded.

    The default is to wait in circles: where the cores have other work each step takes three times as long with it,
    and three times as much of the cores.
    """
    os.nice(NICE)
    os.putenv("OMP_WAIT_POLICY", "PASSIVE")


def main(folder: Path) -> None:
    """Learn, or tell why not; what the disk refuses is a traceback on stderr, and may be tried again."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare()
    try:
        # Not before: they load torch.
        with quick_imports():
            from lab.training.impossible import Impossible

            job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            run = _runner(job)
        gc.freeze()  # what is imported is no garbage
    except ImportError as error:
        fail("tuning_unavailable", f"{error}. Have the operator install 'groundwork-lab[tuning]' beside the lab.")
    try:
        run(folder, job, tell)
    except Impossible as impossible:
        fail(impossible.code, str(impossible))
    except OSError as error:
        if error.errno in DISK_FULL:
            fail(
                "disk_full",
                "The disk of the lab is full, so that the job can't keep its state. Have the operator make room, and "
                "start it again.",
            )
        raise
    except Exception as error:  # noqa: BLE001  # whatever it is comes again with the next attempt
        traceback.print_exc()
        fail(*_describe(error))


def _runner(job: Mapping[str, Any]) -> Callable[[Path, Mapping[str, Any], Callable[..., None]], None]:
    """What learns; only a chat model needs torch."""
    method = job.get("method")
    if job.get("form") == "lora":
        from lab.training.encoders import embedding, reading

        return embedding.run if method == "embedding" else reading.run
    if method in ("embedding", "reading", "rerank"):
        for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
            os.putenv(name, str(job["threads"]))  # read by numpy's libraries when they are loaded
        from lab.training.frozen import correction, projection

        return projection.run if method == "embedding" else correction.run
    from lab.training import loop, parity, preferences

    if "said" in job:
        return parity.run
    return preferences.run if method == "dpo" else loop.run


def _describe(error: Exception) -> tuple[str, str]:
    """Code and message of what nobody foresaw; only what is short of memory says so."""
    said = str(error)[:300]
    if isinstance(error, MemoryError) or any(words in said.lower() for words in NO_MEMORY):
        return "memory_short", (
            "The memory of the lab did not suffice. Choose a smaller 'max_tokens' or 'batch_size', or have the "
            "operator give it more, and start another job."
        )
    return "training_failed", (
        f"The trainer broke off: {type(error).__name__}: {said}. The same job would do so again; the lab's log has "
        "the place. Choose another model or other data, or report it."
    )


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except BaseException:  # noqa: BLE001  # the outermost one: its log is stderr
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # the thread that reads stdin would be in the way of an ordinary end
    os._exit(0)
