"""The DAG, run to its end by Airflow itself on a small set of X-rays: a model passes the gate, or not."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))
from pipeline_runs import TINY, environment, run, run_json, write_folder
from sdk import python_of, run_check
from targets import SPEC, compile_for

pytestmark = pytest.mark.slow
STEPS = ["ingest", "validate", "train", "evaluate", "gate", "register"]
PROGRAM = f"{sys.executable} -m isocenter.cli.main"
# Stands for isocenter: ends once as it is told to, and then well. Notes each call.
FAILS_ONCE = """\
import os, pathlib, sys
calls = pathlib.Path(sys.argv[1])
seen = calls.read_text().split() if calls.exists() else []
calls.write_text(" ".join([*seen, sys.argv[5]]))
sys.exit(int(sys.argv[2]) if sys.argv[5] == "ingest" and "ingest" not in seen else 0)
"""


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a database of its own."""

    home: Path

    @property
    def variables(self) -> dict[str, str]:
        return {"AIRFLOW_HOME": str(self.home), "AIRFLOW__CORE__LOAD_EXAMPLES": "false"}

    def run(self, dags: Path, store: Path, program: str = PROGRAM) -> Mapping[str, Any]:
        """Read the one DAG in ``dags`` and run it."""
        more = {**self.variables, "AIRFLOW__CORE__DAGS_FOLDER": str(dags), "ISOCENTER": program}
        variables = environment(store, **more)
        found = run_check(".venv-airflow", "run_airflow.py", dags, SPEC.name, "{}", variables=variables)
        assert isinstance(found, dict)
        return found


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    program = python_of(".venv-airflow").with_name("airflow")
    made = Airflow(tmp_path_factory.mktemp("airflow"))
    variables = {**os.environ, **made.variables}
    subprocess.run([program, "db", "migrate"], env=variables, capture_output=True, check=True, timeout=300)
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"), patients=120, signal=0.7)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "store"


def dag_folder(folder: Path, store: Path, data: Path, least: float) -> Path:
    """The compiled DAG by itself; a model passes with an AUROC of ``least``."""
    (folder / "dags").mkdir()
    (folder / "rules.yaml").write_text(f"rules: [{{metric: auroc, min: {least}}}]\n")
    what = ["--data", str(data / "dicom"), "--labels", str(data / "labels.csv"), *TINY]
    rules = ["--acceptance", str(folder / "rules.yaml")]
    words = ["pipeline", "compile", *what, *rules, "--format", "airflow", "--out", str(folder / "dags")]
    done = run(store, words)
    assert done.returncode == 0, done.stderr
    return folder / "dags"


def registered(store: Path) -> int:
    return len(run_json(store, ["model", "list"]))


def table(store: Path) -> dict[str, str]:
    """The steps as ``pipeline status`` shows them."""
    shown = run_json(store, ["pipeline", "status", "chest-xray"])
    return {step["step"]: step["state"] for step in shown["steps"]}


def test_airflow_runs_the_dag_to_a_registered_model_and_no_further_than_the_gate(
    airflow: Airflow, store: Path, data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    passes = dag_folder(tmp_path_factory.mktemp("passes"), store, data, 0.7)
    found = airflow.run(passes, store)
    assert found["state"] == "success"
    assert found["states"] == {name: ["success", 1] for name in STEPS}
    assert registered(store) == 1
    assert table(store) == dict.fromkeys(STEPS, "done")

    # The same data and plan under a rule that no model meets: what was done is not done again.
    refuses = dag_folder(tmp_path_factory.mktemp("refuses"), store, data, 1.01)
    found = airflow.run(refuses, store)
    assert found["state"] == "failed"
    before = {name: ["success", 1] for name in STEPS[:4]}
    # A refusal is no fault that may pass: one try.
    assert found["states"] == {**before, "gate": ["failed", 1], "register": ["upstream_failed", 0]}
    assert registered(store) == 1
    runs = run_json(store, ["run", "list"])
    assert len(runs) == 2, "train and evaluate ran once each"


def test_airflow_reads_what_the_spec_says(airflow: Airflow, tmp_path: Path) -> None:
    compiled = compile_for("airflow")
    (tmp_path / compiled.file_name).write_text(compiled.text)
    variables = {**os.environ, **airflow.variables}
    found = run_check(".venv-airflow", "run_airflow.py", tmp_path, SPEC.name, variables=variables)
    assert list(found["tasks"]) == STEPS
    for step in SPEC.steps:
        task, retry = found["tasks"][step.name], step.retry
        assert task["needs"] == sorted(step.needs)
        assert task["trigger_rule"] == "all_success"
        assert (task["retries"], task["wait_s"]) == (retry.times, retry.wait_s)
        assert task["factor"] == (retry.factor if retry.times else 0)
        assert task["timeout_s"] == step.timeout_s
        assert step.cache_key in task["key"]
    assert found["params"] == {"source": "/data/xrays", "labels": "/data/labels.csv"}


@pytest.mark.parametrize(("code", "tries"), [(7, 2), (3, 1)])
def test_only_what_may_pass_is_tried_again(airflow: Airflow, tmp_path: Path, code: int, tries: int) -> None:
    compiled, dags = compile_for("airflow"), tmp_path / "dags"
    dags.mkdir()
    text, changed = re.subn(r"'wait_s': \d+", "'wait_s': 1", compiled.text)
    assert changed == len(STEPS)
    (dags / compiled.file_name).write_text(text)
    program, calls = tmp_path / "program.py", tmp_path / "calls"
    program.write_text(FAILS_ONCE)
    found = airflow.run(dags, tmp_path / "store", f"{sys.executable} {program} {calls} {code}")
    assert found["states"]["ingest"] == ["success" if tries == 2 else "failed", tries]
    assert found["state"] == ("success" if tries == 2 else "failed")
    assert calls.read_text().split() == (["ingest", *STEPS] if tries == 2 else ["ingest"])
