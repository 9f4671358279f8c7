"""Running a program in the environment of an SDK that fits beside none of our packages."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
CHECKS = Path(__file__).parent / "sdks"


def python_of(environment: str) -> Path:
    """Its Python; the test is skipped, and said to be, where it isn't made."""
    path = REPOSITORY / environment / "bin" / "python"
    if not (REPOSITORY / environment / ".installed").is_file():
        pytest.skip(
            f"LACKS: {environment}, which holds compiled pipelines against the SDKs' own; make test makes it"
        )
    return path


def run_check(
    environment: str,
    check: str,
    *arguments: object,
    timeout_s: int = 300,
    variables: Mapping[str, str] = os.environ,
) -> Any:
    """What a program of ``sdks/`` prints, as JSON; it must end well."""
    words = [str(python_of(environment)), "-W", "ignore", str(CHECKS / check), *map(str, arguments)]
    kept = {name: value for name, value in variables.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(words, capture_output=True, text=True, timeout=timeout_s, check=False, env=kept)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])
