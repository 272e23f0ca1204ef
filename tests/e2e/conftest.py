"""The end-to-end tests' fixtures."""

from tests.support.stack import free_port, handbook, home, http
from tests.support.traced import traced

__all__ = ["free_port", "handbook", "home", "http", "traced"]
