"""``isocenter pipeline run`` from DICOM to a registered model, and what happens when it is disturbed."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from pipeline_runs import (
    TINY,
    arguments,
    environment,
    run,
    run_json,
    start,
    wait_until,
    write_folder,
)

pytestmark = pytest.mark.slow
STEPS = ["ingest", "validate", "train", "evaluate", "gate", "register"]
LACKS = "LACKS: "


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("data"), patients=120, signal=0.7)


@pytest.fixture(scope="module")
def acceptance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "acceptance.yaml"
    path.write_text("rules: [{metric: auroc, min: 0.7}]\n")
    return path


@pytest.fixture(scope="module")
def words(data: Path, acceptance: Path) -> list[str]:
    return arguments(data, *TINY, "--acceptance", str(acceptance))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> tuple[Path, dict[str, Any]]:
    """A store in which the pipeline ran undisturbed, and what it printed."""
    store = tmp_path_factory.mktemp("trained") / "store"
    return store, run_json(store, words)


@pytest.fixture
def store(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of that store, to change."""
    shutil.copytree(trained[0], tmp_path / "store")
    return tmp_path / "store"


def step_states(summary: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["state"] for step in summary["steps"]}


def made(summary: dict[str, Any]) -> dict[str, str]:
    """Digests of dataset, validation, model and evaluation."""
    return {step["step"]: step["result"] for step in summary["steps"] if step["step"] != "register"}


