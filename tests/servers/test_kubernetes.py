"""The Kubernetes server passes the contract against an emulated cluster whose pods really answer."""

import hashlib
import http.client
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
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

import kubernetes_validate

from isocenter.domain.rollout import Endpoint, EndpointState, InstanceSize, Rollout, Scaling, Variant
from isocenter.domain.run import new_run_id
from isocenter.domain.submission import Submission
from isocenter.emulators.kubernetes.emulator import KubernetesEmulator
from isocenter.errors import InputError, TransientFaultError
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.kubernetes import KubernetesServer
from isocenter.targets.descriptor import DeploymentDescriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import no_faults, post
from server_contract import NAME, Interrupted, Predict, ServerContract, settle, wait_until_gone, weights

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

    def test_a_version_that_takes_too_long_fails(
        self, target: DeploymentDescriptor, home: Home, one: Variant, predict: Predict
    ) -> None:
        first = self.serve(server_for(target, home), one)
        hasty = server_for(target, home, ready_s=1)
        failed = self.serve(hasty, variant(target, 2, start_s=600))
        assert failed.state is EndpointState.FAILED
        assert "cxr:2 doesn't get ready" in failed.reason
        assert "timed out progressing" in failed.reason
        assert predict(first) == 1

    def test_other_versions_interrupted_at_any_call(
        self, server: Server, one: Variant, two: Variant, predict: Predict, interrupted: Interrupted
    ) -> None:
        """As the contract's, where each rollout makes and ends Deployments; one apply after the other."""
        first = self.serve(server, one)
        for number in range(60):
            wanted = (two, one)[number % 2]
            submission = server.plan(self.rollout(wanted))
            was_ended = interrupted(submission, number)
            assert predict(first) in (1, 2), "callers noticed"
            while not was_ended and server.apply(submission).state is EndpointState.UPDATING:
                was_ended = interrupted(submission, number)
            found = settle(server, submission)
            assert (found.state, weights(found)) == (EndpointState.READY, {wanted.reference: 100})
            if not was_ended:
                break
        assert number > 5
        assert not was_ended

    def test_a_rollback_under_load_loses_no_request(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        ended, answered, failed = threading.Event(), set[int](), list[Exception]()

        def work() -> None:
            while not ended.is_set():
                try:
                    answered.add(predict(endpoint))
                except Exception as error:
                    failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for variants in ((two,), (one,), self.canary(one, two, 50)):
            self.serve(server, *variants)
        ended.set()
        for thread in threads:
            thread.join()
        assert (answered, failed) == ({1, 2}, [])

    def test_an_older_rollout_does_not_replace_a_later_one(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        older = server.plan(self.rollout(one))
        time.sleep(0.002)
        self.serve(server, two)
        with pytest.raises(InputError, match="was replaced by"):
            server.apply(older)

    def test_what_came_is_passed_on_untouched(self, server: Server, one: Variant) -> None:
        status, answer = ask(self.serve(server, one), Authorization="Bearer a.b.c")
        assert (status, answer["authorization"], answer["bytes"]) == (200, "Bearer a.b.c", 100)

    def test_errors_are_counted(self, server: Server, running: DeploymentDescriptor) -> None:
        endpoint = self.serve(server, variant(running, 1, status=500))
        assert [ask(endpoint)[0] for _ in range(3)] == [500] * 3
        seen = self.observed(server, lambda found: found["cxr:1"].requests == 3)
        assert seen["cxr:1"].errors == 3

    def test_refused_callers_are_not_counted(self, server: Server, running: DeploymentDescriptor) -> None:
        versions = (variant(running, 1), variant(running, 2, status=422))
        endpoint = self.serve(server, *self.canary(*versions, 50))
        answered = Counter(ask(endpoint)[0] for _ in range(8))
        assert set(answered) == {200, 422}
        seen = self.observed(server, lambda found: found["cxr:1"].requests == answered[200])
        assert (seen["cxr:2"].requests, seen["cxr:2"].errors, seen["cxr:2"].p99_s) == (0, 0, None)

    def test_counts_begin_with_the_split(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        for _ in range(4):
            predict(endpoint)
        self.serve(server, *self.canary(one, two, 50))
        assert {each.requests for each in server.observe(NAME).values()} == {0}

    def test_a_container_that_ends_is_started_again(
        self, server: Server, one: Variant, predict: Predict
    ) -> None:
        endpoint = self.serve(server, one)
        first = ask(endpoint)[1]["process"]
        os.kill(first, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline
            try:
                assert ask(endpoint)[1]["process"] != first
                break
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)

    def test_a_version_that_serves_alone_is_scaled(
        self, server: KubernetesServer, one: Variant, two: Variant
    ) -> None:
        kind = "HorizontalPodAutoscaler"
        for most in (3, 4):
            scaled = replace(self.rollout(one), scaling=Scaling(1, most))
            settle(server, server.plan(scaled))
            assert [each["spec"]["maxReplicas"] for each in server._cluster.list(kind)] == [most]
        with pytest.raises(InputError, match="can't be scaled"):
            server.plan(replace(self.rollout(*self.canary(one, two, 50)), scaling=Scaling(1, 4)))
        self.serve(server, *self.canary(one, two, 50))
        assert server._cluster.list(kind) == []

    def test_nothing_is_left(self, server: KubernetesServer, one: Variant, two: Variant) -> None:
        self.serve(server, *self.canary(one, two, 50))
        self.serve(server, two)
        assert len(server._cluster.list("Deployment")) == 1
        server.delete(NAME)
        wait_until_gone(server, NAME)
        for kind in ("Deployment", "Service", "PodDisruptionBudget"):
            assert server._cluster.list(kind) == []

    def test_a_busy_cluster_is_a_passing_fault(
        self, server: Server, one: Variant, running: DeploymentDescriptor
    ) -> None:
        submission = server.plan(self.rollout(one))
        for status in (429, 503):
            post(running.endpoints["onprem"], "/emulator/faults", status=status, path="/services")
            with pytest.raises(TransientFaultError):
                server.apply(submission)
        assert settle(server, submission).state is EndpointState.READY

    def test_a_pod_that_is_not_admitted_says_why(
        self, target: DeploymentDescriptor, home: Home, one: Variant
    ) -> None:
        server = server_for(target, home, priority_classes={"serving": "none-such"})
        failed = self.serve(server, one)
        assert failed.state is EndpointState.FAILED
        assert "no PriorityClass with name none-such" in failed.reason

    def test_somebody_elses_service_stays(self, server: KubernetesServer, one: Variant) -> None:
        spec = {"selector": {"app": "theirs"}, "ports": [{"port": 80}]}
        metadata = {"name": NAME, "labels": {"isocenter-endpoint": NAME}}
        server._cluster.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
        with pytest.raises(InputError, match="made by somebody else"):
            server.apply(server.plan(self.rollout(one)))


OLD = Variant("chest-xray:1", "sha256:" + "1" * 64, "s3://hospital-models/artifacts/1")


def rollout(*variants: Variant, **fields: Any) -> Rollout:
    return Rollout(new_run_id(), NAME, "hospital-a", variants, **fields)


def shared(percent: int) -> tuple[Variant, Variant]:
    new = replace(OLD, reference="chest-xray:2", digest="sha256:" + "2" * 64, weight=percent)
    return replace(OLD, weight=100 - percent), new


@pytest.mark.parametrize(
    "asked",
    [
        rollout(OLD),
        rollout(*shared(30)),
        rollout(OLD, size=InstanceSize(cpus=2, memory_gib=8, gpu="l4")),
        rollout(OLD, scaling=Scaling(2, 5)),
        rollout(OLD, labels={"owner": "a|b " + "long " * 30}),
    ],
)
def test_each_object_is_one_of_kubernetes(asked: Rollout) -> None:
    """By its own schemas of the oldest and of a new release."""
    request = server_for(descriptor()).plan(asked).request
    manifests = [*request["deployments"], *request["scalers"], request["service"], request["budget"]]
    for version in ("1.31", "1.34"):
        for manifest in manifests:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_pods_are_restricted_and_known_to_network_policies() -> None:
    (deployment,) = server_for(descriptor()).plan(rollout(OLD)).request["deployments"]
    template = deployment["spec"]["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == "serving"
    pod = template["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("serving", False)
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["requests"] == container["resources"]["limits"]
    paths = {kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("readiness", "liveness")}
    assert paths == {"readiness": "/readyz", "liveness": "/healthz"}
    assert {each["name"] for each in container["env"] if "secretKeyRef" in str(each)} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }


@pytest.mark.parametrize(
    ("percent", "most", "pods"),
    [
        (50, 10, (1, 1)),
        (10, 10, (9, 1)),
        (20, 10, (4, 1)),
        (30, 10, (7, 3)),
        (33, 10, (2, 1)),
        (5, 20, (19, 1)),
        (90, 10, (1, 9)),
    ],
)
def test_as_few_pods_as_give_the_shares(percent: int, most: int, pods: tuple[int, int]) -> None:
    request = server_for(descriptor(), most_pods=most).plan(rollout(*shared(percent))).request
    assert tuple(each["spec"]["replicas"] for each in request["deployments"]) == pods


@pytest.mark.parametrize(
    ("asked", "place", "message"),
    [
        (rollout(*shared(1)), descriptor(), "can't be split near"),
        (rollout(*shared(5), scaling=Scaling(3, 3)), descriptor(), "can't be split near"),
        (rollout(replace(OLD, uri="/store/bundle")), descriptor(), "not in an object store"),
        (rollout(OLD, image="registry.hospital.example/isocenter/serving:1"), descriptor(), "by its digest"),
        (rollout(OLD, image="elsewhere/serving@sha256:" + "0" * 64), descriptor(), "the site's registry"),
        (rollout(OLD), descriptor(settings={"images": {"serving": IMAGE}}), "whose tokens"),
    ],
)
def test_what_can_not_be_is_refused_by_plan(
    asked: Rollout, place: DeploymentDescriptor, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        server_for(place).plan(asked)
