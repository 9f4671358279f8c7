"""The program as each service starts it: stopped in the middle and run again, it leaves the same bundle."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service_contracts import SERVICES, Job, Start, gcs_service, s3_service

from isocenter.domain.digest import digest_tree
from isocenter_training.signals import STOPPED_EXIT_CODE

# What says which service this is: nothing of it may come from where the tests run.
_OTHERS = ("ISOCENTER_", "AIP_", "AZUREML_", "AWS_", "CLOUD_ML_", "KUBERNETES_", "STORAGE_EMULATOR_HOST")


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_service() as address:
        yield address


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs_service(tmp_path_factory.mktemp("gcs")) as address:
        yield address


@pytest.fixture
def job(longer: Any, tmp_path: Path, s3: str, gcs: str) -> Job:
    parameters = {"plan": longer.plan, "threads": longer.threads}
    return Job(tmp_path / "service", longer.dataset, parameters, s3=s3, gcs=gcs)


def begin(start: Start) -> "subprocess.Popen[str]":
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    return subprocess.Popen(
        [sys.executable, "-m", "isocenter_training", *start.arguments],
        env=environ | dict(start.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
def test_stopped_and_run_again_leaves_the_same_bundle(service: str, job: Job, longer: Any) -> None:
    start = job.on(service)
    process = begin(start)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "progress"
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == STOPPED_EXIT_CODE, errors
    assert errors.splitlines()[0].startswith(f"Service: {service} (")

    process = begin(start)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "Continuing from the checkpoint" in errors
    assert digest_tree(start.model()) == digest_tree(longer.model)
