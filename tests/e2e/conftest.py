"""The end-to-end tests' fixtures."""

from tests.support.home.stack import free_port, handbook, home, http
from tests.support.home.traced import traced

__all__ = ["free_port", "handbook", "home", "http", "traced"]
