"""The user's own settings for the services: from the environment, the home's `config.env`, and `./.env`.

This reads the environment on the services' behalf, so that each process gets exactly what `groundwork config` shows.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dotenv import dotenv_values

from groundwork.stack.home.errors import ConfigurationBroken
from groundwork.stack.home.folder import Home

Source = Literal["default", "groundwork", ".env", "home", "environment"]
"""Where a value came from; a later one wins. `groundwork` means chosen by `up`, `home` the home's config.env."""

PREFIXES = ("GATEWAY_", "INGEST_", "RETRIEVER_", "INFERENCE_", "AGENT_")
_OURS = "GROUNDWORK_"
_RUNTIME = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV")
_LOADER = ("LD_LIBRARY_PATH", "LD_PRELOAD")
_CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
_RUNTIME_PREFIXES = ("LC_", "XDG_", "PYTHON", "MALLOC_", "OMP_", "OPENBLAS_", "MKL_", "TOKENIZERS_", "OTEL_")
_PREFIXES_OF = {
    "inference": ("HF_", "HUGGINGFACE_", "TRANSFORMERS_", "TORCH_", "CUDA_", "NVIDIA_", "ONEDNN_", "DNNL_", "KMP_"),
    "ingest": ("AWS_",),
    "worker": ("AWS_",),
}
"""Of variables that one process alone has a use for: model libraries and hubs, buckets of originals."""
_NEVER_PASSED = (
    "GROUNDWORK_API_KEY",
    "PYTHONDONTWRITEBYTECODE",  # every start would compile a thousand modules again: 60 s instead of 6 on two cores
    "PYTHONINSPECT",
    "PYTHONSTARTUP",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and where it came from."""

    text: str
    source: Source


@dataclass(frozen=True)
class Overrides:
    """Everything that the user set, by variable name."""

    settings: Mapping[str, Setting]

    @classmethod
    def read(cls, home: Home, environment: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> Overrides:
        """Read all three places; the environment wins over the home's file, that over `./.env`."""
        found: dict[str, Setting] = {}
        places: list[tuple[Source, Mapping[str, str | None]]] = [
            (".env", _file(dotenv)),
            ("home", _file(home.settings_file)),
            ("environment", dict(os.environ if environment is None else environment)),  # noqa: TID251  # see above
        ]
        for source, values in places:
            for name, text in values.items():
                if text is not None and name not in _NEVER_PASSED:
                    found[name] = Setting(text, source)
        return cls(found)

    def get(self, name: str) -> str | None:
        """One value; empty counts as not set."""
        setting = self.settings.get(name)
        return setting.text or None if setting else None

    def port(self, name: str) -> int:
        """A port that the user fixed, or 0; raises `ConfigurationBroken`."""
        text = self.get(name) or "0"
        if not text.isdigit() or int(text) > 65535:
            raise ConfigurationBroken(f"{name} is '{text}', which is not a port. Give a number up to 65535.")
        return int(text)

    def of(self, prefix: str) -> dict[str, Setting]:
        """The settings of one service."""
        return {name: setting for name, setting in self.settings.items() if name.startswith(prefix)}

    def passed(self, program: str, keys: Collection[str] = ()) -> dict[str, str]:
        """What a process gets besides its settings: what its runtime needs, never the rest of somebody's shell.

        `keys` are variables that the models file names; only inference gets these.
        """
        prefixes = (*_RUNTIME_PREFIXES, *_PREFIXES_OF.get(program, ()))
        return {
            name: setting.text
            for name, setting in self.settings.items()
            if name in (*_RUNTIME, *_LOADER, *_CERTIFICATES)
            or name.lower() in _PROXIES
            or name.startswith(prefixes)
            or name in keys
        }


def _file(path: Path) -> dict[str, str | None]:
    if not path.is_file():
        return {}
    try:
        return dict(dotenv_values(path, interpolate=False))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationBroken(f"{path} can't be read ({error}). It holds NAME=value lines in UTF-8.") from None
