"""A training that is stopped or killed and run again ends with the bytes of one that was not."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isocenter.domain.digest import digest_tree
from isocenter.errors import EnvironmentFaultError
from isocenter_training.signals import STOPPED_EXIT_CODE

BUDGET = {"epochs": 40, "batch_size": 4, "patience": 40}


@pytest.mark.slow
def test_stopped_then_killed_then_finished_gives_the_same_bundle(new_job: Callable[..., Any]) -> None:
    whole, broken = new_job("whole", budget=BUDGET), new_job("broken", budget=BUDGET)
    assert whole.run() == 0

    process = broken.start()
    broken.wait_for_step(process, 13)  # in the second epoch of ten steps
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == STOPPED_EXIT_CODE
    assert "continues" in errors.splitlines()[-1]
    assert (broken.checkpoint / "checkpoint.pt").exists()
    lines = len(broken.metrics)

    process = broken.start()
    broken.wait_for_step(process, 10 * lines + 25)
    process.kill()
    process.communicate(timeout=60)
    assert len(broken.metrics) >= lines

    assert broken.run() == 0
    assert broken.summary["resumed"] == 2
    assert [line["epoch"] for line in broken.metrics] == [line["epoch"] for line in whole.metrics]
    same = ("loss", "validation_auroc", "validation_loss", "learning_rate")
    for ours, theirs in zip(broken.metrics, whole.metrics, strict=True):
        assert {name: ours[name] for name in same} == {name: theirs[name] for name in same}
    assert digest_tree(broken.model) == digest_tree(whole.model)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("LACKS: the right to mount a small tmpfs; run the tests as root")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_full_disk_is_named_and_a_run_with_more_space_finishes(
    small_disk: Path, new_job: Callable[..., Any], trained: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    job = replace(new_job(), root=small_disk)
    assert job.run() == EnvironmentFaultError.exit_code == 7
    assert "The disk is full" in capsys.readouterr().err.splitlines()[-1]
    assert not [path for path in small_disk.rglob("*") if path.is_file() and path.suffix != ".jsonl"]
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    assert job.run() == 0
    assert digest_tree(job.model) == digest_tree(trained.model)
