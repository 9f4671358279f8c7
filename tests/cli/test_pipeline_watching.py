"""What a person sees of a pipeline, on a terminal and in a log file."""

import io
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from isocenter.cli.pipeline.lines import LineObserver
from isocenter.cli.pipeline.watching import TerminalObserver
from isocenter.domain.run import JobState, JobStatus, RunId
from isocenter.pipelines.observer import FoundJob, Observer
from isocenter.pipelines.pulse import states_told
from isocenter.pipelines.step import StepResult, StepState

EVENT = {"event": "progress", "done": 62, "total": 432, "eta_s": 12.4, "epoch": 2, "epochs": 12, "loss": 0.7}
RUN = RunId("01M88VHPE0J4FSF2ACSAEKKXPB")
PAGE = "https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#/jobs/site-run-2"
JOB = FoundJob(RUN, 2, "SageMaker training job site-run-2", PAGE)


def tell(observer: Observer) -> None:
    observer.step_ended(StepResult("ingest", "k", StepState.CACHED, 0.1, {}))
    observer.step_started("train")
    observer.job_begun("train", RUN, "aws-prod", copies=True)
    observer.job_found("train", JOB, resumed=True)
    observer.job_seen("train", JobStatus(JobState.RUNNING))
    observer.progress("train", EVENT)
    observer.progress("train", {"event": "progress", "total": None, "eta_s": None})
    observer.progress("train", {"event": "note"})
    observer.progress("train", EVENT)
    observer.job_stopping("train")
    observer.step_waiting("train")
    if isinstance(observer, TerminalObserver):
        observer._bar.refresh()
    observer.step_ended(StepResult("train", "k", StepState.DONE, 83.04, {}))
    observer.job_seen("train", JobStatus(JobState.SUCCEEDED))  # its thread was late


def test_terminal_shows_a_bar_with_the_time_left() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=110, color_system=None)
    with TerminalObserver(console) as observer:
        tell(observer)
    seen = stream.getvalue()
    for words in ("62/432", "0:00:12 left", "epoch 2/12", "loss 0.70", "train     done in 83.0 s"):
        assert words in seen
    assert "running, attempt 2 0:00:00" in seen
    assert f"run {RUN} on aws-prod; copying its inputs there" in seen
    assert JOB.known_as in seen
    assert "ingest" not in seen, "cached steps are in the table only"


def test_a_link_stays_on_one_line_of_a_narrow_terminal() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=40, color_system=None)
    with TerminalObserver(console) as observer:
        observer.step_started("train")
        observer.job_found("train", JOB, resumed=False)
    assert PAGE in stream.getvalue()


def said_by(capsys: pytest.CaptureFixture[str]) -> list[str]:
    said = capsys.readouterr()
    assert not said.out, "standard output is the result's"
    return said.err.splitlines()


def test_log_file_gets_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineObserver())
    lines = said_by(capsys)
    assert lines[:6] == [
        "train ...",
        f"train     run {RUN} on aws-prod; copying its inputs there",
        f"train: going on with run {RUN}",
        "train     attempt 2: SageMaker training job site-run-2",
        f"train     {PAGE}",
        "train     running, attempt 2, 0:00:00",
    ]
    assert lines[-1] == "train     done in 83.0 s"
    assert not [line for line in lines if "62/432" in line or "\x1b" in line]


def test_log_file_gets_a_line_a_minute_and_at_each_change(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    observer = LineObserver(lambda: now)
    observer.step_started("train")
    observer.job_found("train", FoundJob(RUN, 1, "Vertex AI custom job 7"), resumed=False)
    told: Mapping[int, Any] = {0: JobState.PENDING, 90: JobState.RUNNING, 210: JobState.SUCCEEDED}
    state = JobState.PENDING
    for second in range(0, 211, 10):
        now, state = float(second), told.get(second, state)
        observer.job_seen("train", JobStatus(state))
        if second > 90:
            observer.progress("train", EVENT)
    figures = "62/432 steps, epoch 2/12, loss 0.70, 0:00:12 left"
    assert said_by(capsys)[2:] == [
        "train     pending, attempt 1, 0:00:00",
        "train     pending, attempt 1, 0:01:00",
        "train     running, attempt 1, 0:01:30",
        f"train     running, attempt 1, 0:02:30, {figures}",
        f"train     succeeded, attempt 1, 0:03:30, {figures}",
    ]


def test_a_step_here_tells_a_line_a_minute_too(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    observer = LineObserver(lambda: now)
    observer.step_started("ingest")
    for second in range(0, 150, 20):
        now = float(second)
        observer.progress("ingest", {"event": "progress", "done": second, "total": 150, "unit": "file"})
    assert said_by(capsys)[1:] == [
        "ingest    going on, 0:01:00, 60/150 files",
        "ingest    going on, 0:02:00, 120/150 files",
    ]


def test_states_are_told_until_the_job_ends() -> None:
    states = iter([JobState.PENDING, JobState.RUNNING, JobState.RUNNING, JobState.FAILED])
    seen: list[JobState] = []
    ended = threading.Event()

    def told(status: JobStatus) -> None:
        seen.append(status.state)
        if status.state.is_final:
            ended.set()

    with states_told(lambda: JobStatus(next(states)), told, every_s=0.001):
        assert ended.wait(30)
    assert seen == [JobState.PENDING, JobState.RUNNING, JobState.RUNNING, JobState.FAILED]


def test_a_look_that_hangs_keeps_nobody_and_tells_nothing_late() -> None:
    hang, looking, seen = threading.Event(), threading.Event(), []

    def look() -> JobStatus:
        looking.set()
        hang.wait(30)
        return JobStatus(JobState.RUNNING)

    with states_told(look, seen.append, every_s=0.001):
        assert looking.wait(30)
    hang.set()
    (watcher,) = [thread for thread in threading.enumerate() if thread.name == "job state"] or [None]
    if watcher is not None:
        watcher.join(30)
    assert not seen
