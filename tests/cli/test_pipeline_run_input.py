"""What ``isocenter pipeline run`` says of bad input: before anything is trained, in clear words."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.home import Home

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def by_class(tmp_path: Path) -> Path:
    for name in ("normal", "pneumonia"):
        (tmp_path / "data" / name).mkdir(parents=True)
    return tmp_path / "data"


def test_no_such_folder(home: Home, isocenter_cli: Cli, tmp_path: Path) -> None:
    done = isocenter_cli("pipeline", "run", "--data", tmp_path / "none", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["code"] in ("bad-input", "not-found")


def test_empty_folder(home: Home, isocenter_cli: Cli, by_class: Path) -> None:
    done = isocenter_cli("pipeline", "run", "--data", by_class)
    assert done.returncode == 3
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--plan", "larg"], 3, "small"),
        (["--set", "network"], 2, "FIELD=VALUE"),
        (["--set", "name.x=1"], 2, "has no fields"),
        (["--set", "budget.epochs=0"], 3, "budget.epochs"),
        (["--set", "nonsense=1"], 3, "nonsense"),
        (["--epochs", "0"], 2, "--epochs"),
        (["--set", "network.name=resnet11"], 3, "network.name 'resnet11' is unknown (known: resnet10,"),
        (["--set", "loss.name=focl"], 3, "loss.name 'focl' is unknown (known: cross_entropy, focal)"),
        (["--set", "task.classes=[a, b]"], 3, "task.classes are a, b; --classes says normal, pneumonia"),
        (["--max-runtime", "0"], 3, "'0' is no duration"),
        (["--max-runtime", "0s"], 3, "a job can't do anything in 0 s"),
        (["--max-runtime", "1s"], 3, "At least 1m"),
        (["--max-runtime", "7d1s"], 3, "a week at most"),
        (["--max-runtime", "29d"], 3, "At most 7d"),
        (["--gpu", "a100-8"], 3, "Nearest: a100-80"),
        (["--gpu", ""], 3, "'' names no GPU size"),
        (["--max-runtime", ""], 3, "'' is no duration"),
        (["--gpu", "h100x99"], 3, "asks for 99 GPU; this machine has"),
        (["--classes", "one"], 2, "two different names"),
        (["--classes", "one,one"], 2, "two different names"),
        (["--name", "Chest X"], 3, "can't name a model"),
        (["--target", "lokal"], 3, "Did you mean 'local'?"),
        (["--acceptance", "none.yaml"], 3, "no acceptance file"),
        (["--card", "none.yaml"], 3, "none.yaml"),
        (["--threshold-rule", "sensitivity>0.9"], 3, "no rule for a threshold"),
    ],
)
def test_wrong_options(
    home: Home, isocenter_cli: Cli, by_class: Path, options: list[str], code: int, words: str
) -> None:
    done = isocenter_cli("pipeline", "run", "--data", by_class, *options)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert not home.datasets.exists(), "something was done all the same"
    assert not home.runs.exists(), "a job was started"
    assert "continues" not in done.stderr


def test_dry_run_prints_the_request_and_does_nothing(home: Home, isocenter_cli: Cli, by_class: Path) -> None:
    (by_class / "normal" / "a.dcm").write_bytes(b"x")
    arguments = ("pipeline", "run", "--data", by_class, "--seed", "7", "--epochs", "2", "--dry-run")
    printed = [isocenter_cli(*arguments, "--set", "network.name=resnet18") for _ in range(2)]
    assert printed[0].stdout == printed[1].stdout
    request = json.loads(printed[0].stdout)
    plan = json.loads(request["request"]["environment"]["ISOCENTER_PARAMETERS"])["plan"]
    assert (plan["seed"], plan["budget"]["epochs"], plan["network"]["name"]) == (7, 2, "resnet18")
    assert request["request"]["argv"][-1] == "train"
    assert not request["dataset_is_known"]
    assert not home.runs.exists()
    assert not home.datasets.exists()


def test_known_target_without_its_backend_says_how_to_get_it(
    home: Home, isocenter_cli: Cli, by_class: Path
) -> None:
    folder = home.root / "deployments"
    folder.mkdir()
    descriptor = {"name": "gcp-prod", "provider": "gcp", "backend": "vertex", "region": "europe-west4"}
    (folder / "gcp-prod.json").write_text(json.dumps(descriptor))
    without = {"PYTHONPATH": str(Path(__file__).parent / "without_packages")}
    hidden = {
        **os.environ,
        **without,
        "HIDDEN_PACKAGES": "google-cloud-aiplatform",
        "ISOCENTER_HOME": str(home.root),
    }
    words = ("pipeline", "run", "--data", by_class, "--target", "gcp-prod", "--dry-run")
    done = isocenter_cli(*words, env=hidden)
    assert done.returncode == 7
    assert "pip install 'isocenter[gcp]'" in done.stderr


def test_store_that_can_not_be_made(isocenter_cli: Cli, by_class: Path) -> None:
    done = isocenter_cli(
        "pipeline", "run", "--data", by_class, env={**os.environ, "ISOCENTER_HOME": "/proc/nowhere"}
    )
    assert done.returncode == 7
    assert "ISOCENTER_HOME" in done.stderr
