"""Steps are done once for each input, whatever happens in between."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from isocenter.backends import load_backend
from isocenter.domain.artifact import MediaType
from isocenter.domain.audit_event import Outcome
from isocenter.domain.run import JobState
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IntegrityError,
    IsocenterError,
    JobFailedError,
)
from isocenter.home import Home
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.job_step import job_step
from isocenter.pipelines.observer import FoundJob, Silent
from isocenter.pipelines.records import Records, open_records
from isocenter.pipelines.runner import Runner
from isocenter.pipelines.step import Execution, Outputs, Step, StepResult


class Notes(Silent):
    """An observer that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.events: list[Mapping[str, Any]] = []

    def step_started(self, step: str) -> None:
        self.told.append(f"started {step}")

    def step_waiting(self, step: str) -> None:
        self.told.append(f"waiting {step}")

    def progress(self, step: str, event: Mapping[str, Any]) -> None:
        self.events.append(event)

    def job_found(self, step: str, job: FoundJob, *, resumed: bool) -> None:
        self.told.append(f"{'resumed' if resumed else 'new'} {step}")

    def job_stopping(self, step: str) -> None:
        self.told.append(f"stopping {step}")


@pytest.fixture
def records(home: Home) -> Iterator[Records]:
    opened = open_records(home)
    yield opened
    opened.database.close()


def counting(name: str, calls: list[str], **inputs: Any) -> Step:
    def action(execution: Execution) -> Outputs:
        calls.append(name)
        return {"from": name, "seen": sorted(execution.results)}

    return Step(name, lambda results: {**inputs, "before": dict(results)}, action)


def states(results: tuple[StepResult, ...]) -> list[str]:
    return [result.state.value for result in results]


def launcher(records: Records, notes: Notes | None = None) -> JobLauncher:
    backend = load_backend("local", records.home, {"entry_point": (), "stop_grace_s": 5})
    return JobLauncher(backend, "local", records, notes or Silent())


def program_step(records: Records, source: str, notes: Notes | None = None, publishes: Any = None) -> Step:
    return job_step(
        "work",
        launcher(records, notes),
        lambda _: TrainingJob("work", (sys.executable, "-c", source)),
        inputs=lambda _: {"source": source},
        publishes=publishes or {},
    )


def test_unchanged_steps_are_not_done_again_and_leave_no_trace(records: Records) -> None:
    calls: list[str] = []
    steps = [counting("a", calls, x=1), counting("b", calls)]
    runner = Runner(records, Silent(), "test")
    assert states(runner.run(steps)) == ["done", "done"]
    trail, lineage = records.trail.list(), records.home.lineage.read_bytes()
    again = runner.run(steps)
    assert states(again) == ["cached", "cached"]
    assert again[1].outputs == {"from": "b", "seen": ["a"]}
    assert calls == ["a", "b"]
    assert records.trail.list() == trail
    assert records.home.lineage.read_bytes() == lineage


def test_a_changed_input_redoes_its_step_and_those_that_depend_on_it(records: Records) -> None:
    calls: list[str] = []
    runner = Runner(records, Silent(), "test")
    runner.run([counting("a", calls, x=1), counting("b", calls)])
    runner.run([counting("a", calls, x=1), counting("b", calls, y=2)])
    assert calls == ["a", "b", "b"]


