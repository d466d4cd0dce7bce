"""Real DIALS programs for the tests."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Debian's DIALS runs under the system's own Python; what belongs to the tests' environment would
# lead it to the wrong packages.
FOREIGN_VARIABLES = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS")
TIMEOUT_SECONDS = 540.0


@dataclass(frozen=True, slots=True)
class Dials:
    """The DIALS programs in one folder."""

    folder: Path

    def run(
        self,
        program: str,
        *arguments: str | Path,
        cwd: Path,
        check: bool = True,
        timeout: float = TIMEOUT_SECONDS,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run e.g. ``dials.refine`` in ``cwd``; output and errors are captured as text.

        With ``check`` a program that fails is an AssertionError which shows what it printed.
        """
        done = subprocess.run(
            [self.folder / program, *arguments],
            cwd=cwd,
            env={**self.environment(), **(variables or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            command = " ".join([program, *map(str, arguments)])
            problem = f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
            raise AssertionError(problem)
        return done

    def environment(self) -> dict[str, str]:
        """The variables of this process less those that name its own Python environment."""
        kept = {key: value for key, value in os.environ.items() if key not in FOREIGN_VARIABLES}
        kept["PATH"] = os.pathsep.join([str(self.folder), "/usr/bin", "/bin"])
        kept.setdefault("OMP_NUM_THREADS", "1")
        return kept


def run_script(
    dials: Dials, script: str, cwd: Path, variables: Mapping[str, str] | None = None
) -> Any:
    """What a script under DIALS' own Python prints last, as JSON."""
    python = "dials.python" if (dials.folder / "dials.python").exists() else "python3"
    (cwd / "script.py").write_text(script)
    done = dials.run(python, "script.py", cwd=cwd, variables=variables)
    return json.loads(done.stdout.splitlines()[-1])
