"""A call's path as its routes know it."""

from __future__ import annotations

from starlette.types import Scope


def route_path(scope: Scope) -> str:
    """The path without the prefix below which the app is mounted or served; a path beside it stays whole."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    rest = path.removeprefix(root)
    return rest if root and (not rest or rest.startswith("/")) else path
