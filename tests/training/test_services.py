"""The program as each service starts it: stopped in the middle and run again, it leaves the same bundle."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service_contracts import (
    PARAMETERS,
    SERVICES,
    TORCHRUN,
    TORCHRUN_ENVIRONMENT,
    Job,
    Start,
    dicom_dataset,
    gcs_service,
    s3_service,
    wait_for_step,
)

from isocenter.domain.digest import digest_tree
from isocenter_training.signals import STOPPED_EXIT_CODE

# What says which service this is: nothing of it may come from where the tests run.
_OTHERS = ("ISOCENTER_", "AIP_", "AZUREML_", "AWS_", "CLOUD_ML_", "KUBERNETES_", "STORAGE_EMULATOR_HOST")
_MIDDLE = 12

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_service() as address:
        yield address


@pytest.fixture(scope="module")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with gcs_service(tmp_path_factory.mktemp("gcs")) as address:
        yield address


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dicom_dataset(tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def by_torchrun(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the bundle that two processes of torchrun leave, never stopped."""
    start = Job(tmp_path_factory.mktemp("torchrun"), dataset, PARAMETERS).on("local")
    command = [sys.executable, *TORCHRUN, "-m", "isocenter_training", *start.arguments]
    done = subprocess.run(
        command, env=environment(start) | TORCHRUN_ENVIRONMENT, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert "process 0 of 2" in done.stderr
    return digest_tree(start.model())


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts the program; what a failed test leaves running is killed, companions too."""
    started: list[subprocess.Popen[str]] = []

    def start_it(start: Start) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "isocenter_training", *start.arguments]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, env=environment(start), stdout=pipe, stderr=pipe, text=True))
        return started[-1]

    yield start_it
    for process in started:
        process.kill()  # its companions die with it
        process.communicate()


def environment(start: Start) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(_OTHERS)}
    return given | dict(start.environment)


@pytest.mark.parametrize("service", SERVICES)
def test_stopped_and_run_again_leaves_the_bundle_of_torchrun(
    service: str, begin: Begin, by_torchrun: str, dataset: Path, tmp_path: Path, s3: str, gcs: str
) -> None:
    start = Job(tmp_path / "service", dataset, PARAMETERS, s3=s3, gcs=gcs).on(service)
    process = begin(start)
    wait_for_step(process, _MIDDLE)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == STOPPED_EXIT_CODE, errors
    assert errors.splitlines()[0].startswith(f"Service: {service} (")

    process = begin(start)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "Continuing from the checkpoint" in errors
    assert digest_tree(start.model()) == by_torchrun
