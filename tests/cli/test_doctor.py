"""``isocenter doctor``: what this machine lacks."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
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


def test_a_store_is_not_made_by_looking_for_one(isocenter_cli: Cli, tmp_path: Path) -> None:
    store = tmp_path / "deep" / "store"
    environment = {k: v for k, v in os.environ.items() if k != "ISOCENTER_DATABASE_URL"}
    done = isocenter_cli("doctor", "--json", env={**environment, "ISOCENTER_HOME": str(store)})
    assert done.returncode == 0, done.stdout
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert checks["store"]["detail"].startswith(f"no store yet at {store}")
    assert {checks[name]["state"] for name in ("store", "disk space", "database", "audit trail")} <= {
        "ok",
        "warning",
    }
    assert list(tmp_path.iterdir()) == []
    store.mkdir(parents=True)
    assert isocenter_cli("doctor", env={**environment, "ISOCENTER_HOME": str(store)}).returncode == 0
    assert list(store.iterdir()) == []


def test_each_extra_that_is_suggested_is_one_and_its_packages_are_pinned(isocenter_cli: Cli) -> None:
    from isocenter.doctor.software import EXTRAS

    repository = Path(__file__).parents[2]
    project = tomllib.loads((repository / "platform/pyproject.toml").read_text())["project"]
    offered = project["optional-dependencies"]
    names = {extra: tuple(re.split("[<>=]", need)[0] for need in offered[extra]) for extra in EXTRAS}
    assert names == EXTRAS
    pinned = (repository / "constraints.txt").read_text()
    assert [name for found in names.values() for name in found if f"\n{name}==" not in pinned] == []
    assert not {name for found in names.values() for name in found} & {
        re.split("[<>=]", need)[0] for need in project["dependencies"]
    }
    remedies = [check["remedy"] for check in json.loads(isocenter_cli("doctor", "--json").stdout)]
    suggested = {found for remedy in remedies for found in re.findall(r"EXTRAS=(\w+)", remedy)}
    assert suggested <= EXTRAS.keys()


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
