"""A pipeline handed to an emulated service that runs it: what holds of each."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from pipeline_runs import TINY, arguments, run, run_json, wait_until

STEPS = ["ingest", "validate", "train", "evaluate", "gate", "register"]
ENDED = ("done", "cached", "failed", "skipped", "cancelled")


@contextmanager
def emulated_store(cloud: str, folder: Path) -> Iterator[Path]:
    """A store with the emulated cloud as a target; the containers' program is the real one."""
    store = folder / "store"
    with (
        pytest.MonkeyPatch.context() as patch,
        emulator(cloud, store, [sys.executable, "-m", "isocenter_training"]),
    ):
        patch.setenv("ISOCENTER_DEPLOYMENTS", str(store / "deployments"))
        yield store


def submitted(
    store: Path, data: Path, rules: Path, least: float, target: str
) -> tuple[str, list[dict[str, Any]]]:
    """Hand the pipeline over, wait for its end; the execution and its table of steps."""
    rules.write_text(f"rules: [{{metric: auroc, min: {least}}}]\n")
    words = arguments(data, *TINY, "--acceptance", str(rules), "--target", target, "--submit")
    execution = run_json(store, words)["execution"]
    assert run_json(store, words)["execution"] == execution, "the same request finds the same execution"

    def over() -> list[dict[str, Any]] | None:
        steps: list[dict[str, Any]] = run_json(store, ["pipeline", "status", execution["id"]])["steps"]
        return steps if all(step["state"] in ENDED for step in steps) else None

    return execution["id"], wait_until(over)


def check_runs_and_is_taken_up(store: Path, data: Path, rules: Path, target: str) -> None:
    """Submit, show, collect; then the same under a rule that no model meets."""
    execution, steps = submitted(store, data, rules, 0.7, target)
    assert {step["step"]: step["state"] for step in steps} == dict.fromkeys(STEPS, "done"), steps
    assert [step["step"] for step in steps] == STEPS
    assert f"pipeline collect {execution}" in steps[-1]["detail"]
    assert all(step["started_at"] and step["ended_at"] for step in steps[2:])
    assert run_json(store, ["model", "list"]) == [], "nothing is registered before the site has looked"

    run_json(store, ["pipeline", "collect", execution])
    assert len(run_json(store, ["model", "list"])) == 1
    assert run_json(store, ["pipeline", "status", execution])["collected"] is True

    # Under a rule that no model meets: training and evaluation are taken from before, and the gate ends it.
    refused, steps = submitted(store, data, rules, 1.01, target)
    assert refused != execution
    states = {step["step"]: step["state"] for step in steps}
    assert states == {
        "ingest": "done",
        "validate": "done",
        "train": "cached",
        "evaluate": "cached",
        "gate": "failed",
        "register": "skipped",
    }
    done = run(store, ["pipeline", "collect", refused])
    assert done.returncode == 3, done.stderr
    assert len(run_json(store, ["model", "list"])) == 1
