"""Writes docs/configuration.md from the settings classes, so that the page can't drift from the code.

Usage: python docs/build_configuration.py [--check]
"""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

PAGE = Path(__file__).parent / "configuration.md"
MODULES = ("gateway", "ingest", "retriever", "inference", "agent", "lab", "groundwork")
INTRODUCTION = """# Configuration

Generated from the settings classes by `make docs`; do not edit.

Every service reads its settings once, at start, from the environment; in a container a secret may also be a file
`/run/groundwork/<variable in lower case>`. `groundwork config` prints the effective values and where each came from.
"""


def settings_class(module_name: str) -> type[BaseSettings]:
    """The one settings class that a package defines."""
    module = importlib.import_module(f"{module_name}.settings")
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseSettings) and value.__module__ == module.__name__
    ]
    (found,) = classes
    return found


def row(prefix: str, name: str, field: FieldInfo) -> str:
    """One line of a table."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, SecretStr):
        shown = "a secret"
    elif default is None or default == "":
        shown = "empty"
    else:
        shown = f"`{default}`"
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    alias = field.validation_alias
    variable = alias if isinstance(alias, str) else f"{prefix}{name.upper()}"
    return f"| `{variable}` | {shown} | {meaning} |"


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for module_name in MODULES:
        settings = settings_class(module_name)
        prefix = str(settings.model_config.get("env_prefix", ""))
        rows = [row(prefix, name, field) for name, field in settings.model_fields.items()]
        parts.append(
            "\n".join([f"## {module_name}\n", "| variable | default | meaning |", "| --- | --- | --- |", *rows, ""])
        )
    return "\n".join(parts)


def main() -> int:
    """Write the page, or with --check say whether it is up to date."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text() == text:
            return 0
        print(f"{PAGE.name} is out of date; run `make docs`.", file=sys.stderr)
        return 1
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
