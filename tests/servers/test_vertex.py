"""The Vertex AI server passes the contract against an emulator whose endpoints really answer."""

import http.client
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from isocenter.domain.rollout import Endpoint, EndpointState, InstanceSize, Rollout, Scaling, Variant
from isocenter.domain.run import new_run_id
from isocenter.domain.submission import Submission
from isocenter.errors import EnvironmentFaultError, InputError, TransientFaultError
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.vertex import VertexServer
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator, no_faults, post
from killing import killed_at
from server_contract import GOLDEN_RUN, NAME, Interrupted, Predict, ServerContract, settle, weights

STAND_IN = (sys.executable, str(Path(__file__).with_name("serving_stand_in.py")))
IMAGE = "europe-west4-docker.pkg.dev/hospital/isocenter/serving@sha256:" + "ab" * 32
KEY = "projects/hospital/locations/europe-west4/keyRings/prod/cryptoKeys/data"
LACKS = "LACKS: Google's libraries; pip install 'isocenter[gcp-emulator]'"


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A deployment as `make deploy` leaves it behind."""
    values: dict[str, Any] = {
        "name": "gcp-prod",
        "provider": "gcp",
        "backend": "vertex",
        "region": "europe-west4",
        "residency": "eu",
        "buckets": {"data": "gs://prod-data", "models": "gs://prod-models"},
        "keys": {"data": KEY},
        "identities": {"serving": "prod-serving@hospital.iam.gserviceaccount.com"},
        "network": {"id": "projects/hospital/global/networks/prod", "subnets": ["a"]},
        "gpu": [{"size": "l4", "per_node": 1, "max_nodes": 4, "machine": "g2-standard-8", "spot": True}],
        "labels": {"owner": "imaging", "environment": "prod", "data-classification": "phi"},
        "settings": {"project": "hospital", "project_number": "123456789012", "images": {"serving": IMAGE}},
    }
    return DeploymentDescriptor.model_validate(values | fields)


def server_for(place: DeploymentDescriptor, **settings: Any) -> VertexServer:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return VertexServer(Home(Path("/store")), described)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The emulated target; the stand-in is the serving image's entry point."""
    pytest.importorskip("gcp_storage_emulator", reason=LACKS)
    store = tmp_path_factory.mktemp("gcp") / "store"
    with emulator("gcp", store, ("/bin/false",), serving_program=STAND_IN) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["gcp"])


@pytest.fixture
def bundle(target: DeploymentDescriptor) -> Callable[..., Variant]:
    """Makes ``cxr:<number>``, whose bundle lies in the target's bucket."""

    def make(number: int, **behaviour: Any) -> Variant:
        digest = "sha256:" + f"{number:x}" * 64
        uri = f"{target.buckets['models']}/artifacts/{new_run_id()}"
        content = json.dumps(behaviour).encode()
        target_files(target, uri).pipe_file(f"{uri}/behaviour.json", content)
        return Variant(f"cxr:{number}", digest, uri)

    return make


