"""The suite that every backend passes. A backend's test module subclasses it and supplies the fixtures."""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isocenter.backends import Backend
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import InputError, JobFailedError

GOLDEN = Path(__file__).parent / "golden"
GOLDEN_RUN = RunId("01JCZZZZZZZZZZZZZZZZZZZZZZ")
NO_RUN = RunId("00000000000000000000DRYRVN")
"""What `pipeline run --dry-run` plans with."""
Program = Callable[[str], TrainingJob]
Place = Callable[[Path], str]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Path -> size and modification time of everything under ``folder``."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def wait(backend: Backend, handle: JobHandle, *, seconds: float = 30) -> JobStatus:
    """The job's final status."""
    deadline = time.monotonic() + seconds
    while not (status := backend.status(handle)).state.is_final:
        assert time.monotonic() < deadline, f"still {status}"
        time.sleep(0.02)
    return status


def wait_for(path: Path, *, seconds: float = 30) -> str:
    """The content of a file that a job is about to write."""
    deadline = time.monotonic() + seconds
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)
    return path.read_text()


def value_at(value: Any, path: str) -> Any:
    """What stands at ``a/b/0`` in ``value``."""
    for part in path.split("/"):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


class BackendContract:
    """Behaviour that all backends share."""

    @pytest.fixture
    def backend(self) -> Backend:
        """A backend whose jobs really run (or a faithful emulation of the service)."""
        raise NotImplementedError

    @pytest.fixture
    def golden_backend(self) -> Backend:
        """A backend with fixed settings, so that its plans can be compared with a file."""
        raise NotImplementedError

    @pytest.fixture
    def program(self) -> Program:
        """Makes a job that runs the given Python source in the job's environment."""
        raise NotImplementedError

    @pytest.fixture
    def marks(self, tmp_path: Path) -> Path:
        """A folder that jobs and the test both see."""
        (tmp_path / "marks").mkdir()
        return tmp_path / "marks"

    @pytest.fixture
    def place(self) -> Place:
        """Brings a folder to where the service's jobs can read it; what a job's input names."""
        return str

    def files_of(self, artifact: Artifact) -> dict[str, bytes]:
        """Path -> content of what an output holds."""
        folder = Path(artifact.uri)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def sent(self, backend: Backend, submission: Submission, handle: JobHandle) -> dict[str, Any]:
        """What the service has got of a request, field by field in the form of the plan."""
        raise NotImplementedError

    @pytest.fixture
    def job(self) -> TrainingJob:
        return TrainingJob(
            name="train",
            command=("train",),
            inputs={"dataset": "/data/set"},
            parameters={"plan": {"name": "small", "seed": 7, "rate": 0.002}, "threads": None},
            environment={"OMP_NUM_THREADS": "2"},
            labels={"model": "chest-xray"},
            compute=Compute(max_runtime_s=3600),
        )

    def test_is_a_backend(self, backend: Backend) -> None:
        assert isinstance(backend, Backend)

    def test_plan_equals_the_golden_file(self, golden_backend: Backend, job: TrainingJob) -> None:
        submission = golden_backend.plan(job, GOLDEN_RUN)
        planned = {
            "backend": submission.backend,
            "run": submission.run,
            "digest": submission.digest,
            "request": dict(submission.request),
        }
        path = GOLDEN / f"{golden_backend.name}.json"
        if os.environ.get("ISOCENTER_WRITE_GOLDEN"):
            path.write_text(json.dumps(planned, indent=2, sort_keys=True) + "\n")
        assert planned == json.loads(path.read_text())

    def test_plan_is_pure(
        self, golden_backend: Backend, job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = snapshot(tmp_path)
        first = golden_backend.plan(job, GOLDEN_RUN)
        for name in list(os.environ):
            monkeypatch.delenv(name)
        assert golden_backend.plan(job, GOLDEN_RUN) == first
        assert snapshot(tmp_path) == before

    def test_plan_of_another_run_differs(self, golden_backend: Backend, job: TrainingJob) -> None:
        digests = {golden_backend.plan(job, run).digest for run in (GOLDEN_RUN, new_run_id(), new_run_id())}
        assert len(digests) == 3

    def test_what_was_shown_is_what_is_sent_but_for_the_runs_id(
        self, backend: Backend, program: Program
    ) -> None:
        job = replace(program("print('done')"), labels={"model": "chest-xray"}, environment={"A": "b"})
        run = new_run_id()
        printed = json.dumps(dict(backend.plan(job, NO_RUN).request))
        shown = json.loads(printed.replace(NO_RUN, run).replace(NO_RUN.lower(), run.lower()))
        submission = backend.plan(job, run)
        assert shown == json.loads(json.dumps(dict(submission.request)))
        handle = backend.submit(submission)
        sent = self.sent(backend, submission, handle)
        assert sent
        assert {field: value_at(shown, field) for field in sent} == sent
        wait(backend, handle)

    def test_success(self, backend: Backend, program: Program) -> None:
        handle = backend.submit(backend.plan(program("print('done')"), new_run_id()))
        assert wait(backend, handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)
        assert list(backend.logs(handle)) == ["done"]

    def test_failure_says_why(self, backend: Backend, program: Program) -> None:
        source = "import sys; print('{\"event\": \"progress\"}'); sys.exit('noise\\n\\nThe disk\\nis flat.')"
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        assert wait(backend, handle) == JobStatus(JobState.FAILED, 1, "The disk\nis flat.")
        with pytest.raises(JobFailedError):
            backend.outputs(handle)

    def test_submit_twice_runs_once(self, backend: Backend, program: Program, marks: Path) -> None:
        source = f"import os, time; open({str(marks)!r} + f'/{{os.getpid()}}', 'w'); time.sleep(0.3)"
        submission = backend.plan(program(source), new_run_id())
        handles = {backend.submit(submission), backend.submit(submission)}
        assert len(handles) == 1
        wait(backend, *handles)
        assert {backend.submit(submission)} == handles, "a run that succeeded is not run again"
        assert len(list(marks.iterdir())) == 1

    def test_another_request_under_the_same_run_is_refused(self, backend: Backend, program: Program) -> None:
        run = new_run_id()
        wait(backend, backend.submit(backend.plan(program("print(1)"), run)))
        with pytest.raises(InputError):
            backend.submit(backend.plan(program("print(2)"), run))

    def test_failed_run_continues_from_its_checkpoints(self, backend: Backend, program: Program) -> None:
        source = (
            "import os, pathlib, sys\n"
            "mark = pathlib.Path(os.environ['ISOCENTER_CHECKPOINT_DIR']) / 'epoch'\n"
            "model = pathlib.Path(os.environ['ISOCENTER_MODEL_DIR'])\n"
            "if mark.exists():\n"
            "    assert not list(model.iterdir()), 'left over'\n"
            "    (model / 'w').write_text(mark.read_text())\n"
            "else:\n"
            "    mark.write_text('3'); (model / 'half').write_text(''); sys.exit('lost power')\n"
        )
        submission = backend.plan(program(source), new_run_id())
        first = backend.submit(submission)
        assert wait(backend, first).state is JobState.FAILED
        second = backend.submit(submission)
        assert second != first
        assert wait(backend, second).state is JobState.SUCCEEDED
        assert backend.status(first).state is JobState.FAILED
        (model,) = backend.outputs(second)
        assert model.name == "model"
        assert list(self.files_of(model)) == ["w"]

    def test_contract_environment(
        self, backend: Backend, program: Program, place: Place, tmp_path: Path
    ) -> None:
        folder = tmp_path / "set"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "f").write_text("pixels")
        job = program(
            "import os, json, pathlib\n"
            "found = pathlib.Path(os.environ['ISOCENTER_INPUT_DATASET']) / 'deep' / 'f'\n"
            "print(json.dumps({**os.environ, 'found': found.read_text()}))\n"
        )
        job = replace(job, inputs={"dataset": place(folder)}, parameters={"a": [1, "é"]})
        handle = backend.submit(backend.plan(job, new_run_id()))
        assert wait(backend, handle).state is JobState.SUCCEEDED
        environment = json.loads("".join(backend.logs(handle)))
        assert environment["ISOCENTER_RUN_ID"] == handle.run
        assert environment["found"] == "pixels"
        assert json.loads(environment["ISOCENTER_PARAMETERS"]) == {"a": [1, "é"]}

    def test_status_of_a_foreign_handle_is_unknown(self, backend: Backend) -> None:
        for handle in (
            JobHandle("elsewhere", GOLDEN_RUN, "job-1"),
            JobHandle(backend.name, GOLDEN_RUN, "../../../etc"),
            JobHandle(backend.name, new_run_id(), "no-such-job"),
        ):
            status = backend.status(handle)
            assert (status.state, status.missing) == (JobState.UNKNOWN, False)
            assert list(backend.logs(handle, follow=True)) == []
            backend.cancel(handle)

    def lost(self, handle: JobHandle) -> JobHandle:
        """A handle as ``submit`` gives it, of a job that the service doesn't have."""
        other = new_run_id()
        name = handle.external_id.replace(handle.run, other).replace(handle.run.lower(), other.lower())
        return JobHandle(handle.backend, other, name)

    def test_a_job_that_the_service_has_no_more(self, backend: Backend, program: Program) -> None:
        handle = backend.submit(backend.plan(program("print('done')"), new_run_id()))
        wait(backend, handle)
        lost = self.lost(handle)
        status = backend.status(lost)
        assert (status.state, status.missing) == (JobState.UNKNOWN, True)
        assert "has no job" in str(status.reason)
        assert list(backend.logs(lost, follow=True)) == []
        backend.cancel(lost)

    def test_logs_follow_a_running_job(self, backend: Backend, program: Program, marks: Path) -> None:
        source = (
            "import pathlib, time\n"
            "print('first')\n"
            f"while not pathlib.Path({str(marks / 'seen')!r}).exists(): time.sleep(0.01)\n"
            "print('last', end='')\n"
        )
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        lines = backend.logs(handle, follow=True)
        assert next(lines) == "first"
        assert backend.status(handle).state is JobState.RUNNING
        (marks / "seen").touch()
        assert list(lines) == ["last"]
        assert backend.status(handle).state is JobState.SUCCEEDED

    def test_cancel_lets_the_job_save_and_is_idempotent(
        self, backend: Backend, program: Program, marks: Path
    ) -> None:
        source = (
            "import pathlib, signal, sys, time\n"
            f"marks = pathlib.Path({str(marks)!r})\n"
            "def stop(*_):\n"
            "    (marks / 'saved').write_text('yes'); sys.exit(143)\n"
            "signal.signal(signal.SIGTERM, stop)\n"
            "(marks / 'up').write_text('yes')\n"
            "time.sleep(60)\n"
        )
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        wait_for(marks / "up")
        backend.cancel(handle)
        backend.cancel(handle)
        assert wait(backend, handle).state is JobState.CANCELLED
        assert (marks / "saved").read_text() == "yes"
        backend.cancel(handle)
        assert backend.status(handle).state is JobState.CANCELLED

    def test_cancel_at_once_after_submit(self, backend: Backend, program: Program) -> None:
        handle = backend.submit(backend.plan(program("import time; time.sleep(60)"), new_run_id()))
        backend.cancel(handle)
        assert wait(backend, handle).state is JobState.CANCELLED

    def test_outputs(self, backend: Backend, program: Program) -> None:
        source = (
            "import os, pathlib\n"
            "for kind in ('MODEL', 'OUTPUT'):\n"
            "    folder = pathlib.Path(os.environ[f'ISOCENTER_{kind}_DIR']) / 'deep'\n"
            "    folder.mkdir(); (folder / 'f').write_text(kind)\n"
        )
        found = []
        for _ in range(2):
            handle = backend.submit(backend.plan(program(source), new_run_id()))
            wait(backend, handle)
            found.append({artifact.name: artifact for artifact in backend.outputs(handle)})
        assert set(found[0]) == {"model", "output"}
        assert found[0]["model"].digest == found[1]["model"].digest
        for kind in ("model", "output"):
            assert self.files_of(found[0][kind]) == self.files_of(found[1][kind])
            assert self.files_of(found[0][kind]) == {"deep/f": kind.upper().encode()}
            assert found[0][kind].size > 0


def descendants_alive(pids: Iterator[int] | list[int]) -> list[int]:
    """Those of ``pids`` that still run (a zombie doesn't)."""
    alive = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            alive.append(pid)
    return alive
