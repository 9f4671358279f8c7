"""A target that nobody has logged in to: whose credentials are missing is said at once, and how to log in."""

import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "compilers"))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator
from targets import AWS, AZURE, GCP, ONPREM

from isocenter.backends import load_backend
from isocenter.domain.run import JobState, new_run_id
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import EnvironmentFaultError, TransientFaultError
from isocenter.home import Home
from isocenter.pipelines.job import JobLauncher
from isocenter.pipelines.observer import Silent
from isocenter.pipelines.records import Records, open_records
from isocenter.targets.credentials import azure_credential
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.probe import probe

KEY = f"sha256:{'2' * 64}"
LABELS = {"owner": "imaging", "data-classification": "pseudonymised"}
# Each is a deployment without what an emulator would add: real, as far as Isocenter knows.
CLOUDS = {
    "aws": AWS.model_copy(update={"labels": LABELS}),
    "azure": AZURE.model_copy(
        update={
            "labels": LABELS,
            "keys": {"data": "https://v.vault.azure.net/keys/k"},
            "network": AWS.network,
        }
    ),
    "gcp": GCP.model_copy(update={"labels": LABELS}),
    "onprem": ONPREM.model_copy(update={"labels": LABELS}),
}
NEEDS = {"aws": "s3fs", "azure": "adlfs", "gcp": "gcsfs", "onprem": "s3fs"}
SAID = {
    "aws": ("AWS credentials for aws-test: boto3's chain", "aws sso login"),
    "azure": ("Azure credentials for azure-test: azure-identity's DefaultAzureCredential", "az login"),
    "gcp": ("Google credentials for gcp-test: google-auth's chain", "gcloud auth application-default login"),
    "onprem": ("credentials for the object store of onprem-test: boto3's chain", "AWS_PROFILE"),
}


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A metadata service that isn't one: it knows nothing, as on a machine that is in another cloud."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", paths
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def nobody(asked: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A user who has logged in nowhere, on a machine that has no identity."""
    address = asked[0]
    for name in (
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"),
        *("KUBERNETES_SERVICE_HOST", "KUBECONFIG"),
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "CLOUDSDK_CONFIG", "AZURE_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", address)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    azure_credential.cache_clear()
    yield
    azure_credential.cache_clear()


@pytest.fixture
def records(home: Home) -> Iterator[Records]:
    opened = open_records(home)
    yield opened
    opened.database.close()


def launch(descriptor: DeploymentDescriptor, home: Home, records: Records) -> None:
    folder = home.datasets / ("ab" * 32)
    folder.mkdir(parents=True)
    (folder / "dataset.json").write_text("{}")
    settings = {**descriptor.settings, "descriptor": descriptor.model_dump(mode="json")}
    backend = load_backend(descriptor.backend, home, settings)
    launcher = JobLauncher(backend, descriptor.name, records, Silent(), descriptor)
    job = TrainingJob("train", ("train",), inputs={"dataset": str(folder)}, labels={"model": "chest-xray"})
    launcher.finish("train", job, new_run_id(), KEY)


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_whose_credentials_are_missing_is_said(
    cloud: str, home: Home, records: Records, asked: tuple[str, list[str]]
) -> None:
    pytest.importorskip(NEEDS[cloud], reason=f"LACKS: {NEEDS[cloud]}; make setup EXTRAS={cloud}")
    with pytest.raises(EnvironmentFaultError) as told:
        launch(CLOUDS[cloud], home, records)
    said, hint = SAID[cloud]
    assert not isinstance(told.value, TransientFaultError), "asking again would not help"
    assert said in told.value.message
    assert hint in told.value.hint
    assert records.runs.list() == (), "what never had a chance leaves no run"
    assert records.trail.list() == ()
    # Left alone, Azure's chain asks six times over half a minute, and each of its clients anew.
    assert len(asked[1]) <= 4, asked[1]


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_the_probe_says_so_too(cloud: str) -> None:
    pytest.importorskip(NEEDS[cloud], reason=f"LACKS: {NEEDS[cloud]}; make setup EXTRAS={cloud}")
    found = [each for each in probe(CLOUDS[cloud]) if each.what == "bucket data"]
    assert [each.ok for each in found] == [False]
    assert SAID[cloud][0] in found[0].said
    assert SAID[cloud][1] in found[0].said


def test_a_cluster_without_kubeconfig_ends_the_run_with_that_reason(
    home: Home, records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("moto", "kubernetes", "s3fs"):
        pytest.importorskip(package, reason=f"LACKS: {package}; make setup EXTRAS=kubernetes,aws-emulator")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulated")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-kubeconfig"))
    with emulator("aws", tmp_path / "store", ["/bin/true"]) as printed:
        store = load_descriptor(Path(printed["descriptor"]))
        cluster = CLOUDS["onprem"].model_copy(
            update={"endpoints": {"object-store": store.endpoints["aws"]}, "buckets": store.buckets}
        )
        with pytest.raises(EnvironmentFaultError) as told:
            launch(cluster, home, records)
    assert "KUBECONFIG" in told.value.hint
    (run,) = records.runs.list()
    assert run.state is JobState.FAILED
    assert "There are no credentials for the cluster of onprem-test" in (run.reason or "")
