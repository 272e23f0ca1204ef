"""The GGUF files of a model: found, checked or downloaded when it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from inference.catalog.hub import Hub, part_names
from inference.catalog.model_folders import check_digest
from inference.catalog.models_file import Model
from inference.catalog.packages import package_folder
from inference.catalog.sources import HubSource, JobSource, PackageSource, PathSource
from inference.errors import CannotLoad, FileTruncated


@dataclass(frozen=True, slots=True)
class GgufFiles:
    """The model's weights, the first part where they have several; its projector of pictures; its LoRA adapters."""

    weights: Path
    mmproj: Path | None = None
    adapters: tuple[tuple[Path, float], ...] = ()

    def all(self) -> list[Path]:
        """Every file, the weights first; of weights in parts only the first part."""
        return [self.weights, *([self.mmproj] if self.mmproj else []), *(path for path, _ in self.adapters)]

    @property
    def is_single(self) -> bool:
        """Whether there is no other file beside the weights, which are in one part."""
        return len(self._parts()) == 1

    def size(self) -> int:
        """Bytes of all files together."""
        return sum(path.stat().st_size for path in self._parts())

    def state(self) -> tuple[tuple[int, int, int], ...] | None:
        """Another one when a file is another; None where one is gone."""
        try:
            stats = [path.stat() for path in self._parts()]
        except OSError:
            return None
        return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)

    def _parts(self) -> list[Path]:
        """As `all`, with all parts of the weights."""
        return [*(self.weights.with_name(name) for name in part_names(self.weights.name)), *self.all()[1:]]


def gguf_files(model: Model, hub: Hub, adapters: Path | None = None) -> GgufFiles:
    """Where a model's files are; `adapters` is the folder of those that tuning jobs made. Raises `CannotLoad` with what
    to do. Blocks."""
    options = model.llamacpp
    return GgufFiles(
        gguf_file(model.source, hub),
        gguf_file(options.mmproj, hub) if options.mmproj else None,
        tuple((_adapter(adapter.source, hub, adapters), adapter.scale) for adapter in options.adapters),
    )


def _adapter(source: object, hub: Hub, folder: Path | None) -> Path:
    """One that a job made was checked when it came, bears its digest as name, and may have been spoilt since."""
    if not isinstance(source, JobSource):
        return gguf_file(source, hub)
    file = adapter_file(folder or Path(), source)
    if not file.is_file():
        raise CannotLoad(f"what the tuning job {source.job} has learnt is not here. Publish that job again")
    check_digest(file, source.sha256)
    return file


def adapter_file(folder: Path, source: JobSource) -> Path:
    """Where what a tuning job has learnt is kept on this host."""
    return folder / f"{source.sha256}.gguf"


def gguf_file(source: object, hub: Hub) -> Path:
    """The one that a declaration names; raises `CannotLoad` with what to do. Blocks."""
    if isinstance(source, PackageSource):
        file = package_folder(source.package) / (source.file or "")
    elif isinstance(source, HubSource):
        file = hub.file(source)
    elif isinstance(source, PathSource):
        file = source.path
    else:
        raise TypeError(f"{type(source).__name__} is no file")  # a bug of ours: the catalogue checks engines
    if not file.is_file():
        raise CannotLoad(f"there is no file {file.name} where its declaration says. Correct its path (`source`)")
    missing = [name for name in part_names(file.name) if not file.with_name(name).is_file()]
    if missing:
        raise FileTruncated(f"its part {missing[0]} is not beside the others. Put all parts into one folder")
    if source.sha256 is not None:
        check_digest(file, source.sha256)
    return file
