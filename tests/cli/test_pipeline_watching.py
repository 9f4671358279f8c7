"""What a person sees of a pipeline, on a terminal and in a log file."""

import io

from rich.console import Console

from isocenter.cli.pipeline.watching import TerminalObserver
from isocenter.domain.run import new_run_id
from isocenter.pipelines.step import StepResult, StepState

EVENT = {"event": "progress", "done": 62, "total": 432, "eta_s": 12.4, "epoch": 2, "epochs": 12, "loss": 0.7}


def watch(*, is_terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=is_terminal, width=80, color_system=None)
    with TerminalObserver(console) as observer:
        observer.step_ended(StepResult("ingest", "k", StepState.CACHED, 0.1, {}))
        observer.step_started("train")
        observer.job_found("train", new_run_id(), resumed=True)
        observer.progress("train", EVENT)
        observer.progress("train", {"event": "progress", "total": None, "eta_s": None})
        observer.progress("train", {"event": "note"})
        observer.progress("train", EVENT)
        observer.job_stopping("train")
        observer.step_waiting("train")
        observer._bar.refresh()
        observer.step_ended(StepResult("train", "k", StepState.DONE, 83.04, {}))
    return stream.getvalue()


def test_terminal_shows_a_bar_with_the_time_left() -> None:
    seen = watch(is_terminal=True)
    for words in ("62/432", "0:00:12 left", "epoch 2/12", "loss 0.70", "train     done in 83.0 s"):
        assert words in seen
    assert "ingest" not in seen, "cached steps are in the table only"


def test_log_file_gets_lines_and_no_bar() -> None:
    lines = [line for line in watch(is_terminal=False).splitlines() if line]
    assert lines[0] == "train ..."
    assert lines[1].startswith("train: going on with run ")
    assert lines[-1] == "train     done in 83.0 s"
    assert not [line for line in lines if "62/432" in line or "\x1b" in line]
