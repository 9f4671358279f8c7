"""Several processes on one training: started by torchrun, or by the program itself on a CPU's cores."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from isocenter.domain.digest import digest_tree
from isocenter_training.companions import processes_for

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
BUDGET = {"epochs": 12, "batch_size": 16, "patience": 12}


@pytest.mark.slow
def test_torchrun_processes_stop_together_and_one_process_finishes(new_job: Callable[..., Any]) -> None:
    job = new_job(budget=BUDGET)
    process = job.start(*TORCHRUN)
    job.wait_for_step(process, 5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert errors.count("2 process(es)") == 1
    assert _eventually_none(job)
    lines = job.metrics
    assert len(lines) >= 2

    assert job.run() == 0
    assert job.summary["resumed"] == 1
    assert job.metrics[: len(lines)] == lines
    assert job.summary["validation_auroc"] > 0.9


@pytest.mark.slow
def test_cores_become_processes_that_die_together_and_repeat_exactly(new_job: Callable[..., Any]) -> None:
    whole, broken = (new_job(name, threads=2, budget=BUDGET) for name in ("whole", "broken"))
    process = whole.start()
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert errors.count("Best of") == 1
    assert whole.summary["processes"] == 2
    assert whole.summary["validation_auroc"] > 0.9

    process = broken.start()
    broken.wait_for_step(process, 5)
    assert len(_processes_of(broken)) == 2
    process.kill()
    process.communicate(timeout=60)
    assert _eventually_none(broken)

    process = broken.start()
    _, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert digest_tree(broken.model) == digest_tree(whole.model)


@pytest.mark.slow
def test_a_companion_that_dies_at_its_start_ends_the_training_with_a_reason(
    new_job: Callable[..., Any],
) -> None:
    job = new_job(threads=2, budget=BUDGET)
    process = job.start()
    while not (companion := [pid for pid in _processes_of(job) if pid != process.pid]):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(companion[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 7
    assert errors.splitlines()[-1].startswith("A process of the training ended early (exit code -9).")
    assert _eventually_none(job)

    assert job.run() == 0


def test_wrong_input_is_told_by_the_first_process_only(
    new_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_job(budget={"epochs": 0})
    monkeypatch.setenv("RANK", "1")
    assert job.run() == 3
    assert not capsys.readouterr().err
    monkeypatch.setenv("RANK", "0")
    assert job.run() == 3
    assert "budget.epochs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("cores", "batch_size", "processes"), [(1, 64, 1), (2, 16, 2), (2, 8, 1), (16, 16, 2), (4, 4, 1)]
)
def test_each_process_gets_at_least_eight_images(cores: int, batch_size: int, processes: int) -> None:
    assert processes_for(cores, batch_size) == processes


def _processes_of(job: Any) -> list[int]:
    """Processes on this machine that work for the job."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("ISOCENTER_CHECKPOINT_DIR") == str(job.checkpoint):
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def _eventually_none(job: Any, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while _processes_of(job) and time.monotonic() < end:
        time.sleep(0.05)
    return not _processes_of(job)
