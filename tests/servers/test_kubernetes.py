"""The Kubernetes server passes the contract against an emulated cluster whose pods really answer."""

import hashlib
import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip(
    "kubernetes_validate",
    reason="LACKS: the emulated cluster's parts; pip install 'isocenter[kubernetes-emulator]'",
)
pytest.importorskip(
    "kubeflow_trainer_api", reason="LACKS: Trainer's models; pip install 'isocenter[kubernetes-emulator]'"
)


from isocenter.domain.rollout import Endpoint, EndpointState, Variant
from isocenter.domain.submission import Submission
from isocenter.emulators.kubernetes.emulator import KubernetesEmulator
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.kubernetes import KubernetesServer
from isocenter.targets.descriptor import DeploymentDescriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from contract import NAME, Interrupted, Predict, ServerContract
from emulated import no_faults

CONTAINER = Path(__file__).with_name("kubernetes_container.py")
IMAGE = "registry.hospital.example/isocenter/serving@sha256:" + "ab" * 32


class EndedError(Exception):
    """The client's process ends here."""


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A hospital's deployment as `make deploy` leaves it behind (isocenter_infra.onprem.describe)."""
    products = [{"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]}]
    values: dict[str, Any] = {
        "name": "hospital-a",
        "provider": "onprem",
        "backend": "kubernetes",
        "residency": "hospital",
        "buckets": {"data": "s3://hospital-data", "models": "s3://hospital-models"},
        "registry": "registry.hospital.example/isocenter",
        "workspace": "imaging",
        "gpu": [{"size": "l4", "per_node": 2, "max_nodes": 2, "machine": ""}],
        "endpoints": {"object-store": "https://objects.hospital.example"},
        "labels": {"owner": "imaging@hospital.example", "environment": "prod", "data-classification": "phi"},
        "settings": {
            "namespace": "imaging",
            "component_label": "app.kubernetes.io/component",
            "images": {"serving": IMAGE},
            "secrets": {"object-store": "isocenter-object-store"},
            "priority_classes": {"serving": "isocenter-hospital-a-serving"},
            "runtime_class": "isocenter-hospital-a-gpu",
            "gpu": {"l4": {"resource": "nvidia.com/gpu", "node_affinity": products}},
            "serving_access": {"issuer": "https://id.hospital.example", "audience": "isocenter"},
        },
    }
    return DeploymentDescriptor.model_validate(values | fields)


def server_for(place: DeploymentDescriptor, home: Home | None = None, **settings: Any) -> KubernetesServer:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return KubernetesServer(home or Home(Path("/srv/isocenter")), described)


def variant(target: DeploymentDescriptor, number: int, **behaviour: Any) -> Variant:
    """``cxr:<number>`` with a bundle for the stand-in, in the target's object store."""
    digest = hashlib.sha256(json.dumps([number, behaviour]).encode()).hexdigest()
    uri = f"{target.buckets['models']}/artifacts/{digest}"
    target_files(target, uri).pipe_file(f"{uri}/behaviour.json", json.dumps(behaviour).encode())
    return Variant(f"cxr:{number}", f"sha256:{digest}", uri)


def ask(endpoint: Endpoint, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one answer, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    try:
        connection.request("POST", "/v1/predict", b"x" * 100, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    program = [sys.executable, str(CONTAINER)]
    emulator = KubernetesEmulator(tmp_path_factory.mktemp("cluster"), ["true"], serving_program=program)
    yield emulator.start("kubernetes-emulated", 0)
    emulator.close()


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["onprem"])
    server_for(running).delete(NAME)


class TestKubernetesServer(ServerContract):
    target = "kubernetes-emulated"
    bundles = "s3://hospital-models/artifacts"

    @pytest.fixture
    def server(self, target: DeploymentDescriptor, home: Home) -> Server:
        settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
        return load_server("kubernetes", home, settings)

    @pytest.fixture
    def golden_server(self) -> Server:
        return server_for(descriptor(), most_pods=20)

    @pytest.fixture
    def one(self, running: DeploymentDescriptor) -> Variant:
        return variant(running, 1, score=0.3)

    @pytest.fixture
    def two(self, running: DeploymentDescriptor) -> Variant:
        return variant(running, 2, score=0.5)

    @pytest.fixture
    def broken(self, running: DeploymentDescriptor) -> Variant:
        return variant(running, 3, fails="The bundle's network can't be loaded.")

    @pytest.fixture
    def predict(self) -> Predict:
        return lambda endpoint: int(ask(endpoint)[1]["version"])

    @pytest.fixture
    def interrupted(self, target: DeploymentDescriptor, home: Home) -> Interrupted:
        """Ends a client before each of its calls is sent, which is after the one before was answered."""

        def apply(submission: Submission, number: int) -> bool:
            server, calls = server_for(target, home), [0]
            cluster = server._cluster
            explained = cluster._explained

            def counted(doing: str) -> Any:
                if calls[0] == number:
                    raise EndedError
                calls[0] += 1
                return explained(doing)

            cluster._explained = counted  # type: ignore[method-assign]
            try:
                server.apply(submission)
            except EndedError:
                return True
            return False

        return apply

    def test_a_version_that_fails_says_what_it_said(
        self, server: Server, one: Variant, broken: Variant
    ) -> None:
        failed = self.serve(server, broken)
        assert failed.state is EndpointState.FAILED
        assert failed.reason.endswith("The bundle's network can't be loaded.")
        assert self.serve(server, one).state is EndpointState.READY
