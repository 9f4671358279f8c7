"""Submitting to Kubeflow Pipelines and seeing its steps, against a server made of its own definitions."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "compilers"))
from sdk import CHECKS, python_of
from targets import DATASET, ONPREM, compile_for

from isocenter.errors import EnvironmentFaultError, InputError, NotFoundError, TransientFaultError
from isocenter.orchestrators.base import StepStage, load_orchestrator
from isocenter.orchestrators.kubeflow import ENDPOINT
from isocenter.targets.descriptor import DeploymentDescriptor

PARAMETERS = {"dataset": DATASET.removeprefix("sha256:"), "execution": "01J"}
STARTED = "2026-11-24T10:00:00Z"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    words = [python_of(".venv-pipelines"), "-W", "ignore", CHECKS / "kfp_server.py", "the-token"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@pytest.fixture
def target(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DeploymentDescriptor:
    (tmp_path / "token").write_text("the-token\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "token"))
    return ONPREM.model_copy(update={"endpoints": {ENDPOINT: address}})


def post(address: str, path: str, **body: Any) -> None:
    with urlopen(Request(address + path, json.dumps(body).encode()), timeout=10):
        pass


def test_it_is_started_once_and_its_steps_are_shown(target: DeploymentDescriptor, address: str) -> None:
    pipelines = load_orchestrator("kubeflow", target)
    run = pipelines.submit(compile_for("kubeflow"), PARAMETERS, "01J")
    assert pipelines.submit(compile_for("kubeflow"), PARAMETERS, "01J") == run
    assert pipelines.submit(compile_for("kubeflow"), PARAMETERS, "01K") != run
    assert pipelines.steps(run) == []
    tasks = [
        {"display_name": "train", "state": "SUCCEEDED", "start_time": STARTED, "end_time": STARTED},
        {"display_name": "evaluate", "state": "RUNNING", "pod_name": "evaluate-1", "start_time": STARTED},
        {"display_name": "gate", "state": "FAILED", "error": {"message": "exit code 4"}},
        {"display_name": "register", "state": "SKIPPED", "start_time": "1970-01-01T00:00:00Z"},
    ]
    post(address, "/emulator/tasks", run=run, tasks=tasks)
    found = {step.name: step for step in pipelines.steps(run)}
    stages = (StepStage.DONE, StepStage.RUNNING, StepStage.FAILED, StepStage.SKIPPED)
    assert tuple(step.stage for step in found.values()) == stages
    assert found["train"].started_at is not None
    assert found["evaluate"].detail == "evaluate-1"
    assert found["gate"].detail == "exit code 4"
    assert found["register"].started_at is None


def test_a_broken_pipeline_is_refused_in_kubeflows_words(target: DeploymentDescriptor) -> None:
    compiled = compile_for("kubeflow")
    broken = replace(compiled, text=compiled.text.replace("maxRetryCount", "mostRetries"))
    with pytest.raises(InputError, match="mostRetries"):
        load_orchestrator("kubeflow", target).submit(broken, PARAMETERS, "01L")
    with pytest.raises(InputError, match="unknown parameters"):
        load_orchestrator("kubeflow", target).submit(compiled, {**PARAMETERS, "more": "1"}, "01L")


def test_faults_are_told_apart(
    target: DeploymentDescriptor, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipelines = load_orchestrator("kubeflow", target)
    for status in (429, 503):
        post(address, "/emulator/faults", statuses=[status])
        with pytest.raises(TransientFaultError):
            pipelines.steps("some")
    with pytest.raises(NotFoundError):
        pipelines.steps("some")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", "/nowhere")
    with pytest.raises(EnvironmentFaultError, match="credentials"):
        pipelines.steps("some")
    gone = target.model_copy(update={"endpoints": {ENDPOINT: "http://127.0.0.1:9"}})
    with pytest.raises(TransientFaultError, match="reached"):
        load_orchestrator("kubeflow", gone).steps("some")
    with pytest.raises(InputError, match="address"):
        load_orchestrator("kubeflow", ONPREM)
