"""A package that is compared with, in a process and an environment of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any


class Peer:
    """Answers requests, a line of JSON each; see the scripts in `peers`."""

    def __init__(self, python: str, script: str, **environment: str) -> None:
        """Start a script of `peers`; its first line names versions."""
        self._script = Path(__file__).parent / "peers" / script
        self._process = subprocess.Popen(
            [python, str(self._script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | environment,
        )
        self.versions = self._answer()

    def ask(self, **request: Any) -> dict[str, Any]:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer's process ended; run {self._script} by hand")
        return json.loads(line)
