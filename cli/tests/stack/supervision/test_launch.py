from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from groundwork.stack.supervision import launch


def test_a_process_gets_exactly_the_environment_of_its_file(tmp_path: Path) -> None:
    odd = {"A": """quotes " and ' and \\ and % and\nlines""", "B": ""}
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    file = tmp_path / "program.json"
    file.write_text(json.dumps({"command": [sys.executable, "-I", "-S", "-c", show], "environment": odd}))
    done = subprocess.run([sys.executable, "-I", "-S", launch.__file__, file], capture_output=True, check=True)
    seen = json.loads(done.stdout)
    seen.pop("LC_CTYPE", None)  # Python's own
    assert seen == odd
