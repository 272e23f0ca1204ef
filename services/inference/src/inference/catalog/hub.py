"""What of Hugging Face is on this machine, downloaded once where that is allowed."""

from __future__ import annotations

import glob
import re
from pathlib import Path

import structlog

from inference.catalog.sources import HubSource
from inference.errors import CannotLoad

log = structlog.get_logger(__name__)
HUB_FILES = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model"]
"""What is downloaded of a whole model: never pickled weights, which are programs."""
PART = re.compile(r"-00001-of-(\d{5})\.gguf$")
"""How the first of a GGUF file's parts ends."""


class Hub:
    """Blocks; use it off the event loop."""

    def __init__(self, cache: Path, *, allow_downloads: bool = False, url: str = "") -> None:
        self._cache = cache
        self.allows_downloads = allow_downloads
        self._url = url

    def folder(self, source: HubSource) -> Path:
        """A whole model; raises `CannotLoad`."""
        folder = self._fetch(source, HUB_FILES, offline=True) or self._download(source, HUB_FILES)
        assert folder is not None
        return folder

    def file(self, source: HubSource) -> Path:
        """The one file that a source names, with all its parts; raises `CannotLoad`."""
        assert source.file is not None
        patterns = [glob.escape(name) for name in part_names(source.file)]
        folder = self._fetch(source, patterns, offline=True)
        if folder is None or not all((folder / name).is_file() for name in part_names(source.file)):
            folder = self._download(source, patterns)
        if folder is None or not (folder / source.file).is_file():
            raise CannotLoad(f"{source.huggingface} at {source.revision} has no file {source.file}. Correct `file`")
        return folder / source.file

    def _fetch(self, source: HubSource, patterns: list[str], *, offline: bool) -> Path | None:
        """The folder of a model; None where it is not on this machine and may not be asked for."""
        from huggingface_hub import snapshot_download  # takes a moment, and few need it
        from huggingface_hub.errors import LocalEntryNotFoundError

        try:
            return Path(
                snapshot_download(
                    source.huggingface,
                    revision=source.revision,
                    cache_dir=self._cache,
                    endpoint=self._url or None,
                    allow_patterns=patterns,
                    local_files_only=offline,
                )
            )
        except LocalEntryNotFoundError:
            if offline:
                return None
            raise

    def _download(self, source: HubSource, patterns: list[str]) -> Path | None:
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

        if not self.allows_downloads:
            raise CannotLoad(
                f"{source.huggingface} is not on this machine and nothing is downloaded unless "
                "INFERENCE_ALLOW_DOWNLOADS is true. Pull it (groundwork model pull; for one of the models file, its "
                "source under any other name), set that, or put the model into a folder and declare its `path`"
            )
        log.info("downloading a model", model=source.huggingface, revision=source.revision)
        try:
            return self._fetch(source, patterns, offline=False)
        except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
            log.error("download failed", model=source.huggingface, error=repr(error))
            raise CannotLoad(
                f"{source.huggingface} at {source.revision} could not be downloaded. Inference's log says why"
            ) from None


def part_names(file: str) -> list[str]:
    """The file itself, or the names of all its parts where it is the first of several."""
    parts = PART.search(file)
    if parts is None:
        return [file]
    return [f"{file[: parts.start()]}-{number:05}-of-{parts[1]}.gguf" for number in range(1, int(parts[1]) + 1)]