def test_outputs_that_are_gone_are_made_again(records: Records, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def make(_: Execution) -> Outputs:
        mark.touch()
        return {}

    step = Step("make", lambda _: {}, make, still_there=lambda _: mark.exists())
    runner = Runner(records, Silent(), "test")
    assert states(runner.run([step])) == ["done"]
    assert states(runner.run([step])) == ["cached"]
    mark.unlink()
    assert states(runner.run([step])) == ["done"]


def test_a_failed_step_is_audited_and_keeps_the_steps_before(records: Records) -> None:
    calls: list[str] = []

    def fail(_: Execution) -> Outputs:
        raise InputError("The folder /CANARY is odd.")

    steps = [counting("a", calls), Step("b", lambda _: {}, fail)]
    runner = Runner(records, Silent(), "test")
    for _ in range(2):
        with pytest.raises(InputError):
            runner.run(steps)
    assert calls == ["a"]
    newest = records.trail.list(1)[0]
    assert (newest.action, newest.outcome) == ("test.b", Outcome.FAILURE)
    assert "CANARY" not in newest.details
    last = json.loads(records.home.lineage.read_text().splitlines()[-1])
    assert last["eventType"] == "FAIL"


def test_each_done_step_is_audited_and_in_the_lineage(records: Records) -> None:
    Runner(records, Silent(), "test").run([counting("a", []), counting("b", [])])
    assert [record.action for record in reversed(records.trail.list())] == ["test.a", "test.b"]
    events = [json.loads(line) for line in records.home.lineage.read_text().splitlines()]
    kinds = [(event["job"]["name"], event["eventType"]) for event in events]
    assert kinds == [("test.a", "START"), ("test.a", "COMPLETE"), ("test.b", "START"), ("test.b", "COMPLETE")]


def test_two_pipelines_at_once_do_a_step_once(records: Records) -> None:
    begun, release = threading.Event(), threading.Event()
    calls: list[str] = []

    def slow(_: Execution) -> Outputs:
        calls.append("slow")
        begun.set()
        release.wait(20)
        return {"n": 1}

    step = Step("slow", lambda _: {"same": True}, slow)
    notes, results = Notes(), []
    first = threading.Thread(target=lambda: results.append(Runner(records, Silent(), "t").run([step])))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=lambda: results.append(Runner(records, notes, "t").run([step])))
    second.start()
    deadline = time.monotonic() + 20
    while "waiting slow" not in notes.told and time.monotonic() < deadline:
        time.sleep(0.02)
    release.set()
    first.join(20)
    second.join(20)
    assert calls == ["slow"]
    assert sorted(state for found in results for state in states(found)) == ["cached", "done"]
    assert notes.told == ["waiting slow"]


def test_job_step_publishes_what_the_job_left(records: Records) -> None:
    notes = Notes()
    source = (
        "import json, os\n"
        "print(json.dumps({'event': 'progress', 'done': 1, 'total': 2})); print('{not json')\n"
        "open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write('weights')\n"
    )
    step = program_step(records, source, notes, {"model": MediaType.BUNDLE})
    runner = Runner(records, notes, "test")
    (result,) = runner.run([step])
    assert notes.events == [{"event": "progress", "done": 1, "total": 2}]
    run = records.runs.get(result.outputs["run"])
    assert (run.state, run.step_key, len(run.attempts)) == (JobState.SUCCEEDED, result.key, 1)
    (artifact,) = records.runs.outputs(run.id)
    assert artifact.digest == result.outputs["model"]["digest"]
    assert (Path(artifact.uri) / "w").read_text() == "weights"
    assert states(runner.run([step])) == ["cached"]
    assert len(records.runs.list()) == 1


def test_a_cached_step_vouches_for_its_artifact(records: Records) -> None:
    source = "import os; open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write('weights')"
    step = program_step(records, source, publishes={"model": MediaType.BUNDLE})
    runner = Runner(records, Silent(), "test")
    (result,) = runner.run([step])
    (artifact,) = records.runs.outputs(result.outputs["run"])
    (Path(artifact.uri) / "w").chmod(0o644)
    (Path(artifact.uri) / "w").write_text("weights!")
    with pytest.raises(IntegrityError, match=f"{artifact.digest} is damaged: 'w' was changed"):
        runner.run([step])


def test_a_job_whose_check_fails_is_not_started(records: Records) -> None:
    def check(_: object) -> None:
        raise IntegrityError("The pixels changed.")

    step = job_step(
        "work",
        launcher(records),
        lambda _: TrainingJob("work", (sys.executable, "-c", "pass")),
        inputs=lambda _: {},
        publishes={},
        check=check,
    )
    with pytest.raises(IntegrityError, match="The pixels changed"):
        Runner(records, Silent(), "test").run([step])
    assert records.runs.list() == ()


def test_job_that_leaves_nothing_to_publish_has_failed(records: Records) -> None:
    step = program_step(records, "print('idle')", publishes={"model": MediaType.BUNDLE})
    with pytest.raises(JobFailedError, match="left no model"):
        Runner(records, Silent(), "test").run([step])


