"""The end-to-end tests' fixtures."""

from tests.support.stack import free_port, handbook, home, http

__all__ = ["free_port", "handbook", "home", "http"]