def trail(store: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(store / "records.db") as connection:
        return connection.execute("SELECT action, outcome FROM audit_records ORDER BY sequence").fetchall()


def versions(store: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run_json(store, ["model", "list"])
    return found


def test_a_folder_becomes_a_registered_model_with_its_papers(trained: tuple[Path, dict[str, Any]]) -> None:
    store, summary = trained
    assert step_states(summary) == dict.fromkeys(STEPS, "done")
    assert not summary["nothing_to_do"]
    assert summary["reference"] == "chest-xray:1"
    assert summary["metrics"]["auroc"]["value"] > 0.7
    bundle = Path(summary["bundle"])
    papers = ("evaluation.json", "report.html", "lineage.json", "model_card.json", "model_card.md")
    parts = (
        "configs/metadata.json",
        "configs/decision.json",
        "models/model.onnx",
        "models/model.safetensors",
    )
    assert [name for name in (*papers, *parts) if not (bundle / name).is_file()] == []
    lineage = json.loads((bundle / "lineage.json").read_text())
    assert lineage["dataset"] == summary["dataset"]
    assert run(store, ["audit", "verify"]).returncode == 0
    (version,) = versions(store)
    assert version["aliases"] == ["challenger"]


def test_each_step_is_audited_once_and_in_the_lineage(trained: tuple[Path, dict[str, Any]]) -> None:
    store, _ = trained
    steps = [action for action, _ in trail(store) if action.startswith("training.")]
    assert steps == [f"training.{name}" for name in STEPS]
    events = [json.loads(line) for line in (store / "lineage.jsonl").read_text().splitlines()]
    ended = [event for event in events if event["eventType"] == "COMPLETE"]
    assert [event["job"]["name"] for event in ended] == steps
    made = {output["name"] for event in ended for output in event["outputs"]}
    read = {given["name"] for event in ended for given in event["inputs"]}
    assert read <= made, "something was read that no step made"


def test_nothing_that_identifies_a_patient_is_in_the_store(
    trained: tuple[Path, dict[str, Any]], data: Path
) -> None:
    store, _ = trained
    needles = [b"CANARY", b"19700304", b"20240506", b"1.2.826.0.1.3680043.8.498.77", str(data).encode()]
    needles += [needle.decode().encode("utf-16-le") for needle in needles]
    leaks = [
        (path.relative_to(store), needle)
        for path in store.rglob("*")
        if path.is_file()
        for needle in needles
        if needle in path.read_bytes()
    ]
    assert leaks == []


def test_the_same_command_again_does_nothing_and_says_so(store: Path, words: list[str]) -> None:
    before, lineage = trail(store), (store / "lineage.jsonl").read_bytes()
    again = run(store, words)
    assert again.returncode == 0
    assert again.stdout.startswith("Nothing to do")
    assert "chest-xray:1" in again.stdout
    assert again.stderr == ""
    assert trail(store) == before
    assert (store / "lineage.jsonl").read_bytes() == lineage
    summary = run_json(store, words)
    assert summary["nothing_to_do"]
    assert step_states(summary) == dict.fromkeys(STEPS, "cached")


def test_only_what_depends_on_a_change_is_redone(store: Path, words: list[str], tmp_path: Path) -> None:
    card = tmp_path / "card.yaml"
    card.write_text("source_attributes: {details: {developer: Radiology}}\n")
    summary = run_json(store, [*words, "--card", str(card)])
    assert step_states(summary) == dict.fromkeys(STEPS, "cached") | {"register": "done"}
    assert summary["reference"] == "chest-xray:2"
    assert "Radiology" in Path(summary["card"]).read_text()
    assert [version["aliases"] for version in versions(store)] == [["challenger"], []]


def test_a_model_that_misses_the_gate_is_not_registered(
    store: Path, words: list[str], tmp_path: Path
) -> None:
    strict = tmp_path / "strict.yaml"
    strict.write_text("rules: [{metric: brier, max: 0.0001}, {metric: auroc, min: 0.7}]\n")
    before = versions(store)
    refused = run(store, [*words, "--acceptance", str(strict)])
    assert refused.returncode == 4
    assert "brier <= 0.0001: is " in refused.stderr
    assert "misses by" in refused.stderr
    assert versions(store) == before
    assert trail(store)[-1] == ("training.gate", "failure")
    assert run(store, ["audit", "verify"]).returncode == 0


KILLED_BEFORE_THE_ALIAS = """
import os, signal, sys
from isocenter.registry.models import ModelRegistry
ModelRegistry.set_alias = lambda *arguments, **named: os.kill(os.getpid(), signal.SIGKILL)
from isocenter.cli.main import main
main(sys.argv[1:])
"""


def test_killed_between_registering_and_the_alias(store: Path, words: list[str]) -> None:
    again = [*words, "--name", "lungs"]
    command = [sys.executable, "-c", KILLED_BEFORE_THE_ALIAS, *again]
    killed = subprocess.run(command, env=environment(store), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    (version,) = [v for v in versions(store) if v["name"] == "lungs"]
    assert version["aliases"] == []
    assert run_json(store, again)["reference"] == "lungs:1"
    (version,) = [v for v in versions(store) if v["name"] == "lungs"]
    assert version["aliases"] == ["challenger"]
    assert [action for action, _ in trail(store)].count("model.register") == 2, "once for each name"
    assert not list((store / "work").iterdir())
    assert run(store, ["audit", "verify"]).returncode == 0


def _kill_job(store: Path) -> None:
    """Kill the supervisor and all of the job that runs on ``store``, as a power cut would."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            seen = (path / "environ").read_bytes() + str((path / "cwd").readlink()).encode()
        except OSError:
            continue
        if str(store).encode() in seen:
            os.kill(int(path.name), signal.SIGKILL)


def _epochs(store: Path) -> int:
    """Epochs that a training on ``store`` wrote down so far."""
    return sum(len(path.read_text().splitlines()) for path in store.glob("runs/*/output/metrics.jsonl"))


def test_interrupted_then_killed_in_training_then_two_pipelines_at_once(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, words: list[str]
) -> None:
    """Ctrl-C, then the power goes in a later epoch; then two pipelines start: one trains on, both end well.

    What they make is, to the byte, what the undisturbed pipeline made in another store.
    """
    store = tmp_path / "store"
    first = start(store, words)
    wait_until(lambda: _epochs(store) >= 2)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=300)
    assert first.returncode == 130
    assert "Interrupted. Run the same command again to continue." in said
    assert run_json(store, ["run", "list"])[0]["state"] == "cancelled"
    second = start(store, words)
    wait_until(lambda: _epochs(store) >= 5)
    second.kill()
    _kill_job(store)
    second.communicate()
    assert json.loads(run(store, ["run", "list", "--json"]).stdout)[0]["state"] == "failed"
    both = [start(store, [*words, "--json"]) for _ in range(2)]
    printed = [process.communicate(timeout=600) for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    summaries = [json.loads(out) for out, _ in printed]
    assert sorted(step_states(summary)["train"] for summary in summaries) == ["cached", "done"]
    assert len({summary["digest"] for summary in summaries}) == 1
    assert [made(summary) for summary in summaries] == [made(trained[1])] * 2
    runs = run_json(store, ["run", "list"])
    assert [(found["name"], found["attempts"]) for found in runs] == [("evaluate", 1), ("train", 3)]
    log = run(store, ["run", "logs", runs[1]["id"]]).stdout
    assert "Continuing from the checkpoint" in log
    assert len(versions(store)) == 1
    assert run(store, ["audit", "verify"]).returncode == 0


@pytest.fixture
def small_disk(trained: tuple[Path, dict[str, Any]], tmp_path: Path) -> Iterator[Path]:
    """A file system that the trained store fills."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip(f"{LACKS}the right to mount a small tmpfs; run the tests as root")
    shutil.copytree(trained[0], folder / "store")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def _resize(folder: Path, free: int) -> None:
    usage = shutil.disk_usage(folder)
    options = f"remount,size={usage.used + free}"
    subprocess.run(["mount", "-o", options, folder], check=True, capture_output=True)


def test_full_disk(small_disk: Path, words: list[str]) -> None:
    store = small_disk / "store"
    again = [*words, "--name", "lungs"]
    _resize(small_disk, 200_000)
    full = run(store, again)
    assert full.returncode == 7, full.stderr
    assert "full" in full.stderr
    _resize(small_disk, 50_000_000)
    assert [v["name"] for v in versions(store)] == ["chest-xray"], "something half-written was registered"
    assert run_json(store, again)["reference"] == "lungs:1"
    assert run(store, ["audit", "verify"]).returncode == 0


def _damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"!")


@pytest.mark.parametrize(
    "name", ["evaluation.json", "models/model.onnx", "models/model.safetensors", "configs/decision.json"]
)
def test_a_damaged_registered_bundle_is_an_error(store: Path, words: list[str], name: str) -> None:
    (version,) = versions(store)
    _damage(Path(version["artifact_uri"]) / name)
    again = run(store, words)
    assert again.returncode == 6, again.stdout
    assert version["artifact_digest"] in again.stderr and name in again.stderr


@pytest.mark.parametrize("name", ["model.safetensors", "evaluation.json"])
def test_a_damaged_artifact_of_a_step_between_is_an_error(
    store: Path, words: list[str], trained: tuple[Path, dict[str, Any]], name: str
) -> None:
    digests = [step["result"].removeprefix("sha256:") for step in trained[1]["steps"][:-1]]
    (found,) = [path for digest in digests for path in store.glob(f"artifacts/sha256/*/{digest}/**/{name}")]
    _damage(found)
    again = run(store, words)
    assert again.returncode == 6, again.stdout
    assert name in again.stderr


@pytest.mark.parametrize("change", [["--seed", "79"], ["--threshold-rule", "sensitivity>=0.9"]])
def test_damaged_pixels_are_not_trained_or_judged_on(
    store: Path, words: list[str], change: list[str]
) -> None:
    (cache,) = store.glob("datasets/*/pixels/32.npy")
    data = bytearray(cache.read_bytes())
    data[len(data) // 2 :] = bytes(byte ^ 0xFF for byte in data[len(data) // 2 :])
    cache.write_bytes(data)
    refused = run(store, [*words, *change])
    assert refused.returncode == 6, refused.stdout
    assert str(cache) in refused.stderr
    assert len(versions(store)) == 1
    cache.unlink()
    repaired = run_json(store, [*words, *change])
    assert repaired["reference"] == "chest-xray:2"
    assert step_states(repaired)["ingest"] == "done"


def test_damaged_bundle_is_not_served(store: Path, data: Path) -> None:
    (bundle,) = [Path(v) for v in store.glob("artifacts/sha256/*/*") if (v / "model_card.json").is_file()]
    weights = bundle / "models" / "model.onnx"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    refused = run(store, ["predict", "chest-xray", str(next((data / "dicom").iterdir()))])
    assert refused.returncode == 6
    assert "model.onnx" in refused.stderr


def test_predict(store: Path, data: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.dcm"
    text.write_text("not DICOM")
    negative, positive = sorted((data / "dicom").iterdir())[:2]
    answers = run(
        store, ["predict", "chest-xray@challenger", str(negative), str(positive), str(text), "--json"]
    )
    assert answers.returncode == 3
    first, second, refused = json.loads(answers.stdout)
    assert 0 <= first["score"] < second["score"] <= 1
    assert (first["model"], first["version"]) == ("chest-xray", 1)
    assert refused["refused"] == "not-dicom"
    table = run(store, ["predict", "chest-xray", str(positive)])
    assert table.returncode == 0
    assert f"{second['score']:.3f}" in table.stdout
    assert trail(store)[-1] == ("model.predict", "success")
    missing = run(store, ["predict", "chest-xrey", str(positive)])
    assert missing.returncode == 3
    assert "chest-xray" in missing.stderr


def test_runs_can_be_looked_at(store: Path) -> None:
    evaluate, train = run_json(store, ["run", "list"])
    assert (evaluate["name"], train["name"]) == ("evaluate", "train")
    assert (train["state"], train["attempts"]) == ("succeeded", 1)
    shown = run_json(store, ["run", "show", train["id"][:12].lower()])
    assert {output["name"] for output in shown["outputs"]} == {"model", "output"}
    assert shown["job"]["parameters"]["plan"]["image_size"] == 32
    text = run(store, ["run", "show", train["id"]]).stdout
    assert shown["outputs"][0]["digest"][:20] in text
    log = run_json(store, ["run", "logs", train["id"]])
    assert any('"event": "progress"' in line for line in log["lines"])
    followed = run(store, ["run", "logs", "-f", train["id"]])
    assert followed.stdout.splitlines() == log["lines"]
    cancelled = run_json(store, ["run", "cancel", train["id"]])
    assert (cancelled["state"], cancelled["had_ended"]) == ("succeeded", True)
    assert run(store, ["run", "show", "01NOSUCHRUN"]).returncode == 3