def test_failed_job_says_why_and_the_same_run_goes_on(records: Records, tmp_path: Path) -> None:
    mark = tmp_path / "repaired"
    source = f"import os, sys; sys.exit(0 if os.path.exists({str(mark)!r}) else 'The lamp is dark.')"
    notes = Notes()
    runner = Runner(records, notes, "test")
    with pytest.raises(JobFailedError, match="The lamp is dark") as caught:
        runner.run([program_step(records, source, notes)])
    (failed,) = records.runs.list()
    assert failed.id in caught.value.hint
    assert (failed.state, failed.reason) == (JobState.FAILED, "The lamp is dark.")
    mark.touch()
    runner.run([program_step(records, source, notes)])
    (run,) = records.runs.list()
    assert (run.id, run.state, len(run.attempts)) == (failed.id, JobState.SUCCEEDED, 2)
    assert [word for word in notes.told if word.endswith(" work")][1::2] == ["new work", "resumed work"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, JobFailedError),
        (3, InputError),
        (6, IntegrityError),
        (7, EnvironmentFaultError),
        (9, JobFailedError),
    ],
)
def test_exit_code_of_a_job_says_what_kind_of_failure_it_was(
    records: Records, code: int, kind: type[IsocenterError]
) -> None:
    source = f"import sys; print('The reason.', file=sys.stderr); sys.exit({code})"
    with pytest.raises(kind, match="The reason") as caught:
        Runner(records, Silent(), "test").run([program_step(records, source)])
    assert type(caught.value) is kind
    (run,) = records.runs.list()
    assert run.id in caught.value.hint
    assert ("continues" in caught.value.hint) == (code in (1, 7, 9))


PIPELINE = """
import os, sys
from pathlib import Path
from isocenter.backends import load_backend
from isocenter.domain.artifact import MediaType
from isocenter.domain.training_job import TrainingJob
from isocenter.home import open_home
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.job_step import job_step
from isocenter.pipelines.observer import FoundJob, Silent
from isocenter.pipelines.records import open_records
from isocenter.pipelines.runner import Runner
records = open_records(open_home())
launcher = JobLauncher(load_backend("local", records.home, {"entry_point": ()}), "local", records, Silent())
source = Path(sys.argv[1]).read_text()
step = job_step("work", launcher, lambda _: TrainingJob("work", (sys.executable, "-c", source)),
    inputs=lambda _: {"source": source}, publishes={"model": MediaType.BUNDLE})
(result,) = Runner(records, Silent(), "test").run([step])
print(result.state.value, result.outputs["model"]["digest"], result.outputs["run"])
"""


def pipeline(program: Path, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PIPELINE, str(program)], stdout=subprocess.PIPE, text=True, **options
    )


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 30
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.name} never came"
        time.sleep(0.02)
    return path.read_text()


def test_job_goes_on_when_its_pipeline_is_killed_and_is_found_again(home: Home, tmp_path: Path) -> None:
    program, marks = tmp_path / "program.py", tmp_path / "marks"
    marks.mkdir()
    program.write_text(
        "import os, pathlib, time\n"
        f"marks = pathlib.Path({str(marks)!r})\n"
        "(marks / str(os.getpid())).write_text('x')\n"
        "(marks / 'up').write_text('x')\n"
        "while not (marks / 'go').exists(): time.sleep(0.02)\n"
        "open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write('weights')\n"
    )
    first = pipeline(program)
    wait_for(marks / "up")
    first.kill()
    first.communicate()
    second = pipeline(program)
    time.sleep(0.5)
    (marks / "go").touch()
    out, _ = second.communicate(timeout=30)
    assert (second.returncode, out.split()[0]) == (0, "done")
    assert len([mark for mark in marks.iterdir() if mark.name.isdecimal()]) == 1, "the job was started twice"
    third = pipeline(program)
    assert third.communicate(timeout=30)[0].split() == ["cached", *out.split()[1:]]


def test_ctrl_c_stops_the_job_at_a_checkpoint_and_a_rerun_continues(home: Home, tmp_path: Path) -> None:
    program, marks = tmp_path / "program.py", tmp_path / "marks"
    marks.mkdir()
    program.write_text(
        "import os, pathlib, signal, sys, time\n"
        f"marks = pathlib.Path({str(marks)!r})\n"
        "saved = pathlib.Path(os.environ['ISOCENTER_CHECKPOINT_DIR']) / 'epoch'\n"
        "def stop(*_):\n"
        "    saved.write_text('7'); sys.exit(143)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "(marks / 'up').write_text('x')\n"
        "if not saved.exists(): time.sleep(60)\n"
        "open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write(saved.read_text())\n"
    )
    first = pipeline(program, stderr=subprocess.PIPE)
    wait_for(marks / "up")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert first.returncode == -signal.SIGINT
    records = open_records(home)
    (run,) = records.runs.list()
    assert run.state is JobState.CANCELLED
    records.database.close()
    second = pipeline(program)
    out, _ = second.communicate(timeout=30)
    assert second.returncode == 0
    assert out.split()[2] == run.id
