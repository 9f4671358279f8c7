"""``isocenter pipeline run --target``: what is reused, what it costs, and what is refused first."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from pipeline_runs import TINY, arguments, environment, run, run_json, write_folder

pytest.importorskip("gcp_storage_emulator", reason="LACKS: pip install 'isocenter[gcp-emulator]'")
pytestmark = pytest.mark.slow
TARGET = ("--target", "gcp-emulated")
OTHER_IMAGE = "europe-west4-docker.pkg.dev/p/isocenter/training@sha256:" + "5" * 64
PLACEHOLDER = "00000000000000000000DRYRVN"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    data = write_folder(tmp_path_factory.mktemp("data"), patients=60, signal=0.7)
    (data / "acceptance.yaml").write_text("rules: [{metric: auroc, min: 0.01}]\n")
    rules = str(data / "acceptance.yaml")
    return arguments(data, *TINY, "--epochs", "1", "--acceptance", rules)


@pytest.fixture(scope="module")
def gcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A store, and what the emulator printed."""
    store = tmp_path_factory.mktemp("gcp") / "store"
    with (
        pytest.MonkeyPatch.context() as patch,
        emulator("gcp", store, [sys.executable, "-m", "isocenter_training"]) as printed,
    ):
        patch.setenv("ISOCENTER_DEPLOYMENTS", str(store / "deployments"))
        yield store, printed


@pytest.fixture(scope="module")
def trained(
    gcp: tuple[Path, dict[str, Any]], words: list[str]
) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """That store after one pipeline on the target, and how it went."""
    done = run(gcp[0], [*words, *TARGET])
    assert done.returncode == 0, done.stderr
    return gcp[0], done


def states(summary: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["state"] for step in summary["steps"]}


def reused(summary: dict[str, Any], step: str = "train") -> dict[str, Any]:
    found: dict[str, Any] = next(row for row in summary["steps"] if row["step"] == step)["reused"]
    return found


def newest(store: Path, name: str = "train") -> dict[str, Any]:
    runs = run_json(store, ["run", "list"])
    return dict(run_json(store, ["run", "show", next(r["id"] for r in runs if r["name"] == name)]))


def custom_job(printed: dict[str, Any], run_id: str) -> dict[str, Any]:
    """The run's job as the service shows it, without what the service adds."""
    descriptor = json.loads(Path(printed["descriptor"]).read_text())
    parent = f"projects/{descriptor['settings']['project']}/locations/{descriptor['region']}"
    query = quote(f'labels.isocenter-run="{run_id.lower()}"')
    with urlopen(f"{descriptor['endpoints']['gcp']}/v1/{parent}/customJobs?filter={query}") as answer:
        (job,) = json.loads(answer.read())["customJobs"]
    told = ("name", "state", "createTime", "updateTime", "startTime", "endTime")
    return {field: value for field, value in job.items() if field not in told}


def test_what_the_dry_run_printed_was_sent(
    trained: tuple[Path, Any], gcp: tuple[Path, dict[str, Any]], words: list[str]
) -> None:
    shown = json.loads(run(trained[0], [*words, *TARGET, "--dry-run"]).stdout)
    assert shown["dataset_is_known"]
    assert list(shown["placeholders"]) == [PLACEHOLDER]
    assert "digest of what is sent is another" in shown["placeholders"][PLACEHOLDER]
    train = newest(trained[0])
    text = json.dumps(shown["request"]["customJob"]).replace(PLACEHOLDER, train["id"])
    expected = json.loads(text.replace(PLACEHOLDER.lower(), train["id"].lower()))
    assert custom_job(gcp[1], train["id"]) == expected


def test_what_a_run_may_cost_is_said_when_it_is_submitted_and_later(
    trained: tuple[Path, "subprocess.CompletedProcess[str]"], words: list[str]
) -> None:
    store, done = trained
    for step in ("train", "evaluate"):
        (line,) = [line for line in done.stderr.splitlines() if line.startswith(step) and " USD " in line]
        assert "n2-standard-8 (32 GiB), 0.45 USD an hour (list price on demand)" in line
        assert "at most 10.76 USD in 24 h" in line
    train = newest(store)
    assert train["estimated_cost"]["usd_at_most"] == 10.76
    assert train["job"]["image"].endswith("@sha256:" + "0" * 64), "the target's own, by digest"
    shown = run(store, ["run", "show", train["id"]]).stdout
    assert "Cost: n2-standard-8 (32 GiB), 0.45 USD an hour" in shown
    assert f"Image: {train['job']['image']}" in shown


