"""``isocenter doctor``: what this machine lacks."""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import isocenter
from isocenter.home import Home

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def test_machine_that_runs_the_tests_is_fit(home: Home, isocenter_cli: Cli) -> None:
    done = isocenter_cli("doctor", "--json")
    assert done.returncode == 0, done.stdout
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    wanted = {"Python", "training packages", "image decoders", "torch", "store", "disk space", "database"}
    assert {name for name, check in checks.items() if check["required"]} >= wanted
    assert all(check["remedy"] for check in checks.values() if check["state"] == "missing")


def test_store_that_can_not_be_written(isocenter_cli: Cli) -> None:
    done = isocenter_cli("doctor", env={**os.environ, "ISOCENTER_HOME": "/proc/nowhere"})
    assert done.returncode == 7
    assert "store" in done.stderr
    assert "ISOCENTER_HOME" in done.stdout


def test_machine_without_the_training_package(home: Home, tmp_path: Path) -> None:
    """A Python that sees all that is installed but training and serving."""
    packages = Path(sysconfig.get_path("purelib"))
    for entry in packages.iterdir():
        if not entry.name.startswith(("isocenter_training", "isocenter_serving")):
            (tmp_path / entry.name).symlink_to(entry)
    platform = Path(isocenter.__file__).parents[1]
    paths = f"import sys; sys.path[:0] = {[str(tmp_path), str(platform)]!r}\n"
    source = paths + "from isocenter.cli.main import main; main(['doctor', '--json'])"
    done = subprocess.run([sys.executable, "-S", "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 7, done.stderr
    failing = {c["name"] for c in json.loads(done.stdout) if c["required"] and c["state"] == "missing"}
    assert failing == {"training packages", "serving packages"}
