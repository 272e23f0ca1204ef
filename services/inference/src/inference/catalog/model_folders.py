"""Where a model's files lie: found, checked or downloaded when the model is loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import structlog

from inference.catalog.converted import converted_folder
from inference.catalog.e5_file import is_e5
from inference.catalog.hub import Hub
from inference.catalog.models_file import Model
from inference.catalog.packages import models_folder, package_folder
from inference.catalog.sources import HubSource, PackageSource, PathSource
from inference.errors import CannotLoad, FileChanged

log = structlog.get_logger(__name__)


class ModelSources:
    """Finds the folder of a model that runs in this process. Blocks; call it off the event loop."""

    def __init__(
        self,
        models_dir: Path | None,
        *,
        allow_downloads: bool = False,
        hub_url: str = "",
        hub_dir: Path | None = None,
        adapters_dir: Path | None = None,
    ) -> None:
        """`adapters_dir` holds what tuning jobs have learnt."""
        self.adapters_dir = adapters_dir
        self._models_dir = models_dir or models_folder()
        self.hub_dir = hub_dir or self._models_dir / "hub"
        self.hub = Hub(self.hub_dir, allow_downloads=allow_downloads, url=hub_url)

    def folder(self, model: Model) -> Path:
        """Where the model lies; raises `CannotLoad` with what to do."""
        source = model.source
        if isinstance(source, PathSource):
            folder, hint = source.path, "Correct `path` in the models file"
        elif isinstance(source, PackageSource):
            folder, hint = self._in_package(source), "Correct `folder` in the models file"
        elif isinstance(source, HubSource):
            folder, hint = self.hub.folder(source), "Correct `huggingface` in the models file"
        else:
            raise TypeError(f"{type(source).__name__} has no files")  # a bug of ours: the catalog checks engines
        if not folder.is_dir():
            log.error("no model folder", folder=str(folder))
            raise CannotLoad(f"its folder is not there. {hint}")
        _check_quantization(model, folder)
        return folder

    def fetching(self, model: Model) -> Callable[[], object] | None:
        """What downloads the files of a model that are not on this machine, so that `folder` finds them; None where
        nothing is to be downloaded before it is loaded. It raises `CannotLoad`, and blocks.
        """
        options = model.llamacpp
        named = [model.source, options.mmproj, *(adapter.source for adapter in options.adapters)]
        far = [source for source in named if isinstance(source, HubSource)]
        if not far or not self.hub.allows_downloads or model.load == "when_used":
            return None
        get = self.hub.file if model.engine == "llamacpp" else self.hub.folder
        return lambda: [get(source) for source in far]

    def check(self, model: Model) -> None:
        """Raise `CannotLoad` where a model's files are not at hand, without converting or downloading any."""
        source = model.source
        if isinstance(source, PackageSource):
            inside = package_folder(source.package)
            if source.file is not None and not (inside / source.file).is_file():
                raise CannotLoad(_no_file(source))
        elif isinstance(source, PathSource) and not source.path.is_dir():
            raise CannotLoad("its folder is not there. Correct `path` in the models file")

    def _in_package(self, source: PackageSource) -> Path:
        inside = package_folder(source.package)
        if source.file is None or source.sha256 is None:
            return inside / source.folder
        file = inside / source.file
        if not file.is_file():
            raise CannotLoad(_no_file(source))
        check_digest(file, source.sha256)
        if is_e5(file):
            return converted_folder(self._models_dir, source.package, file, source.sha256)
        return file.parent


def _no_file(source: PackageSource) -> str:
    return f"the package {source.package} holds no {source.file}. Correct `file` in the models file"


def check_digest(file: Path, expected: str) -> None:
    """Raise `FileChanged` unless the file has this SHA-256."""
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != expected:
        log.error("wrong file", file=str(file), sha256=found)
        raise FileChanged(
            f"{file.name} has another sha256 than the models file says. Install the release that was meant"
        )


def _check_quantization(model: Model, folder: Path) -> None:
    """What a folder's config says is what the library loads: the declaration must say the same."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # loading says what is wrong with it
    found = (config.get("quantization_config") or {}).get("quant_method") if isinstance(config, dict) else None
    if found != model.quantization:
        raise FileChanged(
            f"its weights are quantized as '{found or 'nothing'}', and the models file says "
            f"'{model.quantization or 'nothing'}'. Correct `quantization`, or load other weights"
        )
