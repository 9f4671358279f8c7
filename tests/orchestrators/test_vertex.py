"""`pipeline run --submit`, `status` and `collect` against the emulated Vertex AI, which runs the pipeline."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from pipeline_runs import TINY, arguments, run, run_json, wait_until, write_folder

pytestmark = pytest.mark.slow
STEPS = ["ingest", "validate", "train", "evaluate", "gate", "register"]
ENDED = ("done", "cached", "failed", "skipped", "cancelled")
TARGET = "gcp-emulated"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    pytest.importorskip("gcp_storage_emulator", reason="LACKS: pip install 'isocenter[gcp-emulator]'")
    folder = tmp_path_factory.mktemp("vertex") / "store"
    with (
        pytest.MonkeyPatch.context() as patch,
        emulator("gcp", folder, [sys.executable, "-m", "isocenter_training"]),
    ):
        patch.setenv("ISOCENTER_DEPLOYMENTS", str(folder / "deployments"))
        yield folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"), patients=120, signal=0.7)


def submitted(store: Path, data: Path, rules: Path, least: float) -> tuple[str, list[dict[str, Any]]]:
    """Hand the pipeline over, wait for its end; the execution and its table of steps."""
    rules.write_text(f"rules: [{{metric: auroc, min: {least}}}]\n")
    words = arguments(data, *TINY, "--acceptance", str(rules), "--target", TARGET, "--submit")
    execution = run_json(store, words)["execution"]
    assert run_json(store, words)["execution"] == execution, "the same request finds the same execution"

    def over() -> list[dict[str, Any]] | None:
        steps: list[dict[str, Any]] = run_json(store, ["pipeline", "status", execution["id"]])["steps"]
        return steps if all(step["state"] in ENDED for step in steps) else None

    return execution["id"], wait_until(over)


def test_vertex_runs_it_and_the_site_takes_the_model_up(store: Path, data: Path, tmp_path: Path) -> None:
    execution, steps = submitted(store, data, tmp_path / "rules.yaml", 0.7)
    assert {step["step"]: step["state"] for step in steps} == dict.fromkeys(STEPS, "done"), steps
    assert [step["step"] for step in steps] == STEPS
    assert f"pipeline collect {execution}" in steps[-1]["detail"]
    assert all(step["started_at"] and step["ended_at"] for step in steps[2:])
    assert run_json(store, ["model", "list"]) == [], "nothing is registered before the site has looked"

    run_json(store, ["pipeline", "collect", execution])
    assert len(run_json(store, ["model", "list"])) == 1
    assert run_json(store, ["pipeline", "status", execution])["collected"] is True

    # Under a rule that no model meets: training and evaluation are taken from before, and the gate ends it.
    refused, steps = submitted(store, data, tmp_path / "rules.yaml", 1.01)
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
