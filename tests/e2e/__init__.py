"""A package, so that the homes that its tests share end with the last of them, not with all suites."""
