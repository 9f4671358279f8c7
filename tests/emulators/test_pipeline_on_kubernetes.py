"""From DICOM to a registered model on the emulated cluster, as a user does it: this machine's very model."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip(
    "kubernetes_validate",
    reason="LACKS: the emulated cluster's parts; pip install 'isocenter[kubernetes-emulator]'",
)

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from emulated import emulator, post
from pipeline_runs import TINY, arguments, run_json, start, wait_until, write_folder

from isocenter.targets.descriptor import load_descriptor

pytestmark = pytest.mark.slow
PROGRAM = [sys.executable, "-m", "isocenter_training"]
TARGET = ("--target", "kubernetes-emulated")
JOB_STEPS = ("train", "evaluate")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    data = write_folder(tmp_path_factory.mktemp("data"), patients=60, signal=0.7)
    (data / "acceptance.yaml").write_text("rules: [{metric: auroc, min: 0.05}]\n")
    return arguments(data, *TINY, "--acceptance", str(data / "acceptance.yaml"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose jobs run without any service."""
    return tmp_path_factory.mktemp("here") / "store"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The store, and what the emulator printed."""
    store = tmp_path_factory.mktemp("cluster") / "store"
    patch = pytest.MonkeyPatch()
    patch.setenv("ISOCENTER_DEPLOYMENTS", str(store / "deployments"))
    with emulator("kubernetes", store, PROGRAM) as printed:
        yield store, printed
    patch.undo()


def steps(printed: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["state"] for step in printed["steps"]}


def pod_logs(store: Path) -> str:
    return "".join(path.read_text() for path in (store / "emulators" / "kubernetes" / "pods").glob("*/log"))


def test_the_model_is_the_one_that_this_machine_makes(
    cluster: tuple[Path, dict[str, Any]], words: list[str], here: Path
) -> None:
    store, _ = cluster
    there = run_json(store, [*words, *TARGET])
    assert set(steps(there).values()) == {"done"}
    assert there["digest"] == run_json(here, words)["digest"]
    for name in JOB_STEPS:
        assert f"Service: kubernetes (ISOCENTER_SERVICE); program: {name}." in pod_logs(store)
    again = run_json(store, [*words, *TARGET])
    assert set(steps(again).values()) == {"cached"}
    runs = run_json(store, ["run", "list"])
    assert {(each["name"], each["target"], each["state"]) for each in runs} == {
        (name, "kubernetes-emulated", "succeeded") for name in JOB_STEPS
    }


def test_no_patient_is_in_what_the_cluster_holds(cluster: tuple[Path, dict[str, Any]]) -> None:
    """Its objects, the pods' logs and the object store's list of requests."""
    store, _ = cluster
    kept = [path for path in (store / "emulators").rglob("*") if path.is_file()]
    assert len(kept) > 5
    for path in kept:
        assert b"CANARY" not in path.read_bytes(), path


def test_two_nodes_train_together(cluster: tuple[Path, dict[str, Any]], words: list[str]) -> None:
    store, _ = cluster
    found = run_json(store, [*words, *TARGET, "--nodes", "2", "--seed", "2"])
    assert steps(found)["register"] == "done"
    assert "process 0 of 2; program: train." in pod_logs(store)


def test_a_spot_machine_that_is_taken_away_changes_nothing(
    cluster: tuple[Path, dict[str, Any]], words: list[str], here: Path
) -> None:
    store, printed = cluster
    other = ["--seed", "3", "--epochs", "40"]
    before = set((store / "emulators" / "kubernetes" / "pods").iterdir())
    going = start(store, [*words, *TARGET, *other, "--gpu", "l4", "--spot", "--json"])

    def training() -> Path | None:
        new = set((store / "emulators" / "kubernetes" / "pods").iterdir()) - before
        return next((pod for pod in new if '"epoch": 2' in (pod / "log").read_text()), None)

    first = wait_until(training)
    job = json.loads((first / "job.json").read_text())
    address = load_descriptor(Path(printed["descriptor"])).endpoints["onprem"]
    post(address, "/emulator/interrupt", run=job["environment"]["ISOCENTER_RUN_ID"])
    said, errors = going.communicate(timeout=300)
    assert going.returncode == 0, errors
    assert json.loads(said)["digest"] == run_json(here, [*words, *other])["digest"]
    assert json.loads((first / "exit.json").read_text())["exit_code"] == 143