def ask(target: DeploymentDescriptor, endpoint: Endpoint, **body: Any) -> Any:
    """A prediction by Google's own client."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import PredictionServiceClient

    client = PredictionServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": target.endpoints["gcp"]},
    )
    name = endpoint.url.partition("/v1/")[2].removesuffix(":predict")
    return client.predict(endpoint=name, instances=body.get("instances", [{"dicom": "eA=="}]))


def wait_for(condition: Callable[[], bool], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.05)


class TestVertexServer(ServerContract):
    target = "gcp-emulated"
    bundles = "gs://prod-models/artifacts"

    @pytest.fixture
    def server(self, target: DeploymentDescriptor, home: Home) -> Iterator[Server]:
        settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
        server = load_server("vertex", home, settings)
        yield server
        no_faults(target.endpoints["gcp"])
        server.delete(NAME)

    @pytest.fixture
    def golden_server(self) -> Server:
        return server_for(descriptor())

    @pytest.fixture
    def one(self, bundle: Callable[..., Variant]) -> Variant:
        return bundle(1, score=0.3)

    @pytest.fixture
    def two(self, bundle: Callable[..., Variant]) -> Variant:
        return bundle(2, score=0.5)

    @pytest.fixture
    def broken(self, bundle: Callable[..., Variant]) -> Variant:
        return bundle(3, fails="The bundle's network can't be loaded.")

    @pytest.fixture
    def predict(self, target: DeploymentDescriptor) -> Predict:
        return lambda endpoint: int(ask(target, endpoint).predictions[0]["version"])

    @pytest.fixture
    def interrupted(self, server: Server) -> Interrupted:
        def apply(submission: Submission, number: int) -> bool:
            return killed_at(number, lambda: server.apply(submission))

        return apply

    def test_weights_are_shifted_and_numbers_changed_without_a_new_deployment(
        self, server: Server, target: DeploymentDescriptor, one: Variant, two: Variant
    ) -> None:
        self.serve(server, *self.canary(one, two, 10))
        before = seen_from_outside(target)
        shifted = replace(self.rollout(*self.canary(one, two, 40)), scaling=Scaling(2, 3))
        found = settle(server, server.plan(shifted))
        assert weights(found) == {"cxr:1": 60, "cxr:2": 40}
        after = seen_from_outside(target)
        assert [each.id for each in after.deployed_models] == [each.id for each in before.deployed_models]
        made = [each.create_time for each in before.deployed_models]
        assert [each.create_time for each in after.deployed_models] == made
        bounds = [each.dedicated_resources for each in after.deployed_models]
        assert [(each.min_replica_count, each.max_replica_count) for each in bounds] == [(2, 3)] * 2
        wait_for(lambda: [v.instances for v in server.describe(NAME).variants] == [2, 2])
        self.serve(server, *self.canary(one, two, 40))
        wait_for(lambda: [v.instances for v in server.describe(NAME).variants] == [1, 1])

    def test_another_size_is_another_deployment(
        self, server: Server, target: DeploymentDescriptor, one: Variant, predict: Predict
    ) -> None:
        self.serve(server, one)
        before = seen_from_outside(target).deployed_models[0]
        larger = replace(self.rollout(one), size=InstanceSize(cpus=4, memory_gib=8))
        found = settle(server, server.plan(larger))
        (after,) = seen_from_outside(target).deployed_models
        assert after.id != before.id
        assert after.dedicated_resources.machine_spec.machine_type == "n2-standard-4"
        assert predict(found) == 1

    def test_a_version_that_fails_says_what_it_said(
        self, server: Server, one: Variant, broken: Variant
    ) -> None:
        failed = self.serve(server, broken)
        assert failed.state is EndpointState.FAILED
        assert "Model server never became ready" in failed.reason
        assert failed.reason.endswith("The bundle's network can't be loaded.")
        assert server.describe(NAME) == failed
        assert any("can't be loaded" in line for line in server.logs(NAME, "cxr:3"))
        assert self.serve(server, one).state is EndpointState.READY

    def test_an_older_rollout_does_not_replace_a_later_one(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        older = server.plan(self.rollout(one))
        time.sleep(0.002)
        self.serve(server, two)
        with pytest.raises(InputError, match="was replaced by"):
            server.apply(older)

    def test_a_rollback_under_load_loses_no_request(self, server: Server, one: Variant, two: Variant) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        ended, statuses = threading.Event(), Counter[int]()

        def ask_on() -> None:
            while not ended.is_set():
                statuses[post_to(endpoint)[0]] += 1

        threads = [threading.Thread(target=ask_on) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for variants in ((two,), (one,)):
                time.sleep(0.3)
                self.serve(server, *variants)
            time.sleep(0.3)
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        assert set(statuses) == {200}
        assert statuses[200] > 20

    def test_a_version_that_is_taken_away_ends_after_its_last_request(
        self, server: Server, two: Variant, bundle: Callable[..., Variant]
    ) -> None:
        endpoint = self.serve(server, bundle(1, delay_s=2))
        answers: list[tuple[int, Any]] = []
        threads = [threading.Thread(target=lambda: answers.append(post_to(endpoint))) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        self.serve(server, two)
        for thread in threads:
            thread.join()
        assert [(status, found["predictions"][0]["version"]) for status, found in answers] == [(200, 1)] * 3

    def test_errors_and_abstentions_are_counted(self, server: Server, bundle: Callable[..., Variant]) -> None:
        unsure, failing = bundle(1, reasons=["far-from-training"]), bundle(2, status=500)
        endpoint = self.serve(server, *self.canary(unsure, failing, 50))
        statuses = Counter(post_to(endpoint)[0] for _ in range(6))
        assert statuses == {200: 3, 500: 3}
        seen = self.observed(server, lambda found: found["cxr:1"].abstained == 3)
        assert (seen["cxr:1"].requests, seen["cxr:1"].errors) == (3, 0)
        assert (seen["cxr:2"].requests, seen["cxr:2"].errors, seen["cxr:2"].abstained) == (3, 3, 0)

    def test_refused_callers_are_not_counted(self, server: Server, bundle: Callable[..., Variant]) -> None:
        endpoint = self.serve(server, *self.canary(bundle(1), bundle(2, status=422), 50))
        assert Counter(post_to(endpoint)[0] for _ in range(6)) == {200: 3, 422: 3}
        seen = self.observed(server, lambda found: found["cxr:1"].requests == 3)
        assert (seen["cxr:2"].requests, seen["cxr:2"].errors) == (0, 0)

    def test_figures_begin_with_the_present_split(self, server: Server, one: Variant, two: Variant) -> None:
        endpoint = self.serve(server, one)
        assert post_to(endpoint)[0] == 200
        time.sleep(1.1)  # Google's labels have no room for fractions of a second
        self.serve(server, *self.canary(one, two, 50))
        assert sum(each.requests for each in server.observe(NAME).values()) == 0

    def test_a_service_that_is_busy_or_gone(
        self, server: Server, target: DeploymentDescriptor, one: Variant
    ) -> None:
        submission = server.plan(self.rollout(one))
        settle(server, submission)
        post(target.endpoints["gcp"], "/emulator/faults", status=503, retry_after="7", times=1)
        with pytest.raises(TransientFaultError) as caught:
            server.apply(submission)
        assert caught.value.retry_after_s == 7
        post(target.endpoints["gcp"], "/emulator/faults", drop="before", times=3)
        found = server.describe(NAME)
        assert found is not None
        assert (found.state, "can't be reached" in found.reason) == (EndpointState.UNKNOWN, True)

    def test_two_that_apply_at_once_make_nothing_twice(
        self, server: Server, target: DeploymentDescriptor, one: Variant, two: Variant
    ) -> None:
        submission = server.plan(self.rollout(*self.canary(one, two, 50)))
        found: list[Endpoint] = []
        threads = [
            threading.Thread(target=lambda: found.append(settle(server, submission))) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [each.state for each in found] == [EndpointState.READY] * 3
        assert len(seen_from_outside(target).deployed_models) == 2

    def test_a_rollout_killed_at_any_call_from_its_begin_to_its_end(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        """One version in the other's place: uploaded, deployed, shifted to, and the old one taken away."""
        endpoint = self.serve(server, one)
        for number in range(200):
            variant = (two, one)[number % 2]
            submission = server.plan(self.rollout(variant))
            was_ended = killed_at(
                number, lambda submission=submission: settle(server, submission), changes_only=True
            )
            assert predict(endpoint) in (1, 2), "callers noticed"
            found = settle(server, submission)
            assert (found.state, weights(found)) == (EndpointState.READY, {variant.reference: 100})
            assert [each.reference for each in found.variants] == [variant.reference]
            if not was_ended:
                break
        assert number >= 8, "claim, deploy, shift, take away: each before and after"
        assert not was_ended

    def test_a_delete_killed_at_any_call(self, server: Server, one: Variant, predict: Predict) -> None:
        for number in range(200):
            assert predict(self.serve(server, one)) == 1
            was_ended = killed_at(number, lambda: server.delete(NAME), changes_only=True)
            server.delete(NAME)
            assert server.describe(NAME) is None
            assert list(server.logs(NAME)) == [], "a model was left"
            if not was_ended:
                break
        assert number > 3
        assert not was_ended

    def test_a_first_deployment_killed_at_any_call(
        self, server: Server, one: Variant, predict: Predict
    ) -> None:
        for number in range(200):
            submission = server.plan(self.rollout(one))
            was_ended = killed_at(
                number, lambda submission=submission: settle(server, submission), changes_only=True
            )
            assert predict(settle(server, submission)) == 1
            server.delete(NAME)
            if not was_ended:
                break
        assert number > 3
        assert not was_ended


