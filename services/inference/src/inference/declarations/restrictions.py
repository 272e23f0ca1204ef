"""What a model may name that is added by a call, not by who owns the models file: hosts, keys, files.

Whoever has the admin scope speaks for the installation, but need not have a shell on its host. So a call can't have
this service ask the private network, send one provider's key to another host, or read any file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from yarl import URL

from inference.catalog.models_file import Model
from inference.catalog.sources import PathSource, UpstreamSource
from inference.errors import DeclarationRefused
from servicekit.peers.address_policy import AddressPolicy, AddressRefused
from servicekit.peers.connection_guard import MAX_ADDRESSES, LookUp


@dataclass(frozen=True, slots=True)
class Restrictions:
    """`keys`: the variables that hold keys, each with the hosts that it may be sent to. `folders`: what is in them may
    be read, links followed; a GGUF file may lie anywhere, since nothing else begins as one does."""

    policy: AddressPolicy
    keys: Mapping[str, frozenset[str]]
    folders: tuple[Path, ...]
    look_up: LookUp

    async def check(self, model: Model) -> None:
        """Raise `DeclarationRefused` with the key that is wrong and the setting that would allow it."""
        source = model.source
        if isinstance(source, UpstreamSource):
            await self._check_url("source.base_url", source.base_url)
            if source.metrics_url is not None:
                await self._check_url("source.metrics_url", source.metrics_url)
            if source.api_key_env is not None:
                self._check_key(source.api_key_env, URL(source.base_url))
        if model.learnt:
            where = "llamacpp.adapters" if model.llamacpp.adapters else "vllm.adapter"
            raise DeclarationRefused(where, "what a tuning job has learnt is published by that job")
        if model.tokenizer is not None:
            self._check_path("tokenizer", model.tokenizer)
        if isinstance(source, PathSource) and model.engine != "llamacpp":
            self._check_path("source.path", source.path)

    async def _check_url(self, param: str, text: str) -> None:
        """By its form and by what its host resolves to now; each connection is checked again when it is made."""
        try:
            url = self.policy.target(text)
            for address in await self._addresses(url):
                self.policy.check(url.raw_host or "", url.port or 0, ip_address(address))
        except AddressRefused as refused:
            raise DeclarationRefused(
                param,
                f"{refused.why}. Add {_place(text)} to INFERENCE_ADDED_HOSTS (of a home in its config.env) and start "
                "inference again, or declare the model in the models file",
            ) from None

    async def _addresses(self, url: URL) -> Iterable[str]:
        host = url.raw_host or ""
        try:
            ip_address(host)
            return ()  # checked by its form
        except ValueError:
            pass
        try:
            return (await self.look_up(host))[:MAX_ADDRESSES]
        except OSError:
            return ()  # nobody is there; the model says so when it is asked

    def _check_key(self, name: str, url: URL) -> None:
        host = url.host or ""
        allowed = self.keys.get(name, frozenset())
        if not {host, f"{host}:{url.port}"} & allowed:
            where = f"is sent to {' or '.join(sorted(allowed))} only" if allowed else "is not known as a server's key"
            raise DeclarationRefused(
                "source.api_key_env",
                f"{name} {where}. Declare the model in the models file, or add {name}={host} to INFERENCE_ADDED_KEYS",
            )

    def _check_path(self, param: str, path: Path) -> None:
        real = path.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in self.folders):
            raise DeclarationRefused(
                param,
                "it is in no folder that INFERENCE_ADDED_FOLDERS names. Name its folder there, or declare the model in "
                "the models file",
            )


def _place(text: str) -> str:
    """The host and port of an address, as the setting names them; `host:port` where it has none."""
    try:
        url = URL(text)
    except ValueError:
        return "host:port"
    return f"{url.host}:{url.port}" if url.host and url.port else "host:port"
