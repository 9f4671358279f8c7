"""A registered model behind an endpoint of the emulated cluster, asked with a token: the real serving app."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from registrations import DATASET, RUN, complete_card

from isocenter.domain.artifact import MediaType
from isocenter.home import Home
from isocenter.registry.opening import open_registry
from isocenter.storage.artifacts import ArtifactStore
from isocenter_serving.predictor import Predictor

pytest.importorskip(
    "kubernetes_validate",
    reason="LACKS: the emulated cluster's parts; pip install 'isocenter[kubernetes-emulator]'",
)

Cli = Callable[..., subprocess.CompletedProcess[str]]
REASON = ("--reason", "because")
TARGET = "kubernetes-emulated"


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
def cluster(store: Home) -> Iterator[None]:
    """`isocenter emulate kubernetes`, as a user's shell would start it."""
    words = [sys.executable, "-m", "isocenter.cli.main", "emulate", "kubernetes", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = ""
        while not printed.endswith("}\n"):
            line = process.stdout.readline()
            assert line, f"the emulator ended: {process.wait()}"
            printed += line
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0


@pytest.mark.usefixtures("cluster")
def test_from_deploy_to_delete(store: Home, registered: Path, files: list[Path], isocenter_cli: Cli) -> None:
    size = ("--cpus", "1", "--memory", "2")
    made = isocenter_cli("endpoint", "deploy", "chest", "cxr:1", "--target", TARGET, *size, "--json", *REASON)
    assert made.returncode == 0, made.stderr
    url = json.loads(made.stdout)["url"]
    token = isocenter_cli("endpoint", "token", "chest").stdout.strip()
    assert ask(url, "not.a.token", files[0]).status_code == 401
    expected = Predictor(registered)
    for path in files[:3]:
        told = ask(url, token, path).json()
        (scored,) = expected.predict([path])
        assert told["score"] == pytest.approx(scored.score, abs=1e-5)
        assert (told["model"], told["version"]) == ("cxr", 1)

    canary = isocenter_cli("endpoint", "deploy", "chest", "cxr:2", "--canary", "50", *REASON)
    assert "chest serves cxr:1 50 %, cxr:2 50 %" in canary.stdout, canary.stderr
    assert {ask(url, token, files[0]).json()["version"] for _ in range(4)} == {1, 2}
    seen = json.loads(isocenter_cli("endpoint", "status", "chest", "--json").stdout)["observed"]
    assert {name: each["requests"] for name, each in seen.items()} == {"cxr:1": 2, "cxr:2": 2}
    back = isocenter_cli("endpoint", "rollback", "chest", "--reason", "scores are off")
    assert "chest serves cxr:1 100 %" in back.stdout, back.stderr
    assert "CANARY" not in isocenter_cli("endpoint", "logs", "chest").stdout
    spools = list(store.root.glob("emulators/kubernetes/pods/*/tmp/capture/features"))
    assert spools, "a pod keeps features in a folder of its own"
    gone = isocenter_cli("endpoint", "delete", "chest", *REASON)
    assert "chest is gone" in gone.stdout, gone.stderr


def ask(url: str, token: str, path: Path) -> Any:
    headers = {"Content-Type": "application/dicom", "Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/v1/predict", content=path.read_bytes(), headers=headers, timeout=60)
