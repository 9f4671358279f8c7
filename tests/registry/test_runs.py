"""Records of runs and of steps that were done."""

import time

import pytest

from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, new_run_id
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import NotFoundError
from isocenter.registry.runs import Run, RunRecords
from isocenter.registry.step_cache import StepCache
from isocenter.storage.database import Database

JOB = TrainingJob("train", ("train",), {"dataset": "/data"}, {"plan": {"name": "small", "layers": (1, 2)}})
DIGEST = "sha256:" + "5" * 64


@pytest.fixture
def records(database: Database) -> RunRecords:
    return RunRecords(database)


def create(records: RunRecords, step_key: str | None = None, job: TrainingJob = JOB) -> Run:
    return records.create(new_run_id(), job, "local", DIGEST, step_key, backend="local")


def test_a_new_run_is_pending_and_holds_its_job(records: RunRecords) -> None:
    run = create(records, "sha256:key")
    assert records.get(run.id) == run
    assert (run.state, run.name, run.target, run.backend, run.step_key) == (
        JobState.PENDING,
        "train",
        "local",
        "local",
        "sha256:key",
    )
    assert run.job["parameters"] == {"plan": {"name": "small", "layers": [1, 2]}}
    assert run.attempts == () and run.started_at is None and run.ended_at is None


def test_creating_twice_is_creating_once(records: RunRecords) -> None:
    run = create(records)
    again = records.create(run.id, TrainingJob("other", ()), "elsewhere", DIGEST)
    assert again == run and len(records.list()) == 1


def test_a_run_is_found_by_the_beginning_of_its_id(records: RunRecords) -> None:
    run = create(records)
    time.sleep(0.002)
    create(records)
    assert records.get(run.id[:18].lower()) == run
    with pytest.raises(NotFoundError, match="Several runs"):
        records.get(run.id[:4])
    for unknown in ("ZZZ", "", "%", "_" * 26):
        with pytest.raises(NotFoundError, match="No run"):
            records.get(unknown)


def test_runs_are_listed_newest_first(records: RunRecords) -> None:
    first = create(records)
    second = create(records, job=TrainingJob("evaluate", ()))
    assert [run.id for run in records.list()] == [second.id, first.id]
    assert [run.id for run in records.list(1)] == [second.id]
    assert [run.id for run in records.list(name="train")] == [first.id]


def test_states_follow_the_backend(records: RunRecords) -> None:
    run = create(records)
    records.set_status(run.id, JobStatus(JobState.RUNNING))
    running = records.get(run.id)
    assert running.started_at is not None and running.ended_at is None
    records.set_status(run.id, JobStatus(JobState.UNKNOWN))
    assert records.get(run.id) == running
    records.set_status(run.id, JobStatus(JobState.FAILED, 1, "out of memory"))
    failed = records.get(run.id)
    assert (failed.state, failed.exit_code, failed.reason) == (JobState.FAILED, 1, "out of memory")
    assert failed.ended_at is not None and failed.started_at == running.started_at


def test_a_failed_run_may_go_on_but_success_is_final(records: RunRecords) -> None:
    run = create(records)
    records.set_status(run.id, JobStatus(JobState.FAILED, 1, "killed"))
    records.set_status(run.id, JobStatus(JobState.RUNNING))
    again = records.get(run.id)
    assert (again.state, again.ended_at, again.reason) == (JobState.RUNNING, None, None)
    records.set_status(run.id, JobStatus(JobState.SUCCEEDED, 0))
    done = records.get(run.id)
    records.set_status(run.id, JobStatus(JobState.FAILED, 1, "late news"))
    assert records.get(run.id) == done


def test_what_is_unknown_has_no_status(records: RunRecords) -> None:
    with pytest.raises(NotFoundError):
        records.set_status(RunId("absent"), JobStatus(JobState.RUNNING))
    with pytest.raises(NotFoundError):
        records.add_attempt(RunId("absent"), JobHandle("local", RunId("absent"), "1"))
    with pytest.raises(NotFoundError):
        records.set_outputs(RunId("absent"), [])


def test_attempts_are_numbered_and_the_same_job_is_one(records: RunRecords) -> None:
    run = create(records)
    first = JobHandle("local", run.id, "/runs/1")
    second = JobHandle("kubernetes", run.id, "job-2")
    for handle in (first, first, second):
        records.add_attempt(run.id, handle)
    found = records.get(run.id)
    assert [(a.number, a.backend, a.external_id) for a in found.attempts] == [
        (1, "local", "/runs/1"),
        (2, "kubernetes", "job-2"),
    ]
    assert found.backend == "kubernetes"
    assert found.attempts[1].handle(run.id) == second
    assert records.list()[0] == found


def test_a_run_without_success_is_continued(records: RunRecords) -> None:
    assert records.open_run_for("key") is None
    run = create(records, "key")
    create(records, "another")
    assert records.open_run_for("key") == run
    records.set_status(run.id, JobStatus(JobState.CANCELLED))
    found = records.open_run_for("key")
    assert found is not None and found.id == run.id
    records.set_status(run.id, JobStatus(JobState.SUCCEEDED, 0))
    assert records.open_run_for("key") is None


def test_outputs_are_replaced_as_a_whole(records: RunRecords) -> None:
    run = create(records)
    model = Artifact("model", DIGEST, MediaType.BUNDLE, "/artifacts/5", 2**40)
    report = Artifact("evaluation", DIGEST, MediaType.EVALUATION, "/artifacts/6", 1)
    assert records.outputs(run.id) == ()
    records.set_outputs(run.id, [report])
    records.set_outputs(run.id, [report, model])
    assert records.outputs(run.id) == (report, model)


def test_steps_are_remembered_by_key(database: Database) -> None:
    cache = StepCache(database)
    assert cache.get("sha256:key") is None
    cache.put("sha256:key", "train", {"model": {"digest": DIGEST}}, RunId("01JD0000000000000000000000"))
    cache.put("sha256:other", "ingest", {})
    assert cache.get("sha256:key") == {"model": {"digest": DIGEST}}
    assert cache.get("sha256:other") == {}
    cache.put("sha256:key", "train", {"model": {"digest": "newer"}})
    assert cache.get("sha256:key") == {"model": {"digest": "newer"}}
