"""A pipeline handed to an emulated service that runs it: what holds of each."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from pipeline_runs import TINY, arguments, run, run_json, wait_until

from isocenter.compilers.container import registration_uri
from isocenter.home import open_home
from isocenter.pipelines.executions import ExecutionRecords
from isocenter.targets.descriptor import load_descriptor
from isocenter.targets.file_system import target_files

STEPS = ["ingest", "validate", "train", "evaluate", "gate", "register"]
ASKED_EVERY_S = 3.0
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
    check_what_left_is_in_the_trail(store, execution, target)

    def over() -> list[dict[str, Any]] | None:
        steps: list[dict[str, Any]] = run_json(store, ["pipeline", "status", execution["id"]])["steps"]
        if all(step["state"] in ENDED for step in steps):
            return steps
        time.sleep(ASKED_EVERY_S)  # what runs needs the processor more
        return None

    return execution["id"], wait_until(over)


def check_runs_and_is_taken_up(
    store: Path, data: Path, rules: Path, target: str, *, forge: bool = False
) -> None:
    """Submit, show, collect; then the same under a rule that no model meets.

    With ``forge``, what lies in the bucket is changed in between, as somebody might who can write there.
    """
    execution, steps = submitted(store, data, rules, 0.7, target)
    assert {step["step"]: step["state"] for step in steps} == dict.fromkeys(STEPS, "done"), steps
    assert [step["step"] for step in steps] == STEPS
    assert f"pipeline collect {execution}" in steps[-1]["detail"]
    assert all(step["started_at"] and step["ended_at"] for step in steps[2:])
    assert run_json(store, ["model", "list"]) == [], "nothing is registered before the site has looked"

    if forge:
        check_a_changed_file_is_refused(store, execution)
    collected = run_json(store, ["pipeline", "collect", execution])
    assert len(run_json(store, ["model", "list"])) == 1
    assert run_json(store, ["pipeline", "status", execution])["collected"] is True
    carried = {"version": collected["reference"], "target": target, "state": "carried", "error": ""}
    assert collected["mirrors"] == [carried], "as a version that was registered from here"
    (mirror,) = run_json(store, ["model", "show", collected["reference"]])["mirrors"]
    assert (mirror["target"], mirror["error"]) == (target, None)
    assert mirror["id"], "its name in the target's registry"
    assert [each["details"]["target"] for each in audited(store, "model.carry")] == [target]

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
    if forge:
        check_the_gate_is_applied_again(store, execution, refused)


def audited(store: Path, action: str) -> list[dict[str, Any]]:
    """The audit records of one kind, the newest first."""
    found: list[dict[str, Any]] = run_json(store, ["audit", "list", "--action", action])
    return found


def check_what_left_is_in_the_trail(store: Path, execution: dict[str, Any], target: str) -> None:
    """The dataset once, and each execution once however often it was asked for."""
    (sent,) = audited(store, "dataset.upload")
    assert sent["details"]["target"] == target
    assert sent["details"]["files"] > 0
    assert sent["details"]["bytes"] > 0
    mine = [
        each for each in audited(store, "pipeline.submit") if each["object"] == f"pipeline:{execution['id']}"
    ]
    assert [each["details"]["job"] for each in mine] == [execution["external_id"]]
    assert mine[0]["details"]["dataset"] == sent["object"].removeprefix("dataset:")


def check_a_changed_file_is_refused(store: Path, execution: str) -> None:
    """What lies in the bucket is held against its digest."""
    files, place = left_for_the_site(store, execution)
    path = f"{place}/evaluation/evaluation.json"
    whole = files.cat_file(path)
    files.pipe_file(path, whole + b" ")
    done = run(store, ["pipeline", "collect", execution])
    assert done.returncode == 6, done.stderr
    assert run_json(store, ["model", "list"]) == []
    files.pipe_file(path, whole)


def check_the_gate_is_applied_again(store: Path, good: str, refused: str) -> None:
    """A model that the refusing pipeline's own words let pass is not taken up."""
    files, place = left_for_the_site(store, good)
    _, forged = left_for_the_site(store, refused)
    account = json.loads(files.cat_file(f"{place}/registration.json"))
    for path in files.find(place):
        name = path.partition(f"/registrations/{good}/")[2]
        if name != "registration.json":
            files.pipe_file(f"{forged}/{name}", files.cat_file(path))
    files.pipe_file(f"{forged}/registration.json", json.dumps(account).encode())
    done = run(store, ["pipeline", "collect", refused])
    assert (done.returncode, "another pipeline" in done.stderr) == (6, True), done.stderr
    account["keys"] = dict(ExecutionRecords(open_home(store)).find(refused).keys)
    files.pipe_file(f"{forged}/registration.json", json.dumps(account).encode())
    done = run(store, ["pipeline", "collect", refused])
    assert done.returncode == 4, done.stderr
    assert len(run_json(store, ["model", "list"])) == 1


def left_for_the_site(store: Path, execution: str) -> tuple[Any, str]:
    """The file system and the place of what an execution's step register left."""
    known = ExecutionRecords(open_home(store)).find(execution)
    target = load_descriptor(store / "deployments" / f"{known.target}.json")
    place = registration_uri(target, known.pipeline, known.id)
    return target_files(target, place), place
