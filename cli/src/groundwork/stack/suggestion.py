"""A better model than the packaged one, as far as this machine shows: one command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

OLLAMA = "http://127.0.0.1:11434"
SECONDS = 1.0
"""For Ollama's answer."""
SMI_SECONDS = 5.0
GIGABYTE = 1_000_000_000
NEEDS = 1.3
"""How much more than its file a model takes of memory."""
EMBEDS = re.compile(r"embed|bge|minilm|e5-|rerank", re.IGNORECASE)
PROVIDERS: tuple[tuple[str, str, str, str], ...] = (
    ("OPENAI_API_KEY", "openai", "gpt-4.1-mini", "gpt"),
    ("ANTHROPIC_API_KEY", "anthropic", "claude-sonnet-4-5", "claude"),
    ("GEMINI_API_KEY", "gemini", "gemini-2.5-flash", "gemini"),
    ("COHERE_API_KEY", "cohere", "command-a-03-2025", "command"),
)
FOLDERS = (".cache/huggingface/hub", ".lmstudio/models", ".cache/lm-studio/models", "models", ".cache/llama.cpp")
"""Of a user, where GGUF files lie."""
MOST_FILES = 20_000
SIZES: tuple[tuple[float, str], ...] = (
    (24, "qwen3:14b"),
    (12, "qwen3:8b"),
    (7, "qwen3:4b"),
    (0, "qwen3:1.7b"),
)
"""What Ollama has for so many gigabytes of memory, the processor's or a GPU's."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Why, and the command."""

    reason: str
    command: str


def suggestion(
    environment: Mapping[str, str] | None = None, home: Path | None = None, ollama: str = OLLAMA
) -> Suggestion:
    """What is nearest at hand: a model that Ollama has, a provider whose key is set, a GGUF file, else a pull."""
    known = os.environ if environment is None else environment  # noqa: TID251  # this is what it is to look at
    memory = psutil.virtual_memory().available
    graphics = _graphics_memory()
    served = _of_ollama(ollama)
    if served is not None and (best := _largest(served, max(memory, graphics))) is not None:
        return Suggestion(f"Ollama runs here and has {best}.", _add(_name_of(best), "ollama", best))
    for variable, place, model, name in PROVIDERS:
        if known.get(variable):
            return Suggestion(f"{variable} is set.", _add(name, place, model))
    if (file := _gguf_file(home or Path.home(), memory)) is not None:
        return Suggestion(f"{file.name} lies here and fits into memory.", _add(_name_of(file.stem), "gguf", str(file)))
    size = max(memory, graphics) / GIGABYTE
    where = f"{size:.0f} GB of {'graphics ' if graphics > memory else ''}memory are free"
    fitting = next(model for least, model in SIZES if size >= least)
    if served is None:
        reason = f"{where}, and neither Ollama nor a provider's key is here. With Ollama from https://ollama.com:"
    else:
        reason = f"Ollama runs here without a chat model that fits; {where}."
    return Suggestion(reason, f"ollama pull {fitting} && {_add(_name_of(fitting), 'ollama', fitting)}")


def _add(name: str, place: str, model: str) -> str:
    return f"groundwork model add {name} --{place} {shlex.quote(model)} --default"


def _name_of(model: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", model.removesuffix(":latest").rpartition("/")[2]).strip("-._")
    return name[:128] or "model"


def _of_ollama(url: str) -> list[tuple[str, int]] | None:
    """Names and sizes of the chat models that it has; None where it does not run."""
    try:
        answer = httpx2.get(f"{url}/api/tags", timeout=SECONDS, trust_env=False)
        models = answer.json()["models"] if answer.status_code == 200 else None
        found = [(str(model["name"]), int(model["size"])) for model in models or ()]
    except (httpx2.HTTPError, ValueError, KeyError, TypeError):
        return None
    return None if models is None else [each for each in found if not EMBEDS.search(each[0])]


def _largest(models: list[tuple[str, int]], memory: int) -> str | None:
    """The largest that fits; one of Ollama's cloud has hardly a size, and is not suggested."""
    fitting = [(size, name) for name, size in models if size > GIGABYTE / 10 and size * NEEDS < memory]
    return max(fitting)[1] if fitting else None


def _gguf_file(home: Path, memory: int) -> Path | None:
    found = [(file.stat().st_size, file) for folder in FOLDERS for file in _files(home / folder)]
    fitting = [(size, file) for size, file in found if size > GIGABYTE / 4 and size * NEEDS < memory]
    return max(fitting)[1] if fitting else None


def _files(folder: Path) -> Iterator[Path]:
    """GGUF files that are models of their own or the first part of one, of so many files at most."""
    seen = 0
    for place, _, names in os.walk(folder):
        for name in names:
            seen += 1
            if seen > MOST_FILES:
                return
            path = Path(place) / name
            part = re.search(r"-(\d{5})-of-\d{5}\.gguf$", name)
            if name.endswith(".gguf") and "mmproj" not in name and (not part or part[1] == "00001") and path.is_file():
                yield path


def _graphics_memory() -> int:
    """Bytes of the largest NVIDIA GPU, as its own tool tells them; 0 where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    command = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(  # noqa: S603  # the tool that was found
            command, capture_output=True, text=True, check=False, timeout=SMI_SECONDS, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    return max((int(line) * 1_000_000 for line in listed.stdout.split() if line.isdecimal()), default=0)
