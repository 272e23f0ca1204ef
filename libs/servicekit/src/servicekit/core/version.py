"""The versions of the packages that a service is installed from."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version(service: str) -> str:
    """The installed version of a service's package."""
    try:
        return version(f"groundwork-{service}")
    except PackageNotFoundError:
        return "0"