def seen_from_outside(target: DeploymentDescriptor) -> Any:
    """The endpoint as Google's library shows it."""
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.aiplatform_v1 import EndpointServiceClient

    client = EndpointServiceClient(
        credentials=AnonymousCredentials(),
        transport="rest",
        client_options={"api_endpoint": target.endpoints["gcp"]},
    )
    place = f"projects/{target.settings['project']}/locations/{target.region}"
    return client.get_endpoint(name=f"{place}/endpoints/{NAME}-{target.name}")


def post_to(endpoint: Endpoint) -> tuple[int, Any]:
    """Status and JSON of a prediction, on a connection of its own."""
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    try:
        body = json.dumps({"instances": [{"dicom": "eA=="}]})
        connection.request("POST", urlsplit(endpoint.url).path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_an_emulator_that_was_killed_or_ended_finds_its_endpoints_again(tmp_path: Path, home: Home) -> None:
    pytest.importorskip("gcp_storage_emulator", reason=LACKS)
    store = tmp_path / "emulated"
    rollout: Rollout | None = None
    for how in ("killed", "ended", "looked at"):
        with emulator("gcp", store, ("/bin/false",), serving_program=STAND_IN) as printed:
            place = load_descriptor(Path(printed["descriptor"]))
            server = load_server("vertex", home, {"descriptor": place.model_dump(mode="json")})
            if rollout is None:
                uri = f"{place.buckets['models']}/artifacts/1"
                target_files(place, uri).pipe_file(f"{uri}/behaviour.json", b"{}")
                variant = Variant("cxr:1", "sha256:" + "1" * 64, uri)
                rollout = Rollout(new_run_id(), NAME, place.name, (variant,), size=InstanceSize(cpus=1))
            found = settle(server, server.plan(rollout))
            assert found.state is EndpointState.READY
            wait_for(lambda found=found: post_to(found)[0] == 200)
            if how == "killed":
                os.kill(printed["pid"], signal.SIGKILL)


# What a rollout or its target asks for -> where the request says it.
DIGEST = "sha256:" + "1" * 64
VARIANT = Variant("chest-xray:1", DIGEST, "gs://prod-models/artifacts/1")
ROLLOUT = Rollout(GOLDEN_RUN, NAME, "gcp-prod", (VARIANT,))
OTHER = IMAGE.replace("ab", "cd")
DEPLOYED, MODEL = "variants.0.deployedModel", "variants.0.model"
HONOURED: Mapping[str, tuple[Rollout, str, Any]] = {
    "image by digest": (replace(ROLLOUT, image=OTHER), f"{MODEL}.containerSpec.imageUri", OTHER),
    "the target's image": (ROLLOUT, f"{MODEL}.containerSpec.imageUri", IMAGE),
    "bundle": (ROLLOUT, f"{MODEL}.artifactUri", "gs://prod-models/artifacts/1"),
    "the model's key": (ROLLOUT, f"{MODEL}.encryptionSpec.kmsKeyName", KEY),
    "the endpoint's key": (ROLLOUT, "endpoint.encryptionSpec.kmsKeyName", KEY),
    "private network": (
        ROLLOUT,
        "endpoint.privateServiceConnectConfig",
        {"enablePrivateServiceConnect": True, "projectAllowlist": ["hospital"]},
    ),
    "no copies of requests": (ROLLOUT, "endpoint.predictRequestResponseLoggingConfig", {"enabled": False}),
    "identity": (ROLLOUT, f"{DEPLOYED}.serviceAccount", "prod-serving@hospital.iam.gserviceaccount.com"),
    "smallest machine": (
        ROLLOUT,
        f"{DEPLOYED}.dedicatedResources.machineSpec",
        {"machineType": "n2-standard-2"},
    ),
    "more memory": (
        replace(ROLLOUT, size=InstanceSize(2, 12)),
        f"{DEPLOYED}.dedicatedResources.machineSpec",
        {"machineType": "n2-highmem-2"},
    ),
    "gpu": (
        replace(ROLLOUT, size=InstanceSize(gpu="l4")),
        f"{DEPLOYED}.dedicatedResources.machineSpec",
        {"machineType": "g2-standard-8", "acceleratorType": "NVIDIA_L4", "acceleratorCount": 1},
    ),
    "least number": (
        replace(ROLLOUT, scaling=Scaling(2, 5)),
        f"{DEPLOYED}.dedicatedResources.minReplicaCount",
        2,
    ),
    "most": (replace(ROLLOUT, scaling=Scaling(2, 5)), f"{DEPLOYED}.dedicatedResources.maxReplicaCount", 5),
    "labels": (
        replace(ROLLOUT, labels={"model": "Chest X-ray"}),
        "endpoint.labels",
        {
            "data-classification": "phi",
            "environment": "prod",
            "owner": "imaging",
            "isocenter-endpoint": "chest-gcp-prod",
            "model": "chest-x-ray",
        },
    ),
}


@pytest.mark.parametrize("what", HONOURED)
def test_what_a_rollout_asks_for_is_in_the_request(what: str) -> None:
    rollout, path, expected = HONOURED[what]
    value: Any = server_for(descriptor()).plan(rollout).request
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    assert value == expected


def test_the_container_is_told_who_lets_callers_in_and_what_to_serve() -> None:
    request = server_for(descriptor()).plan(ROLLOUT).request
    told = {each["name"]: each["value"] for each in request["variants"][0]["model"]["containerSpec"]["env"]}
    assert told["ISOCENTER_SERVING_ACCESS"] == "fronted:vertex"
    assert told["ISOCENTER_SERVING_DIGEST"] == DIGEST
    assert (told["ISOCENTER_SERVING_NAME"], told["ISOCENTER_SERVING_NUMBER"]) == ("chest-xray", "1")


def test_without_a_network_the_endpoint_has_a_host_name_of_its_own() -> None:
    endpoint = server_for(descriptor(network={})).plan(ROLLOUT).request["endpoint"]
    assert endpoint["dedicatedEndpointEnabled"] is True
    assert "privateServiceConnectConfig" not in endpoint


def test_targets_that_share_a_project_do_not_share_endpoints() -> None:
    ids = {
        server_for(descriptor(name=name)).plan(ROLLOUT).request["endpointId"] for name in ("a", "b", "b" * 63)
    }
    assert len(ids) == 3
    assert max(map(len, ids)) <= 63


REFUSED: Mapping[str, tuple[Rollout, str]] = {
    "tag": (replace(ROLLOUT, image="registry/serving:1.0"), "digest"),
    "too large": (replace(ROLLOUT, size=InstanceSize(cpus=200)), "n2-standard-32"),
    "gpu that is not on offer": (replace(ROLLOUT, size=InstanceSize(gpu="h100")), "l4 x 1"),
    "long name": (replace(ROLLOUT, variants=(replace(VARIANT, reference="x" * 100 + ":1"),)), "too long"),
    "shadow": (
        replace(ROLLOUT, variants=(VARIANT, replace(VARIANT, reference="c:2", weight=0, shadow=True))),
        "--canary 1",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_served_is_refused_by_plan(what: str) -> None:
    rollout, said = REFUSED[what]
    with pytest.raises(InputError) as caught:
        server_for(descriptor()).plan(rollout)
    assert said in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(("lacks", "said"), [("images", "no serving image"), ("project", "no project")])
def test_what_the_deployment_lacks(lacks: str, said: str) -> None:
    settings = {name: value for name, value in descriptor().settings.items() if name != lacks}
    with pytest.raises(InputError, match=said):
        server_for(descriptor(settings=settings)).plan(ROLLOUT)


def test_without_credentials_the_user_is_told_how_to_sign_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pytest.importorskip("google.cloud.aiplatform_v1", reason=LACKS)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none"))
    server = server_for(descriptor())
    with pytest.raises(EnvironmentFaultError) as caught:
        server.apply(server.plan(ROLLOUT))
    assert "gcloud auth" in caught.value.hint
