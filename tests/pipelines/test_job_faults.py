"""A job whose target, or own machine, fails on the way: what is recorded, and what the same call does."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator

from isocenter.backends import load_backend
from isocenter.domain.run import JobState, new_run_id
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import EnvironmentFaultError, JobFailedError, NotFoundError, TransientFaultError
from isocenter.home import Home
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.observer import Silent
from isocenter.pipelines.records import Records, open_records
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor

NAME = "cd" * 32
KEY = f"sha256:{'1' * 64}"
LEAVES_A_MEGABYTE = (
    "import os, pathlib\n"
    "from isocenter_training.contract import detect\n"
    "folder = detect(dict(os.environ)).environment()['ISOCENTER_MODEL_DIR']\n"
    "(pathlib.Path(folder) / 'weights').write_bytes(os.urandom(1 << 20))\n"
)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The container's entry point is ``env``, so that a job's command is a program."""
    with emulator("aws", tmp_path_factory.mktemp("aws") / "store", ["/usr/bin/env"]) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def records(home: Home) -> Iterator[Records]:
    opened = open_records(home)
    yield opened
    opened.database.close()


Launch = Callable[[DeploymentDescriptor], JobLauncher]


@pytest.fixture
def launcher(home: Home, records: Records) -> Launch:
    def made(descriptor: DeploymentDescriptor) -> JobLauncher:
        settings = {**descriptor.settings, "descriptor": descriptor.model_dump(mode="json")}
        backend = load_backend(descriptor.backend, home, settings)
        return JobLauncher(backend, descriptor.name, records, Silent(), descriptor)

    return made


@pytest.fixture
def job(home: Home) -> TrainingJob:
    folder = home.datasets / NAME
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    (folder / "manifest").write_text("12345")
    return TrainingJob(
        "train", ("true", "indeed"), inputs={"dataset": str(folder)}, labels={"model": "chest-xray"}
    )


