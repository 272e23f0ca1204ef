"""The effective configuration of every service, and where each value came from."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsError

from groundwork.stack.configuration.environment import Wiring, service_settings
from groundwork.stack.configuration.overrides import Overrides, Source
from groundwork.stack.home.errors import ConfigurationBroken
from groundwork.stack.home.folder import Home, RunState
from groundwork.stack.home.ports import NAMES

SERVICES = ("gateway", "ingest", "retriever", "inference", "agent", "lab")
HIDDEN = "(secret)"
CHOSEN_AT_START = "(chosen at start)"


@dataclass(frozen=True, slots=True)
class Effective:
    """One setting as a service sees it."""

    variable: str
    value: str
    source: Source
    meaning: str


def effective(home: Home, state: RunState | None, overrides: Overrides, service: str) -> list[Effective]:
    """Every setting of one service: as it runs now, or as it would be started."""
    ports = state.ports if state else dict.fromkeys(NAMES, 0)
    given = service_settings(service, Wiring(home, ports, HIDDEN, ""), overrides)  # a Redis URL is never shown
    settings = settings_class(service)
    prefix = str(settings.model_config.get("env_prefix", ""))
    rows = []
    for name, field in settings.model_fields.items():
        variable = f"{prefix}{name}".upper()
        meaning = " ".join((field.description or "").split())
        setting = given.get(variable)
        value, source = (setting.text, setting.source) if setting else (_default(field), "default")
        rows.append(Effective(variable, _shown(value, field, chosen_later=state is None), source, meaning))
    return rows


def unknown_settings(overrides: Overrides, service: str) -> list[str]:
    """Variables with a service's prefix that it does not know: misspelt, most likely."""
    settings = settings_class(service)
    prefix = str(settings.model_config.get("env_prefix", ""))
    known = {f"{prefix}{name}".upper() for name in settings.model_fields}
    return sorted(name for name in overrides.of(prefix) if name.upper() not in known)


def check_settings(overrides: Overrides) -> None:
    """Raise `ConfigurationBroken` for a value that its service would refuse, so that nothing is started in vain."""
    for service in SERVICES:
        prefix = f"{service.upper()}_"
        theirs = overrides.of(prefix)
        if not theirs:
            continue  # and its settings need not even be imported
        settings = settings_class(service)
        try:
            _only_from(settings, {name.lower(): setting.text for name, setting in theirs.items()})
        except SettingsError as error:
            raise ConfigurationBroken(f"A setting of {service} can't be read: {error}.") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = f"{prefix}{'_'.join(str(part) for part in first['loc'][:1])}".upper()
            source = theirs[name].source if name in theirs else "?"
            raise ConfigurationBroken(f"{name} (from {source}) is not valid: {first['msg']}.") from None


def _only_from(settings: type[BaseSettings], variables: dict[str, str]) -> BaseSettings:
    """The settings as the service would read them, with these variables as its whole environment."""

    class Only(settings):  # type: ignore[valid-type,misc]
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], **sources: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            source = EnvSettingsSource(settings_cls)
            source.env_vars = variables
            return (source,)

    return Only()


def settings_class(service: str) -> type[BaseSettings]:
    """The one settings class of a service; every service has it in the same room."""
    module = importlib.import_module(f"{service}.settings")
    (found,) = (
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseSettings) and value.__module__ == module.__name__
    )
    return found


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    return "" if default is None else str(default)


def _shown(value: str, field: FieldInfo, *, chosen_later: bool) -> str:
    if value and (field.annotation is SecretStr or SecretStr in get_args(field.annotation)):
        return HIDDEN
    if chosen_later and (value == "0" or value.endswith(":0")):
        return CHOSEN_AT_START
    return value
