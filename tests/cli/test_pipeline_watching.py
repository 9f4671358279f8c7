"""What a person sees of a pipeline, on a terminal and in a log file."""

import io

import pytest
from rich.console import Console

from isocenter.cli.pipeline.lines import LineObserver
from isocenter.cli.pipeline.watching import TerminalObserver
from isocenter.domain.run import new_run_id
from isocenter.pipelines.observer import Observer
from isocenter.pipelines.step import StepResult, StepState

EVENT = {"event": "progress", "done": 62, "total": 432, "eta_s": 12.4, "epoch": 2, "epochs": 12, "loss": 0.7}


def tell(observer: Observer) -> None:
    observer.step_ended(StepResult("ingest", "k", StepState.CACHED, 0.1, {}))
    observer.step_started("train")
    observer.job_found("train", new_run_id(), resumed=True)
    observer.progress("train", EVENT)
    observer.progress("train", {"event": "progress", "total": None, "eta_s": None})
    observer.progress("train", {"event": "note"})
    observer.progress("train", EVENT)
    observer.job_stopping("train")
    observer.step_waiting("train")
    if isinstance(observer, TerminalObserver):
        observer._bar.refresh()
    observer.step_ended(StepResult("train", "k", StepState.DONE, 83.04, {}))


def test_terminal_shows_a_bar_with_the_time_left() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    with TerminalObserver(console) as observer:
        tell(observer)
    seen = stream.getvalue()
    for words in ("62/432", "0:00:12 left", "epoch 2/12", "loss 0.70", "train     done in 83.0 s"):
        assert words in seen
    assert "ingest" not in seen, "cached steps are in the table only"


def test_log_file_gets_lines_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineObserver())
    said = capsys.readouterr()
    assert not said.out, "standard output is the result's"
    lines = said.err.splitlines()
    assert lines[0] == "train ..."
    assert lines[1].startswith("train: going on with run ")
    assert lines[-1] == "train     done in 83.0 s"
    assert not [line for line in lines if "62/432" in line or "\x1b" in line]
