"""Fixtures that every folder shares, and the list of what this machine lacked."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isocenter.home import Home, open_home

pytest_plugins = ["fixtures_postgresql"]

REPOSITORY = Path(__file__).parents[1]
LACKS = "LACKS: "


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs beside the checkout."""
    path = Path(os.environ.get("ISOCENTER_SHARED_DATA") or REPOSITORY.parent / "shared" / "data")
    if not path.is_dir():
        pytest.skip(f"{LACKS}the shared data folder; set ISOCENTER_SHARED_DATA to it")
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A fresh store of this test's own."""
    root = tmp_path / "store"
    monkeypatch.setenv("ISOCENTER_HOME", str(root))
    monkeypatch.setenv("ISOCENTER_DEPLOYMENTS", str(root / "deployments"))
    monkeypatch.delenv("ISOCENTER_DATABASE_URL", raising=False)
    return open_home(root)


@pytest.fixture
def isocenter_cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line as a user's shell would; never raises on a non-zero exit."""

    def run(*arguments: object, timeout: float = 300, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "isocenter.cli.main", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False, **options
        )  # type: ignore[call-overload,no-any-return]

    return run


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the most slow tests first, then those with the most: two processes then end together."""
    slow, all_of = Counter[Path](), Counter[Path]()
    for item in items:
        all_of[item.path] += 1
        slow[item.path] += item.get_closest_marker("slow") is not None
    items.sort(key=lambda item: (-slow[item.path], -all_of[item.path], str(item.path)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None] | None:
    """Say in one list what was not tested because the machine lacks something."""
    reasons = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])}  # type: ignore[index]
    if reasons:
        terminalreporter.section("NOT TESTED: this machine lacks", sep="!", red=True)
        for reason in sorted(reasons):
            terminalreporter.write_line("- " + reason.removeprefix("Skipped: ").removeprefix(LACKS))
    return None