def audited(records: Records) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The trail, the oldest first."""
    found = [record.as_json() for record in reversed(records.trail.list())]
    return [(each["action"], each["object"], each["outcome"], each["details"]) for each in found]


def without_service(emulated: DeploymentDescriptor) -> DeploymentDescriptor:
    """Its storage answers; what runs jobs is gone."""
    return emulated.model_copy(
        update={"endpoints": {"aws-storage": emulated.endpoints["aws"], "aws": "http://127.0.0.1:9"}}
    )


def test_what_leaves_and_what_is_started_is_in_the_trail_once(
    emulated: DeploymentDescriptor, launcher: Launch, records: Records, job: TrainingJob
) -> None:
    run = new_run_id()
    here = launcher(emulated)
    here.finish("train", job, run, KEY)
    here.finish("train", job, run, KEY)
    begun, ended, submitted = audited(records)
    sent = {"target": "aws-emulated", "to": f"{emulated.buckets['data']}/datasets/{NAME}"}
    sent |= {"files": 2, "bytes": 7}
    assert begun == ("dataset.upload.begin", f"dataset:sha256:{NAME}", "success", sent)
    assert ended == ("dataset.upload", f"dataset:sha256:{NAME}", "success", sent)
    assert submitted[:3] == ("run.submit", f"run:{run}", "success")
    (attempt,) = records.runs.get(run).attempts
    assert submitted[3] == {
        "target": "aws-emulated",
        "backend": "sagemaker",
        "request": records.runs.get(run).submission_digest,
        "attempt": 1,
        "job": attempt.external_id,
    }
    assert records.trail.verify().ok


def test_an_upload_that_breaks_off_is_in_the_trail(
    emulated: DeploymentDescriptor, launcher: Launch, records: Records, job: TrainingJob, home: Home
) -> None:
    folder = home.datasets / ("ef" * 32)
    folder.mkdir()
    (folder / "dataset.json").write_text("{}")
    gone = emulated.model_copy(update={"buckets": {**emulated.buckets, "data": "s3://nobodys-bucket"}})
    with pytest.raises(NotFoundError, match="no such bucket"):
        launcher(gone).finish("train", replace(job, inputs={"dataset": str(folder)}), new_run_id(), KEY)
    (run,) = records.runs.list()
    assert run.state is JobState.FAILED
    assert [(action, outcome) for action, _, outcome, _ in audited(records)] == [
        ("dataset.upload.begin", "success"),
        ("dataset.upload", "failure"),
    ]


def test_a_run_that_is_not_submitted_has_failed_with_the_reason_and_can_be_tried_again(
    emulated: DeploymentDescriptor, launcher: Launch, records: Records, job: TrainingJob
) -> None:
    away = launcher(without_service(emulated))
    run = away.run_for(job, KEY)
    with pytest.raises(TransientFaultError):
        away.finish("train", job, run, KEY)
    seen = records.runs.get(run)
    assert seen.state is JobState.FAILED
    assert seen.ended_at is not None
    assert seen.reason is not None
    assert seen.reason.startswith("It could not be submitted. AWS can't be reached")
    action, _, outcome, details = audited(records)[-1]
    assert (action, outcome, details["error"]) == ("run.submit", "failure", "transient")
    back = launcher(emulated)
    assert back.run_for(job, KEY) == run, "the same run is tried again"
    back.finish("train", job, run, KEY)
    seen = records.runs.get(run)
    assert (seen.state, seen.reason, seen.ended_at) == (JobState.RUNNING, None, None)
    assert len(seen.attempts) == 1


def test_a_run_that_was_cancelled_before_its_submit_is_not_started(
    emulated: DeploymentDescriptor,
    launcher: Launch,
    records: Records,
    job: TrainingJob,
    isocenter_cli: Callable[..., "subprocess.CompletedProcess[str]"],
    home: Home,
) -> None:
    run = new_run_id()
    fresh = home.datasets / ("12" * 32)
    fresh.mkdir()
    (fresh / "dataset.json").write_text("{}")

    def cancel() -> None:
        """Between the run's record and its submit lies the upload; here somebody cancels it there."""
        records.runs.create(run, job, "aws-emulated", "sha256:" + "0" * 64, KEY)
        done = isocenter_cli("run", "cancel", run)
        assert done.returncode == 0, done.stderr
        assert "is: cancelled" in done.stdout

    real = records.trail.append
    cancelled: list[bool] = []

    class Trail:
        """The real one, during whose first record of an upload the run is cancelled from another process."""

        def append(self, event: Any, connection: Any = None) -> int:
            if event.action == "dataset.upload.begin" and not cancelled:
                cancelled.append(True)
                cancel()
            return real(event, connection)

        def check(self) -> None:
            raise AssertionError("nothing may be submitted")

    here = launcher(emulated)
    here = replace(here, records=replace(records, trail=Trail()))  # type: ignore[arg-type]
    with pytest.raises(JobFailedError, match="cancelled"):
        here.finish("train", replace(job, inputs={"dataset": str(fresh)}), run, KEY)
    seen = records.runs.get(run)
    assert (seen.state, seen.attempts) == (JobState.CANCELLED, ())


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


def test_a_full_disk_here_is_not_the_clouds_fault(
    emulated: DeploymentDescriptor,
    launcher: Launch,
    records: Records,
    job: TrainingJob,
    small_disk: Path,
    tmp_path: Path,
) -> None:
    program = tmp_path / "program.py"
    program.write_text(LEAVES_A_MEGABYTE)
    here, run = launcher(emulated), new_run_id()
    wanted = replace(job, command=(sys.executable, str(program)))
    left = here.finish("train", wanted, run, KEY)
    with pytest.raises(EnvironmentFaultError, match=f"The disk that holds {small_disk}.* is full") as told:
        here.collect(left, small_disk)
    assert "emulated" not in told.value.message
    assert "continues" in told.value.hint
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    left = here.finish("train", wanted, run, KEY)
    folders = here.collect(left, small_disk)
    assert (folders["model"] / "weights").stat().st_size == 1 << 20
    assert len(records.runs.get(run).attempts) == 1, "the job was not run again"


def test_a_place_here_that_cannot_be_written_is_named(
    emulated: DeploymentDescriptor, launcher: Launch, job: TrainingJob, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(LEAVES_A_MEGABYTE)
    here = launcher(emulated)
    left = here.finish("train", replace(job, command=(sys.executable, str(program))), new_run_id(), KEY)
    in_the_way = tmp_path / "work"
    in_the_way.write_text("a file where a directory should be")
    with pytest.raises(EnvironmentFaultError, match=f"{in_the_way}.* can't be read or written"):
        here.collect(left, in_the_way)
