"""A target's inputs: copied once, and checked before that."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator

from isocenter.backends import load_backend
from isocenter.domain.run import JobState, JobStatus, RunId, new_run_id
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import IntegrityError
from isocenter.home import Home
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.observer import FoundJob, Silent
from isocenter.pipelines.records import open_records
from isocenter.targets.descriptor import load_descriptor
from isocenter.targets.file_system import target_files

NAME = "ab" * 32
KEY = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with emulator("aws", tmp_path_factory.mktemp("aws") / "store", ["/bin/true"]) as printed:
        yield Path(printed["descriptor"])


@pytest.fixture
def launcher(emulated: Path, home: Home) -> Iterator[JobLauncher]:
    descriptor = load_descriptor(emulated)
    settings = {**descriptor.settings, "descriptor": descriptor.model_dump(mode="json")}
    records = open_records(home)
    yield JobLauncher(
        load_backend("sagemaker", home, settings), "aws-emulated", records, Silent(), descriptor
    )
    records.database.close()


@pytest.fixture
def job(home: Home) -> TrainingJob:
    folder = home.datasets / NAME
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    return TrainingJob("train", ("train",), inputs={"dataset": str(folder)}, labels={"model": "chest-xray"})


def there(launcher: JobLauncher, name: str) -> bool:
    assert launcher.descriptor is not None
    uri = f"{launcher.descriptor.buckets['data']}/{name}"
    return bool(target_files(launcher.descriptor, uri).exists(uri))


def refuse() -> None:
    raise IntegrityError("The pixels changed.")


def test_inputs_are_checked_before_they_are_copied_and_not_again(
    launcher: JobLauncher, job: TrainingJob
) -> None:
    calls: list[str] = []

    def finish(check: Callable[[], None]) -> None:
        launcher.finish("train", job, new_run_id(), KEY, check)

    with pytest.raises(IntegrityError):
        finish(refuse)
    assert not there(launcher, f"datasets/{NAME}/dataset.json")
    assert launcher.records.runs.list() == (), "a job that must not start leaves no run"
    finish(lambda: calls.append("checked"))
    assert there(launcher, f"datasets/{NAME}/dataset.json")
    finish(refuse)
    assert calls == ["checked"]
    recorded = launcher.records.runs.list()[0]
    assert str(recorded.job["image"]).endswith(f"@sha256:{'0' * 64}"), "the target's, as the request has it"


class Told(Silent):
    """An observer that writes down what it is told of a job."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[JobState] = []

    def job_begun(self, step: str, run: RunId, target: str, *, copies: bool) -> None:
        self.lines.append(f"{run} on {target}, {copies=}")

    def job_found(self, step: str, job: FoundJob, *, resumed: bool) -> None:
        self.lines.append(f"{job.attempt}: {job.known_as} {job.look}".strip())

    def job_seen(self, step: str, status: JobStatus) -> None:
        self.states.append(status.state)


def test_whoever_watches_hears_at_once_where_the_job_is(launcher: JobLauncher, job: TrainingJob) -> None:
    told, run = Told(), new_run_id()
    replace(launcher, observer=told).finish("train", job, run, KEY)
    (copied, found) = told.lines
    assert copied.startswith(f"{run} on aws-emulated")
    assert found == f"1: SageMaker training job {launcher.records.runs.get(run).attempts[0].external_id}"
    assert set(told.states) <= {JobState.PENDING, JobState.RUNNING, JobState.SUCCEEDED}
    assert told.states


def test_a_copy_that_was_cut_short_is_done_again(launcher: JobLauncher, job: TrainingJob) -> None:
    assert launcher.descriptor is not None
    uri = f"{launcher.descriptor.buckets['data']}/complete/datasets/{NAME}"
    files = target_files(launcher.descriptor, uri)
    if files.exists(uri):
        files.rm(uri)
    calls: list[str] = []
    launcher.finish("train", job, new_run_id(), KEY, lambda: calls.append("checked"))
    assert calls == ["checked"]
    assert there(launcher, f"complete/datasets/{NAME}")
