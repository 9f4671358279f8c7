"""Fixtures of the backends' tests."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

LACKS = "LACKS: "


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB of its own."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"{LACKS}the right to mount a small tmpfs; run the tests as root")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)
