"""The local backend passes the contract, and keeps what only processes can break."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from isocenter.backends import Backend, Capability, load_backend
from isocenter.backends.local import LocalBackend
from isocenter.domain.digest import digest_tree
from isocenter.domain.run import JobHandle, JobState, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import EnvironmentFaultError, InputError, IntegrityError, NotFoundError
from isocenter.home import Home

sys.path.insert(0, str(Path(__file__).parent))
from contract import BackendContract, Program, descendants_alive, wait, wait_for

FAMILY = (
    "import os, pathlib, signal, subprocess, sys, time\n"
    "for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)\n"
    "sleeper = [sys.executable, '-c', 'import time, signal; signal.signal(15, signal.SIG_IGN);"
    " print(flush=True); time.sleep(60)']\n"
    "children = [subprocess.Popen(sleeper, stdout=subprocess.PIPE), "
    "subprocess.Popen(sleeper, stdout=subprocess.PIPE, process_group=0)]\n"
    "for child in children: child.stdout.readline()\n"
    "pids = [os.getpid(), *(child.pid for child in children)]\n"
)


def family(marks: Path, then: str) -> str:
    """A program that ignores SIGTERM, with children that do too, and writes down everyone's number."""
    return FAMILY + f"pathlib.Path({str(marks / 'pids')!r}).write_text(' '.join(map(str, pids)))\n{then}\n"


def pids_of(marks: Path) -> list[int]:
    return [int(word) for word in wait_for(marks / "pids").split()]


def wait_until_dead(pids: list[int]) -> None:
    deadline = time.monotonic() + 10
    while alive := descendants_alive(pids):
        assert time.monotonic() < deadline, f"still alive: {alive}"
        time.sleep(0.02)


@pytest.fixture
def program() -> Program:
    return lambda source: TrainingJob("program", (sys.executable, "-c", source))


