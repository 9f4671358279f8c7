"""``isocenter run check``, and the same rules in ``pipeline run``: what is refused, and nothing is sent."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from policies.golden_targets import GOLDEN, target_of

from isocenter.home import Home
from isocenter.registry.runs import RunRecords
from isocenter.storage.database import open_database

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))

from emulated import emulator

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
EXTRAS = {
    "aws": "moto",
    "gcp": "gcp_storage_emulator",
    "azure": "azure.ai.ml",
    "kubernetes": "kubeflow_trainer_api",
}


@pytest.fixture
def deployed(home: Home) -> Callable[..., str]:
    """``deployed(backend, field=...)``: the target of a golden request, with fields changed."""

    def make(backend: str, **fields: Any) -> str:
        body = target_of(backend).model_dump(mode="json") | fields
        folder = home.root / "deployments"
        folder.mkdir(exist_ok=True)
        (folder / f"{body['name']}.json").write_text(json.dumps(body))
        return str(body["name"])

    return make


@pytest.mark.parametrize("backend", ["azureml", "kubernetes", "sagemaker", "vertex"])
def test_a_golden_file_is_checked_for_its_target(
    backend: str, deployed: Callable[..., str], isocenter_cli: Cli
) -> None:
    name = deployed(backend)
    done = isocenter_cli("run", "check", GOLDEN / f"{backend}.json", "--target", name, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["target"], said["refused"], said["not_checked"]) == (name, False, [])


def test_without_a_target_what_is_left_out_is_said(home: Home, isocenter_cli: Cli) -> None:
    done = isocenter_cli("run", "check", GOLDEN / "vertex.json")
    assert done.returncode == 0, done.stderr
    assert "2 not checked" in done.stdout
    assert "NOT CHECKED" in done.stderr
    assert "ISO_JOB_010, ISO_JOB_011" in done.stderr


def test_a_broken_rule_is_named_with_field_and_remedy(home: Home, isocenter_cli: Cli, tmp_path: Path) -> None:
    body = json.loads((GOLDEN / "sagemaker.json").read_text())
    body["request"]["EnableNetworkIsolation"] = False
    del body["digest"]
    path = tmp_path / "request.yaml"
    path.write_text(yaml.safe_dump(body))
    done = isocenter_cli("run", "check", path)
    assert done.returncode == 8
    for said in ("ISO_JOB_004", "EnableNetworkIsolation is not true", "1 rules broken"):
        assert said in done.stdout
    (finding,) = json.loads(isocenter_cli("run", "check", path, "--json").stdout)["findings"]
    assert finding["citations"] == ["45 CFR 164.312(e)(1)"]
    assert finding["place"] == "EnableNetworkIsolation"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("{", 3, "neither JSON nor YAML"),
        ("[]", 3, "no mapping"),
        ("{}", 3, "no backend"),
        ('{"backend": "vertex", "run": "x"}', 3, "no request"),
        ('{"backend": "vertex", "run": "x", "request": {}, "digest": "sha256:0"}', 6, "changed"),
        ('{"backend": "vertex", "run": "x", "request": {}, "target": "gone"}', 3, "--no-target"),
        ('{"backend": "kubernetes", "run": "x", "request": {}}', 3, "no pod"),
    ],
)
def test_a_file_that_is_no_request(
    text: str, code: int, said: str, home: Home, isocenter_cli: Cli, tmp_path: Path
) -> None:
    path = tmp_path / "request.json"
    path.write_text(text)
    done = isocenter_cli("run", "check", path)
    assert done.returncode == code, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_request_for_another_service_than_the_targets(
    deployed: Callable[..., str], isocenter_cli: Cli
) -> None:
    done = isocenter_cli("run", "check", GOLDEN / "vertex.json", "--target", deployed("sagemaker"))
    assert done.returncode == 3
    assert "sagemaker" in done.stderr


@pytest.fixture
def images(tmp_path: Path, isocenter_cli: Cli) -> tuple[str, ...]:
    """Options that name a small synthetic set."""
    done = isocenter_cli("demo", "--out", tmp_path / "demo", "--patients", "40", "--size", "128")
    assert done.returncode == 0, done.stderr
    return ("--data", str(tmp_path / "demo/dicom"), "--labels", str(tmp_path / "demo/labels.csv"))


IMAGE = "europe-west4-docker.pkg.dev/hospital/isocenter/training@sha256:" + "ab" * 32


def test_a_request_that_breaks_a_rule_is_shown_and_never_sent(
    home: Home, deployed: Callable[..., str], isocenter_cli: Cli, images: tuple[str, ...]
) -> None:
    """No server answers for this target: were anything sent, the run would end in another way."""
    pytest.importorskip("google.cloud.aiplatform_v1", reason="LACKS: pip install 'isocenter[gcp]'")
    name = deployed("vertex", labels={"owner": "imaging"}, keys={})
    words = ("pipeline", "run", *images, "--target", name, "--image", IMAGE)
    shown = isocenter_cli(*words, "--dry-run")
    assert shown.returncode == 8, shown.stderr
    body = json.loads(shown.stdout)
    assert {f["rule"] for f in body["policy"]["findings"]} == {"ISO_JOB_002", "ISO_JOB_008"}
    done = isocenter_cli(*words)
    assert done.returncode == 8, done.stderr
    for said in ("ISO_JOB_002", "customJob.encryptionSpec.kmsKeyName is missing", "ISO_JOB_008", "keys.data"):
        assert said in done.stderr
    assert RunRecords(open_database(home)).list() == ()


@pytest.fixture(params=EXTRAS)
def emulated(request: pytest.FixtureRequest, home: Home) -> Iterator[str]:
    """A running emulated target's name."""
    cloud = request.param
    pytest.importorskip(EXTRAS[cloud], reason=f"LACKS: the emulated {cloud}'s parts")
    if cloud == "azure":
        from azure_needs import needs_azure

        needs_azure()
    with emulator(cloud, home.root, [sys.executable, "-m", "isocenter_training"]) as printed:
        yield str(printed["target"])


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_an_emulated_targets_request_keeps_the_rules_printed_or_read(
    form: str, emulated: str, isocenter_cli: Cli, tmp_path: Path
) -> None:
    for name in ("normal", "pneumonia"):
        (tmp_path / "data" / name).mkdir(parents=True)
    (tmp_path / "data/normal/a.dcm").write_bytes(b"x")
    words = ("pipeline", "run", "--data", tmp_path / "data", "--target", emulated, "--dry-run")
    shown = isocenter_cli(*words, *(["--yaml"] if form == "yaml" else []))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    policy = yaml.safe_load(shown.stdout)["policy"]
    assert (policy["findings"], policy["not_checked"]) == ([], [])
    path = tmp_path / f"request.{form}"
    path.write_text(shown.stdout)
    done = isocenter_cli("run", "check", path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"for {emulated}: 0 rules broken" in done.stdout
