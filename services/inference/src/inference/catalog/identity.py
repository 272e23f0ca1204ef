"""Which files a model is of: the digest of its weights, their revision and how they are quantized."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog

from inference.catalog.gguf_files import gguf_files
from inference.catalog.gguf_header import read_header
from inference.catalog.hub import part_names
from inference.catalog.model_folders import ModelSources
from inference.catalog.models_file import Model
from inference.catalog.sources import (
    ChatSource,
    CorrectionSource,
    HeadSource,
    HubSource,
    LoraSource,
    PackageSource,
    PathSource,
    ProjectionSource,
    ScriptSource,
    UpstreamSource,
)

log = structlog.get_logger(__name__)
OF_MODELS = frozenset((".safetensors", ".bin", ".json", ".txt", ".model", ".jinja"))
"""What of a folder is the model."""
MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """None is what nobody knows."""

    digest: str | None = None
    """`sha256:…` of the file, or of the list of several files with theirs."""
    revision: str | None = None
    quantization: str | None = None


class Digests:
    """SHA-256 of files, computed once for each path, size and time of change, and kept in a file of JSON."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: dict[str, list[object]] | None = None
        self._lock = threading.Lock()

    def of(self, path: Path) -> str:
        """The file's, in hexadecimal. Blocks."""
        real = path.resolve()
        stat = real.stat()
        with self._lock:
            self._known = self._read() if self._known is None else self._known
            known = self._known.get(str(real))
            if known is not None and known[:2] == [stat.st_size, stat.st_mtime_ns]:
                return str(known[2])
        with real.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        with self._lock:
            self._known[str(real)] = [stat.st_size, stat.st_mtime_ns, digest]
            while len(self._known) > MOST_KEPT:
                del self._known[next(iter(self._known))]
            self._write()
        return digest

    def _read(self) -> dict[str, list[object]]:
        try:
            read = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # computed again
        rows = read.items() if isinstance(read, dict) else ()
        return {path: row for path, row in rows if isinstance(row, list) and len(row) == 3}

    def _write(self) -> None:
        temporary = self._file.with_suffix(".new")
        try:
            temporary.write_text(json.dumps(self._known), encoding="utf-8")
            temporary.replace(self._file)
        except OSError as error:
            log.warning("digests of models are not kept", error=repr(error)[:200])


def identity_of(model: Model, sources: ModelSources, digests: Digests) -> Identity:
    """Of a model whose files were found when it was loaded; raises `CannotLoad` or `OSError`. Blocks."""
    source = model.source
    if isinstance(source, UpstreamSource | ScriptSource | ChatSource):
        return Identity()
    if isinstance(source, HeadSource):
        return Identity(source.head.digest)
    if isinstance(source, ProjectionSource):
        return Identity(source.projection.digest)
    if isinstance(source, LoraSource):
        return Identity(source.lora.digest)
    if isinstance(source, CorrectionSource):
        return Identity(source.correction.digest)
    if isinstance(source, PathSource) and model.engine == "head":
        return Identity(f"sha256:{digests.of(source.path)}")
    declared = source.sha256 if isinstance(source, PathSource | PackageSource | HubSource) else None
    if model.engine == "llamacpp":
        files = gguf_files(model, sources.hub, sources.adapters_dir)
        weights, *others = files.all()
        parts = [*(weights.with_name(name) for name in part_names(weights.name)), *others]
        digest = declared if declared and len(parts) == 1 else _together(parts, digests)
        return Identity(f"sha256:{digest}", _revision(model, weights), read_header(weights).quantization)
    if declared is not None:
        return Identity(f"sha256:{declared}", _revision(model, Path()))
    if model.load == "when_used" and isinstance(source, HubSource):
        return Identity()  # it may not be here yet, and nobody has asked for it
    folder = sources.folder(model)
    return Identity(f"sha256:{_together(_files_in(folder), digests)}", _revision(model, folder))


def _files_in(folder: Path) -> Iterable[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in OF_MODELS and path.is_file())


def _together(files: Iterable[Path], digests: Digests) -> str:
    """The one file's digest, or that of the list of files with theirs."""
    found = [(path.name, digests.of(path)) for path in files]
    if len(found) == 1:
        return found[0][1]
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in found).encode()).hexdigest()


def _revision(model: Model, place: Path) -> str | None:
    """The commit of a download, whose folder bears its name; the release of a package."""
    if isinstance(model.source, HubSource):
        parts = place.parts
        return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-1] else model.source.revision
    if isinstance(model.source, PackageSource):
        try:
            return f"{model.source.package}=={importlib.metadata.version(model.source.package)}"
        except importlib.metadata.PackageNotFoundError:
            return None
    return None