class TestLocalBackend(BackendContract):
    @pytest.fixture
    def backend(self, home: Home) -> Backend:
        return load_backend("local", home, {"entry_point": (), "stop_grace_s": 30})

    @pytest.fixture
    def impatient(self, home: Home) -> Backend:
        return load_backend("local", home, {"entry_point": (), "stop_grace_s": 0.5})

    @pytest.fixture
    def golden_backend(self) -> Backend:
        return LocalBackend(
            Home(Path("/srv/isocenter")), {"entry_point": ("python", "-m", "isocenter_training")}
        )

    @pytest.fixture
    def program(self, program: Program) -> Program:
        return program

    def sent(self, backend: Backend, submission: Submission, handle: JobHandle) -> dict[str, Any]:
        """What the job's own process is started from, but for what it inherits of this environment."""
        assert isinstance(backend, LocalBackend)
        started = json.loads((backend._runs / handle.external_id / "job.json").read_text())
        planned = submission.request["environment"]
        inherited = {name: value for name, value in started["environment"].items() if name not in planned}
        assert "ISOCENTER_RUN_ID" not in inherited
        started["environment"] = {name: started["environment"][name] for name in planned}
        return dict(started)

    def supervisor(self, home: Home, handle: JobHandle) -> int:
        started = wait_for(home.runs / handle.external_id / "started.json")
        return int(json.loads(started)["supervisor"])

    def test_cancel_kills_grandchildren_that_ignore_it(
        self, impatient: Backend, program: Program, marks: Path
    ) -> None:
        handle = impatient.submit(impatient.plan(program(family(marks, "time.sleep(60)")), new_run_id()))
        pids = pids_of(marks)
        impatient.cancel(handle)
        assert wait(impatient, handle).state is JobState.CANCELLED
        wait_until_dead(pids)

    def test_nothing_is_left_running_after_the_job_ends(
        self, backend: Backend, program: Program, marks: Path
    ) -> None:
        handle = backend.submit(backend.plan(program(family(marks, "os._exit(0)")), new_run_id()))
        assert wait(backend, handle).state is JobState.SUCCEEDED
        wait_until_dead(pids_of(marks))

    def test_outputs_are_named_by_digest_and_size(self, backend: Backend, program: Program) -> None:
        source = "import os; open(os.environ['ISOCENTER_MODEL_DIR'] + '/f', 'w').write('MODEL')"
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        wait(backend, handle)
        (model,) = backend.outputs(handle)
        assert model.digest == digest_tree(Path(model.uri))
        assert model.size == len("MODEL")

    def test_time_limit(self, backend: Backend, program: Program) -> None:
        job = program("import time; time.sleep(60)")
        job = TrainingJob(job.name, job.command, compute=Compute(max_runtime_s=1))
        status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
        assert status.state is JobState.FAILED
        assert status.reason == "Stopped at its time limit."

    def test_job_outlives_the_process_that_submitted_it(
        self, home: Home, backend: Backend, program: Program, marks: Path
    ) -> None:
        source = (
            f"import time, pathlib; time.sleep(0.5); pathlib.Path({str(marks / 'late')!r}).write_text('x')"
        )
        submission = backend.plan(program(source), new_run_id())
        driver = (
            "import json, os, signal, sys; from pathlib import Path\n"
            "from isocenter.backends.local import LocalBackend; from isocenter.home import Home\n"
            "from isocenter.domain.submission import Submission\n"
            "body = json.loads(sys.argv[2])\n"
            "submission = Submission('local', body['run'], body['request'])\n"
            "LocalBackend(Home(Path(sys.argv[1]))).submit(submission)\n"
            "os.killpg(0, signal.SIGKILL)\n"
        )
        body = json.dumps({"run": submission.run, "request": dict(submission.request)})
        killed = subprocess.run(
            [sys.executable, "-c", driver, str(home.root), body], check=False, process_group=0
        )
        assert killed.returncode == -signal.SIGKILL
        handle = backend.submit(submission)
        assert handle.external_id.endswith("/1"), "the running attempt was not found again"
        assert wait(backend, handle).state is JobState.SUCCEEDED
        assert (marks / "late").read_text() == "x"

    def test_supervisor_and_job_killed(
        self, home: Home, backend: Backend, program: Program, marks: Path
    ) -> None:
        submission = backend.plan(program(family(marks, "time.sleep(60)")), new_run_id())
        handle = backend.submit(submission)
        pids = pids_of(marks)
        for pid in (self.supervisor(home, handle), *pids):
            os.kill(pid, signal.SIGKILL)
        status = wait(backend, handle)
        assert status.state is JobState.FAILED
        assert status.reason is not None
        assert "killed" in status.reason
        assert list(backend.logs(handle, follow=True)) == []

    def test_job_left_behind_by_its_supervisor_does_not_race_the_next_attempt(
        self, home: Home, impatient: Backend, program: Program, marks: Path
    ) -> None:
        backend = impatient
        submission = backend.plan(program(family(marks, "time.sleep(60)")), new_run_id())
        first = backend.submit(submission)
        orphans = pids_of(marks)
        os.kill(self.supervisor(home, first), signal.SIGKILL)
        wait(backend, first)
        (marks / "pids").unlink()
        second = backend.submit(submission)
        wait_until_dead(orphans)
        pids_of(marks)
        backend.cancel(second)
        wait(backend, second)

    def test_job_killed_by_a_signal_is_named(self, backend: Backend, program: Program) -> None:
        source = "import os, signal; print('epoch 3', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        status = wait(backend, backend.submit(backend.plan(program(source), new_run_id())))
        assert (status.state, status.exit_code) == (JobState.FAILED, -9)
        assert status.reason is not None
        assert "signal 9" in status.reason
        assert "epoch 3" in status.reason

    def test_a_reused_process_number_is_not_mistaken_for_the_job(
        self, home: Home, backend: Backend, program: Program
    ) -> None:
        """After a reboot, the number in ``started.json`` may be anybody's: here, an innocent process's."""
        handle = backend.submit(backend.plan(program("import time; time.sleep(60)"), new_run_id()))
        supervisor = self.supervisor(home, handle)
        started = home.runs / handle.external_id / "started.json"
        child = json.loads(started.read_text())["child"]
        for pid in (supervisor, child):
            os.kill(pid, signal.SIGKILL)
        wait(backend, handle)
        innocent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        try:
            started.write_text(
                json.dumps({"supervisor": innocent.pid, "child": innocent.pid, "boot_id": "x"})
            )
            assert backend.status(handle).state is JobState.FAILED
            backend.cancel(handle)
            assert innocent.poll() is None
        finally:
            innocent.kill()
            innocent.wait()

    def test_program_that_does_not_exist(self, backend: Backend) -> None:
        job = TrainingJob("program", ("/no/such/program",))
        status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
        assert (status.state, status.exit_code) == (JobState.FAILED, 127)
        assert (
            status.reason == "The program could not be started: /no/such/program: No such file or directory."
        )

    def test_job_sees_no_secrets_of_the_users_environment(
        self, backend: Backend, program: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        monkeypatch.setenv("ISOCENTER_DATABASE_URL", "postgresql://u:hunter2@h/d")
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        monkeypatch.setenv("NCCL_DEBUG", "INFO")
        monkeypatch.setenv("ISOCENTER_JOB_ENVIRONMENT", "NCCL_DEBUG")
        handle = backend.submit(
            backend.plan(program("import os, json; print(json.dumps(dict(os.environ)))"), new_run_id())
        )
        wait(backend, handle)
        (line,) = backend.logs(handle)
        assert "hunter2" not in line
        assert json.loads(line)["OMP_NUM_THREADS"] == "3"
        assert json.loads(line)["NCCL_DEBUG"] == "INFO"

    def test_symbolic_link_among_the_outputs_is_refused(self, backend: Backend, program: Program) -> None:
        source = "import os; os.symlink('/etc/passwd', os.environ['ISOCENTER_MODEL_DIR'] + '/w')"
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        wait(backend, handle)
        with pytest.raises(IntegrityError):
            backend.outputs(handle)

    @pytest.mark.parametrize(
        "job",
        [
            TrainingJob("a", (), image="registry/training@sha256:00"),
            TrainingJob("b", (), compute=Compute(nodes=2)),
            TrainingJob("c", (), compute=Compute(spot=True)),
            TrainingJob("d", (), parameters={"x": "y" * 200_000}),
        ],
    )
    def test_what_it_can_not_run_is_refused_by_plan(self, backend: Backend, job: TrainingJob) -> None:
        with pytest.raises(InputError):
            backend.plan(job, new_run_id())


def test_full_disk_does_not_hide_the_result(program: Program, small_disk: Path) -> None:
    """The job fills the disk; how it ended is still known."""
    backend = LocalBackend(Home(small_disk), {"entry_point": ()})
    source = (
        "import os, sys\n"
        "try:\n"
        "    with open(os.environ['ISOCENTER_OUTPUT_DIR'] + '/big', 'wb', buffering=0) as f:\n"
        "        while f.write(bytes(65536)): pass\n"
        "except OSError:\n"
        "    sys.exit(9)\n"
    )
    handle = backend.submit(backend.plan(program(source), new_run_id()))
    status = wait(backend, handle)
    assert (status.state, status.exit_code) == (JobState.FAILED, 9)


@pytest.mark.parametrize("missing", ["the package offers none", "its packages"])
def test_known_backend_that_is_not_installed_says_how_to_install_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """As in an installation of the time before this backend, and as in one without its extra."""
    if missing == "its packages":
        monkeypatch.setitem(sys.modules, "isocenter.backends.kubernetes", None)  # makes its import fail
    else:
        monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    with pytest.raises(EnvironmentFaultError, match="'kubernetes'") as caught:
        load_backend("kubernetes", home)
    assert caught.value.hint == "pip install 'isocenter[kubernetes]'"


def test_unknown_backend_is_not_found(home: Home) -> None:
    with pytest.raises(NotFoundError) as caught:
        load_backend("borg", home)
    assert "local" in caught.value.hint


def test_local_is_offered_as_an_entry_point() -> None:
    from importlib.metadata import entry_points

    (point,) = entry_points(group="isocenter.backends", name="local")
    assert point.load() is LocalBackend
    assert Capability.FOLLOW_LOGS in LocalBackend.capabilities
