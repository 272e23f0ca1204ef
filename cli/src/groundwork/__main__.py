"""`groundwork`, also as `python -m groundwork`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run a command. Ctrl-C ends it with one word also while its modules are still being read."""
    try:
        from groundwork.commands import app  # reading them takes long enough to press Ctrl-C
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        raise SystemExit(130) from None
    app()


if __name__ == "__main__":
    main()
