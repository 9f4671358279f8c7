"""``isocenter run``: looking at a job that runs, following and stopping it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from isocenter.backends import load_backend
from isocenter.domain.run import RunId, new_run_id
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.home import Home
from isocenter.registry.runs import RunRecords
from isocenter.storage.database import open_database

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
PROGRAM = (
    "import pathlib, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
    "print('up'); print('ready')\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def running(home: Home) -> Iterator[RunId]:
    """A recorded run whose job is running."""
    database = open_database(home)
    records, run = RunRecords(database), new_run_id()
    backend = load_backend("local", home, {"entry_point": (), "stop_grace_s": 5})
    job = TrainingJob("train", (sys.executable, "-c", PROGRAM))
    submission = backend.plan(job, run)
    records.create(run, job, "local", submission.digest, backend="local")
    handle = backend.submit(submission)
    records.add_attempt(run, handle)
    database.close()
    deadline = time.monotonic() + 20
    while list(backend.logs(handle)) != ["up", "ready"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield run
    backend.cancel(handle)


def test_state_is_that_of_now_not_that_of_the_record(running: RunId, isocenter_cli: Cli) -> None:
    (listed,) = json.loads(isocenter_cli("run", "list", "--json").stdout)
    assert (listed["id"], listed["state"]) == (running, "running")
    assert "running" in isocenter_cli("run", "show", running).stdout
    assert isocenter_cli("run", "logs", running).stdout == "up\nready\n"


def test_show_says_what_was_asked_for(home: Home, isocenter_cli: Cli) -> None:
    database = open_database(home)
    records, run = RunRecords(database), new_run_id()
    image, dataset = f"registry.example/training@sha256:{'1' * 64}", "2" * 64
    compute = Compute(gpu="a100-80", gpu_count=8, nodes=2, spot=True, max_runtime_s=129_600)
    inputs = {"dataset": f"s3://data/datasets/{dataset}"}
    job = TrainingJob("train", ("train",), inputs=inputs, image=image, compute=compute)
    records.create(run, job, "aws-prod", f"sha256:{'3' * 64}", backend="sagemaker")
    database.close()
    shown = json.loads(isocenter_cli("run", "show", run, "--json").stdout)
    assert shown["compute"] == {
        "gpu": "a100-80",
        "gpu_count": 8,
        "nodes": 2,
        "spot": True,
        "max_runtime_s": 129_600,
    }
    assert (shown["image"], shown["dataset"]) == (image, f"sha256:{dataset}")
    text = isocenter_cli("run", "show", run, env={**os.environ, "COLUMNS": "200"}).stdout
    assert text.count(image) == 1
    told = {tuple(cell.strip() for cell in line.split("│")[1:3]) for line in text.splitlines() if "│" in line}
    assert told >= {
        ("gpu", "a100-80 x 8"),
        ("nodes", "2"),
        ("spot", "yes"),
        ("max_runtime", "1d12h"),
        ("request", f"sha256:{'3' * 64}"),
        ("dataset", f"sha256:{dataset}"),
    }


def test_cancel_waits_and_is_audited(running: RunId, isocenter_cli: Cli) -> None:
    follower = subprocess.Popen(
        [sys.executable, "-m", "isocenter.cli.main", "run", "logs", "--follow", running],
        stdout=subprocess.PIPE,
        text=True,
    )
    cancelled = json.loads(isocenter_cli("run", "cancel", running, "--json").stdout)
    assert cancelled == {"id": running, "state": "cancelled", "had_ended": False}
    assert follower.communicate(timeout=20)[0] == "up\nready\n"
    resumed = isocenter_cli("run", "resume", running)
    assert (resumed.returncode, "was cancelled" in resumed.stderr) == (5, True)
    again = isocenter_cli("run", "cancel", running)
    assert again.returncode == 0
    assert "had ended before: cancelled" in again.stdout
    (newest, *_) = json.loads(isocenter_cli("audit", "list", "--json").stdout)
    assert (newest["action"], newest["object"]) == ("run.cancel", f"run:{running}")


def test_the_reason_of_a_failure_is_the_last_thing_said(home: Home, isocenter_cli: Cli) -> None:
    source = (
        "import sys; print('Training on cpu.', file=sys.stderr); print('{\"event\": \"progress\"}')\n"
        "sys.exit('The plan asks for the moon.')"
    )
    database = open_database(home)
    records, run = RunRecords(database), new_run_id()
    backend = load_backend("local", home, {"entry_point": ()})
    job = TrainingJob("train", (sys.executable, "-c", source))
    submission = backend.plan(job, run)
    records.create(run, job, "local", submission.digest, backend="local")
    handle = backend.submit(submission)
    records.add_attempt(run, handle)
    list(backend.logs(handle, follow=True))
    database.close()
    (listed,) = json.loads(isocenter_cli("run", "list", "--json").stdout)
    assert (listed["state"], listed["reason"].splitlines()[-1]) == ("failed", "The plan asks for the moon.")
    for verb in (["list"], ["show", run]):
        text = " ".join(isocenter_cli("run", *verb, env={**os.environ, "COLUMNS": "200"}).stdout.split())
        assert "The plan asks for the moon." in text
        assert "Training on cpu" not in text


def test_no_runs_yet(home: Home, isocenter_cli: Cli) -> None:
    assert "No runs yet" in isocenter_cli("run", "list").stdout
    assert json.loads(isocenter_cli("run", "list", "--json").stdout) == []
    missing = isocenter_cli("run", "cancel", "01ABC", "--json")
    assert missing.returncode == 3
    assert json.loads(missing.stdout)["error"]["code"] == "not-found"


def test_job_killed_from_outside_is_shown_as_failed(
    home: Home, running: RunId, isocenter_cli: Cli, tmp_path: Path
) -> None:
    started = next(home.runs.glob("*/attempts/1/started.json"))
    numbers = json.loads(started.read_text())
    for pid in (numbers["supervisor"], numbers["child"]):
        subprocess.run(["kill", "-9", str(pid)], check=True)
    shown = json.loads(isocenter_cli("run", "show", running, "--json").stdout)
    assert shown["state"] == "failed"
    assert "killed" in shown["reason"]


def test_resume_follows_a_job_whose_client_is_gone(home: Home, isocenter_cli: Cli, tmp_path: Path) -> None:
    go = tmp_path / "go"
    source = (
        "import pathlib, sys, time\n"
        f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
        "print('almost'); sys.exit('The plan asks for the moon.')"
    )
    database = open_database(home)
    records, run = RunRecords(database), new_run_id()
    backend = load_backend("local", home, {"entry_point": ()})
    job = TrainingJob("train", (sys.executable, "-c", source))
    submission = backend.plan(job, run)
    records.create(run, job, "local", submission.digest, backend="local")
    records.add_attempt(run, backend.submit(submission))
    database.close()
    resumed = subprocess.Popen(
        [sys.executable, "-m", "isocenter.cli.main", "run", "resume", run],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    go.touch()
    out, err = resumed.communicate(timeout=60)
    assert resumed.returncode == 5, err
    assert "almost" in out
    assert "The plan asks for the moon." in err
    (listed,) = json.loads(isocenter_cli("run", "list", "--json").stdout)
    assert listed["state"] == "failed"
    assert isocenter_cli("run", "resume", "01ABC").returncode == 3