def test_a_reused_step_says_from_where(trained: tuple[Path, Any], words: list[str]) -> None:
    store, _ = trained
    again = run(store, [*words, *TARGET])
    assert again.returncode == 0, again.stderr
    assert again.stdout.startswith("Nothing to do")
    train = newest(store)
    image = train["job"]["image"]
    said = f"train reused from run {train['id']}, trained on gcp-emulated with {image} (CPUs)"
    assert said in again.stdout.replace("\n", " ")
    cheaper = run_json(store, [*words, *TARGET, "--spot", "--max-runtime", "2h"])
    assert set(states(cheaper).values()) == {"cached"}
    found = reused(cheaper)
    assert (found["run"], found["target"], found["image"]) == (train["id"], "gcp-emulated", image)


@pytest.mark.parametrize(
    ("asked", "program", "machines"),
    [
        (("--image", OTHER_IMAGE), OTHER_IMAGE, "CPUs"),
        (("--gpu", "l4"), None, "l4 x 1"),
    ],
)
def test_another_image_or_gpu_is_another_training(
    trained: tuple[Path, Any], words: list[str], asked: tuple[str, ...], program: str | None, machines: str
) -> None:
    store, _ = trained
    before = newest(store)
    summary = run_json(store, [*words, *TARGET, *asked])
    assert states(summary) | {"register": ""} == {
        "ingest": "cached",
        "validate": "cached",
        "train": "done",
        "evaluate": "done",
        "gate": "cached",
        "register": "",
    }
    train = newest(store)
    assert train["id"] != before["id"]
    if program:
        assert train["job"]["image"] == program
    again = run_json(store, [*words, *TARGET, *asked])
    assert reused(again)["run"] == train["id"]
    assert reused(again)["machines"] == machines


def test_the_program_installed_here_is_another_than_an_image(
    trained: tuple[Path, Any], words: list[str]
) -> None:
    store, _ = trained
    assert states(run_json(store, words))["train"] == "done"
    assert reused(run_json(store, words))["target"] == "local"
    assert "with the program installed here (CPUs)" in run(store, words).stdout
    assert reused(run_json(store, [*words, *TARGET]))["target"] == "gcp-emulated"


def test_the_steps_are_shown_when_the_gate_refuses(
    trained: tuple[Path, Any], words: list[str], tmp_path: Path
) -> None:
    store, _ = trained
    (tmp_path / "strict.yaml").write_text("rules: [{metric: brier, max: 0.0001}]\n")
    strict = [*words, *TARGET, "--acceptance", str(tmp_path / "strict.yaml")]
    done = run(store, strict)
    assert done.returncode == 4
    rows = {line.split()[1]: line.split()[3] for line in done.stdout.splitlines() if line.startswith("│")}
    assert rows == {
        "ingest": "cached",
        "validate": "cached",
        "train": "cached",
        "evaluate": "cached",
        "gate": "refused",
        "register": "skipped",
    }
    assert "Reused  train reused from run " in done.stdout
    printed = json.loads(run(store, [*strict, "--json"]).stdout)
    assert printed["error"]["code"] == "gate-failed"
    assert [step["state"] for step in printed["steps"]] == [*rows.values()]
    assert printed["steps"][2]["reused"]["target"] == "gcp-emulated"


@pytest.mark.parametrize("last", [(), ("--submit",), ("--dry-run",)])
def test_a_plan_that_cant_be_trained_is_refused_before_anything_is_sent(
    gcp: tuple[Path, dict[str, Any]], words: list[str], last: tuple[str, ...], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(gcp[0] / "deployments", store / "deployments")
    done = run(store, [*words, *TARGET, "--set", "network.arguments.depth=3", *last])
    assert done.returncode == 3, done.stdout
    assert "The plan's network.arguments don't fit resnet10" in done.stderr
    assert "nothing was sent" in done.stderr
    shared = run(store, [*words, *TARGET, "--nodes", "4", "--gpu", "l4x2", *last])
    assert shared.returncode == 3, shared.stdout
    assert "8 GPUs can't share a batch of 4 images (the plan's budget.batch_size)" in shared.stderr
    assert not (store / "datasets").exists(), "found before the files were read"
    assert run_json(store, ["run", "list"]) == []


def test_a_trainer_that_only_the_image_has_is_told_and_not_refused(
    gcp: tuple[Path, dict[str, Any]], words: list[str]
) -> None:
    done = run(gcp[0], [*words, *TARGET, "--set", "trainer=hospital_only:Mine", "--dry-run"])
    assert done.returncode == 0, done.stderr
    assert "was not tried before its job begins" in done.stderr
    assert "'hospital_only:Mine' is not installed here" in done.stderr


def test_a_submitted_pipeline_says_what_it_may_cost(
    gcp: tuple[Path, dict[str, Any]], words: list[str], tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(gcp[0] / "deployments", store / "deployments")
    done = run(store, [*words, *TARGET, "--gpu", "l4", "--submit"], env=environment(store))
    assert done.returncode == 0, done.stderr
    assert "Cost      train: g2-standard-8 (32 GiB, 1 GPU of 24 GiB), 0.98 USD an hour" in done.stdout
    assert "together at most" in done.stdout
