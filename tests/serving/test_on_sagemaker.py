"""A registered model behind an endpoint of the emulated AWS, asked through boto3: the real serving app."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.domain.artifact import MediaType
from isocenter.home import Home
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter_serving.predictor import Predictor

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

Cli = Callable[..., subprocess.CompletedProcess[str]]
REASON = ("--reason", "because")


@pytest.fixture
def store(home: Home, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """cxr:1 and cxr:2, which score alike."""
    monkeypatch.setenv("ISOCENTER_ACTOR", "alice")
    for number in (1, 2):
        (bundle / "number.txt").write_text(str(number))
        artifact = ArtifactStore(home).publish(bundle, name="model", media_type=MediaType.BUNDLE)
        open_registry(home).register(
            "cxr", artifact, dataset_digest=DATASET, run=RUN, metrics={}, card=complete_card()
        )
    return home


@pytest.fixture
def target(store: Home) -> Iterator[DeploymentDescriptor]:
    """`isocenter emulate aws`, as a user's shell would start it."""
    words = [sys.executable, "-m", "isocenter.cli.main", "emulate", "aws", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        while not printed.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"the emulator ended: {process.wait()}"
            printed += line
        yield load_descriptor(Path(json.loads(printed)["descriptor"]))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0


def runtime(target: DeploymentDescriptor) -> Any:
    import boto3

    return boto3.client(
        "sagemaker-runtime",
        region_name=target.region,
        endpoint_url=target.endpoints["aws"],
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
    )


def ask(client: Any, path: Path) -> dict[str, Any]:
    answer = client.invoke_endpoint(
        EndpointName="aws-emulated-chest", ContentType="application/dicom", Body=path.read_bytes()
    )
    told: dict[str, Any] = json.loads(answer["Body"].read())
    return told


def test_from_deploy_to_delete(
    store: Home, target: DeploymentDescriptor, registered: Path, files: list[Path], isocenter_cli: Cli
) -> None:
    dry = isocenter_cli(
        *("endpoint", "deploy", "chest", "cxr:1", "--target", target.name, "--dry-run", *REASON),
        env={n: v for n, v in os.environ.items() if not n.startswith("AWS_")} | {"HOME": "/nonexistent"},
    )
    assert dry.returncode == 0, dry.stderr
    assert json.loads(dry.stdout)["request"]["CreateEndpoint"]["EndpointName"] == "aws-emulated-chest"

    size = ("--cpus", "1", "--memory", "2")
    made = isocenter_cli(
        "endpoint", "deploy", "chest", "cxr:1", "--target", target.name, *size, "--json", *REASON
    )
    assert made.returncode == 0, made.stderr
    client, expected = runtime(target), Predictor(registered)
    for path in files[:3]:
        told = ask(client, path)
        (scored,) = expected.predict([path])
        assert told["score"] == pytest.approx(scored.score, abs=1e-5)
        assert (told["model"], told["version"]) == ("cxr", 1)

    canary = isocenter_cli("endpoint", "deploy", "chest", "cxr:2", "--canary", "50", *REASON)
    assert "chest serves cxr:1 50 %, cxr:2 50 %" in canary.stdout, canary.stderr
    assert {ask(client, files[0])["version"] for _ in range(4)} == {1, 2}
    back = isocenter_cli("endpoint", "rollback", "chest", "--reason", "scores are off")
    assert "chest serves cxr:1 100 %" in back.stdout, back.stderr

    shown = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)
    assert shown["state"] == "ready"
    assert shown["url"] == f"{target.endpoints['aws']}/endpoints/aws-emulated-chest/invocations"
    logged = isocenter_cli("endpoint", "logs", "chest").stdout
    assert '"message": "ready"' in logged
    assert "CANARY" not in logged
    refused = isocenter_cli(
        "endpoint", "deploy", "chest", "cxr:2", "--canary", "5", "--max-abstention", "0.1", *REASON
    )
    assert "can't count the requests without a decision" in refused.stderr

    assert not list(store.root.rglob("capture")), "nothing is kept on this machine"
    gone = isocenter_cli("endpoint", "delete", "chest", *REASON)
    assert "chest is gone" in gone.stdout, gone.stderr
    assert isocenter_cli("audit", "verify").returncode == 0
