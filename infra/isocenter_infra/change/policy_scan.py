"""Call the policy scan, which lives in an environment of its own (``policies/``)."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.errors import EnvironmentFaultError, IntegrityError

_ROOT = Path(__file__).parents[3]
OPEN = 8


@dataclass(frozen=True)
class PolicyResult:
    """What the scan said.

    Args:
        passed: no finding is open.
        checks: how many checks passed.
        findings: the open ones, as the scan's ``--json`` gives them.
        excused: how many findings a reviewed exception covers.
    """

    passed: bool
    checks: int
    findings: tuple[Mapping[str, Any], ...]
    excused: int = 0


def scan(path: Path, notice: Callable[[str], None]) -> PolicyResult:
    """Scan the document at ``path``.

    Raises:
        EnvironmentFaultError: the scanner isn't installed.
        IntegrityError: the scan could not read the document, or passed nothing.
    """
    done = subprocess.run(
        [*scanner(), "scan", str(path), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, OPEN):
        raise IntegrityError(
            f"The policy scan could not be made: {' '.join(done.stderr.split())[-400:]}",
            hint="Nothing is planned without it.",
        )
    return _result(done.stdout, done.returncode)


def scanner() -> list[str]:
    """The scan's command, to which its verb and options are added.

    Raises:
        EnvironmentFaultError: the scanner isn't installed.
    """
    python = Path(os.environ.get("ISOCENTER_POLICY_PYTHON") or _ROOT / ".venv-policies" / "bin" / "python")
    if not python.exists():
        raise EnvironmentFaultError(
            "The policy scanner is not installed, and nothing is planned without it.",
            hint="make policy (it installs the scanner in .venv-policies).",
        )
    return [str(python), "-m", "isocenter_policies"]


def _result(text: str, code: int) -> PolicyResult:
    body = json.loads(text)
    kept = sum(file["passed"] for file in body["files"])
    found = tuple(finding for finding in body["findings"] if finding["state"] == "open")
    return PolicyResult(code == 0, kept, found, len(body["findings"]) - len(found))
