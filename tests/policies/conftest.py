"""The scanner as a process of its own environment, as infra runs it."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
Scan = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def policy_python() -> Path:
    """The Python of the scanner's environment."""
    path = Path(os.environ.get("ISOCENTER_POLICY_PYTHON") or REPOSITORY / ".venv-policies/bin/python")
    if not path.exists():
        pytest.fail(f"{path} isn't there; `make .venv-policies/.installed` makes it.")
    return path


@pytest.fixture(scope="session")
def policies(policy_python: Path) -> Scan:
    """Runs ``python -m isocenter_policies``; never raises on a non-zero exit."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(policy_python), "-m", "isocenter_policies", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=300, check=False, cwd=REPOSITORY
        )

    return run


@pytest.fixture(scope="session")
def rules(policies: Scan) -> Mapping[str, Mapping[str, Any]]:
    """The HIPAA pack's rules by id."""
    done = policies("rules")
    assert done.returncode == 0, done.stderr
    listed = [json.loads(line) for line in done.stdout.splitlines()]
    return {rule["id"]: rule for rule in listed}


@pytest.fixture
def no_exceptions(tmp_path: Path) -> Path:
    """A file of exceptions without one."""
    path = tmp_path / "exceptions.yaml"
    path.write_text("[]\n")
    return path
