"""The Azure ML server passes the contract against an emulator whose endpoints really answer."""

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

from isocenter.backends.azureml_client import open_credential
from isocenter.domain.rollout import Endpoint, EndpointState, InstanceSize, Rollout, Scaling, Variant
from isocenter.domain.run import new_run_id
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, TransientFaultError
from isocenter.home import Home
from isocenter.servers import Server, load_server
from isocenter.servers.azureml import AzureMLServer
from isocenter.servers.azureml_autoscaling import API, bounds_of, setting_path
from isocenter.servers.azureml_client import AzureMLClient
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from azure_needs import needs_azure
from emulated import emulator, no_faults, post
from killing import killed_at
from server_contract import GOLDEN_RUN, NAME, Interrupted, Predict, ServerContract, settle, weights

STAND_IN = (sys.executable, str(Path(__file__).with_name("serving_stand_in.py")))
IMAGE = "hospital.azurecr.io/isocenter/serving@sha256:" + "ab" * 32
GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/prod"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/serving"
BUCKET = "abfss://models@prod.dfs.core.windows.net"


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A deployment as `make deploy` leaves it behind."""
    values: dict[str, Any] = {
        "name": "azure-prod",
        "provider": "azure",
        "backend": "azureml",
        "region": "westeurope",
        "residency": "eu",
        "workspace": "prod",
        "buckets": {"models": BUCKET},
        "network": {"id": "vnet", "subnets": ["workloads"]},
        "gpu": [
            {
                "size": "a100-80",
                "per_node": 1,
                "max_nodes": 4,
                "machine": "Standard_NC24ads_A100_v4",
            }
        ],
        "labels": {"owner": "imaging", "environment": "prod", "data-classification": "phi"},
        "settings": {
            "subscription": "11111111-2222-3333-4444-555555555555",
            "resource_group": "prod",
            "datastores": {"models": "isocenter_models"},
            "identity_ids": {"serving": IDENTITY},
            "images": {"serving": IMAGE},
        },
    }
    return DeploymentDescriptor.model_validate(values | fields)


def server_for(place: DeploymentDescriptor, **settings: Any) -> AzureMLServer:
    described = {**place.settings, "descriptor": place.model_dump(mode="json"), **settings}
    return AzureMLServer(Home(Path("/store")), described)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The emulated target; the stand-in is the serving image's entry point."""
    needs_azure()
    store = tmp_path_factory.mktemp("azure") / "store"
    with emulator("azure", store, ("/bin/false",), serving_program=STAND_IN) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["azure"])


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


def token_for(target: DeploymentDescriptor) -> str:
    credential, _ = open_credential(target)
    return str(credential.get_token("https://ml.azure.com/.default").token)


@pytest.fixture
def score(target: DeploymentDescriptor) -> Callable[..., tuple[int, Any]]:
    """Status and JSON of a prediction, as a caller with a token gets it."""
    token = token_for(target)

    def ask(endpoint: Endpoint, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
        given = {"Content-Type": "application/dicom", "Authorization": f"Bearer {token}"} | headers
        try:
            connection.request("POST", urlsplit(endpoint.url).path, b"x", given)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    return ask


class TestAzureMLServer(ServerContract):
    target = "azure-emulated"
    bundles = f"{BUCKET}/artifacts"

    @pytest.fixture
    def server(self, target: DeploymentDescriptor, home: Home) -> Iterator[Server]:
        settings = {**target.settings, "descriptor": target.model_dump(mode="json")}
        server = load_server("azureml", home, settings)
        yield server
        no_faults(target.endpoints["azure"])
        end(server)

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
    def predict(self, score: Callable[..., tuple[int, Any]]) -> Predict:
        return lambda endpoint: int(score(endpoint)[1]["version"])

    @pytest.fixture
    def interrupted(self, server: Server) -> Interrupted:
        def apply(submission: Submission, number: int) -> bool:
            return killed_at(number, lambda: server.apply(submission))

        return apply

    def test_weights_are_shifted_and_numbers_changed_without_a_new_deployment(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        self.serve(server, *self.canary(one, two, 10))
        begun = [line for line in server.logs(NAME) if "serving" in line]
        found = self.serve(server, *self.canary(one, two, 40))
        assert weights(found) == {"cxr:1": 60, "cxr:2": 40}
        assert [line for line in server.logs(NAME) if "serving" in line] == begun
        more = replace(self.rollout(*self.canary(one, two, 40)), scaling=Scaling(2, 2))
        assert [each.instances for each in settle(server, server.plan(more)).variants] == [2, 2]
        assert len([line for line in server.logs(NAME) if "serving" in line]) == 4

    def test_bounds_are_azure_monitors_and_go_with_their_deployment(
        self, server: Server, target: DeploymentDescriptor, one: Variant, two: Variant
    ) -> None:
        def bounds(reference: str) -> tuple[int, int] | None:
            request = server.plan(self.rollout(*self.canary(one, two, 50))).request
            name = next(each["name"] for each in request["variants"] if each["name"].startswith(reference))
            path = setting_path(
                f"{request['workspace']}/onlineEndpoints/{request['name']}/deployments/{name}"
            )
            return bounds_of(AzureMLClient(target, 10).get(path, API))

        wanted = replace(self.rollout(one), scaling=Scaling(2, 4))
        assert [each.instances for each in settle(server, server.plan(wanted)).variants] == [2]
        assert bounds("cxr-1") == (2, 4)
        self.serve(server, one)
        assert bounds("cxr-1") is None
        for variant in (one, two):
            settle(server, server.plan(replace(self.rollout(variant), scaling=Scaling(1, 3))))
        assert (bounds("cxr-1"), bounds("cxr-2")) == (None, (1, 3))
        end(server)
        assert bounds("cxr-2") is None

    def test_a_shadow_gets_half_of_the_requests_as_copies(
        self, server: Server, one: Variant, bundle: Callable[..., Variant], predict: Predict
    ) -> None:
        failing = replace(bundle(2, status=500), weight=0, shadow=True)
        endpoint = self.serve(server, one, failing)
        assert [(each.reference, each.shadow) for each in endpoint.variants if each.shadow] == [
            ("cxr:2", True)
        ]
        assert {predict(endpoint) for _ in range(10)} == {1}
        seen = self.observed(server, lambda found: found["cxr:2"].requests == 5)
        assert (seen["cxr:2"].errors, seen["cxr:1"].errors) == (5, 0)

    def test_callers_need_a_token(
        self, server: Server, one: Variant, score: Callable[..., tuple[int, Any]]
    ) -> None:
        endpoint = self.serve(server, one)
        assert score(endpoint, Authorization="Bearer a.b.c")[0] == 401
        status, answer = score(endpoint)
        assert (status, answer["access"], answer["authorization"]) == (200, "fronted:azureml", None)

    def test_a_version_that_fails_says_what_it_said(
        self, server: Server, one: Variant, broken: Variant
    ) -> None:
        failed = self.serve(server, broken)
        assert failed.state is EndpointState.FAILED
        assert failed.reason.endswith("The bundle's network can't be loaded.")
        assert server.describe(NAME) == failed
        assert any("can't be loaded" in line for line in server.logs(NAME, "cxr:3"))
        assert self.serve(server, broken).state is EndpointState.FAILED, "it is tried again"
        assert self.serve(server, one).state is EndpointState.READY

    def test_an_older_rollout_does_not_replace_a_later_one(
        self, server: Server, one: Variant, two: Variant
    ) -> None:
        older = server.plan(self.rollout(one))
        time.sleep(0.002)
        self.serve(server, two)
        with pytest.raises(InputError, match="was replaced by"):
            server.apply(older)

    def test_a_rollback_under_load_loses_no_request(
        self, server: Server, one: Variant, two: Variant, score: Callable[..., tuple[int, Any]]
    ) -> None:
        endpoint = self.serve(server, *self.canary(one, two, 50))
        ended, statuses = threading.Event(), Counter[int]()

        def ask_on() -> None:
            while not ended.is_set():
                statuses[score(endpoint)[0]] += 1

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

    def test_errors_and_abstentions_are_counted(
        self, server: Server, bundle: Callable[..., Variant], score: Callable[..., tuple[int, Any]]
    ) -> None:
        unsure, failing = bundle(1, reasons=["far-from-training"]), bundle(2, status=500)
        endpoint = self.serve(server, *self.canary(unsure, failing, 50))
        assert Counter(score(endpoint)[0] for _ in range(6)) == {200: 3, 500: 3}
        seen = self.observed(server, lambda found: found["cxr:1"].abstained == 3)
        assert (seen["cxr:1"].requests, seen["cxr:1"].errors) == (3, 0)
        assert (seen["cxr:2"].requests, seen["cxr:2"].errors, seen["cxr:2"].abstained) == (3, 3, 0)

    def test_refused_callers_are_not_counted(
        self, server: Server, bundle: Callable[..., Variant], score: Callable[..., tuple[int, Any]]
    ) -> None:
        endpoint = self.serve(server, *self.canary(bundle(1), bundle(2, status=422), 50))
        assert Counter(score(endpoint)[0] for _ in range(6)) == {200: 3, 422: 3}
        seen = self.observed(server, lambda found: found["cxr:1"].requests == 3)
        assert (seen["cxr:2"].requests, seen["cxr:2"].errors) == (0, 0)

    def test_a_service_that_is_busy_or_gone(
        self, server: Server, target: DeploymentDescriptor, one: Variant
    ) -> None:
        submission = server.plan(self.rollout(one))
        settle(server, submission)
        post(target.endpoints["azure"], "/emulator/faults", status=429, retry_after="7", times=1)
        with pytest.raises(TransientFaultError) as caught:
            server.apply(submission)
        assert caught.value.retry_after_s == 7
        post(target.endpoints["azure"], "/emulator/faults", drop="before", times=3)
        found = server.describe(NAME)
        assert found is not None
        assert (found.state, "can't be reached" in found.reason) == (EndpointState.UNKNOWN, True)

    def test_a_rollout_killed_at_any_call_from_its_begin_to_its_end(
        self, server: Server, one: Variant, two: Variant, predict: Predict
    ) -> None:
        """One version in the other's place: registered, deployed, shifted to, and the old one taken away."""
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

    def test_a_first_deployment_killed_at_any_call(
        self, server: Server, one: Variant, predict: Predict
    ) -> None:
        for number in range(200):
            submission = server.plan(self.rollout(one))
            was_ended = killed_at(
                number, lambda submission=submission: settle(server, submission), changes_only=True
            )
            assert predict(settle(server, submission)) == 1
            end(server)
            if not was_ended:
                break
        assert number >= 6
        assert not was_ended


def end(server: Server) -> None:
    server.delete(NAME)
    deadline = time.monotonic() + 60
    while server.describe(NAME) is not None:
        assert time.monotonic() < deadline, "it stays"
        time.sleep(0.05)


def test_an_emulator_that_was_killed_or_ended_finds_its_endpoints_again(tmp_path: Path, home: Home) -> None:
    needs_azure()
    store = tmp_path / "emulated"
    rollout: Rollout | None = None
    for how in ("killed", "ended", "looked at"):
        with emulator("azure", store, ("/bin/false",), serving_program=STAND_IN) as printed:
            place = load_descriptor(Path(printed["descriptor"]))
            server = load_server(
                "azureml", home, {**place.settings, "descriptor": place.model_dump(mode="json")}
            )
            if rollout is None:
                uri = f"{place.buckets['models']}/artifacts/1"
                target_files(place, uri).pipe_file(f"{uri}/behaviour.json", b"{}")
                variant = Variant("cxr:1", "sha256:" + "1" * 64, uri)
                rollout = Rollout(new_run_id(), NAME, place.name, (variant,), size=InstanceSize(cpus=1))
            found = settle(server, server.plan(rollout))
            assert found.state is EndpointState.READY
            deadline = time.monotonic() + 30
            while answer_of(place, found) != 200:
                assert time.monotonic() < deadline, "nobody answers"
                time.sleep(0.05)
            if how == "killed":
                os.kill(printed["pid"], signal.SIGKILL)


def answer_of(place: DeploymentDescriptor, endpoint: Endpoint) -> int:
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {token_for(place)}"}
        connection.request("POST", urlsplit(endpoint.url).path, b"x", headers)
        return connection.getresponse().status
    finally:
        connection.close()


# What a rollout or its target asks for -> where the request says it.
DIGEST = "sha256:" + "1" * 64
VARIANT = Variant("chest-xray:1", DIGEST, f"{BUCKET}/artifacts/1")
ROLLOUT = Rollout(GOLDEN_RUN, NAME, "azure-prod", (VARIANT,))
SHADOW = replace(VARIANT, reference="chest-xray:2", weight=0, shadow=True)
PROPERTIES = "variants.0.deployment.properties"
HONOURED: Mapping[str, tuple[Rollout, str, Any]] = {
    "the target's image": (ROLLOUT, "environment.properties.image", IMAGE),
    "tokens of the directory": (ROLLOUT, "endpoint.properties.authMode", "AADToken"),
    "no way in from outside": (ROLLOUT, "endpoint.properties.publicNetworkAccess", "Disabled"),
    "no way out": (ROLLOUT, f"{PROPERTIES}.egressPublicNetworkAccess", "Disabled"),
    "identity": (
        ROLLOUT,
        "endpoint.identity",
        {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
    ),
    "bundle": (
        ROLLOUT,
        "variants.0.model.properties.modelUri",
        f"azureml:/{GROUP}/workspaces/prod/datastores/isocenter_models/paths/artifacts/1",
    ),
    "no copies of requests": (ROLLOUT, f"{PROPERTIES}.dataCollector", None),
    "who lets callers in": (
        ROLLOUT,
        f"{PROPERTIES}.environmentVariables.ISOCENTER_SERVING_ACCESS",
        "fronted:azureml",
    ),
    "smallest machine": (ROLLOUT, f"{PROPERTIES}.instanceType", "Standard_DS2_v2"),
    "more memory": (
        replace(ROLLOUT, size=InstanceSize(2, 12)),
        f"{PROPERTIES}.instanceType",
        "Standard_E2s_v3",
    ),
    "gpu": (
        replace(ROLLOUT, size=InstanceSize(gpu="a100-80")),
        f"{PROPERTIES}.instanceType",
        "Standard_NC24ads_A100_v4",
    ),
    "bounds": (
        replace(ROLLOUT, scaling=Scaling(2, 5)),
        "variants.0.autoscaling.properties.profiles.0.capacity",
        {"minimum": "2", "maximum": "5", "default": "2"},
    ),
    "no bounds": (ROLLOUT, "variants.0.autoscaling", None),
    "number": (replace(ROLLOUT, scaling=Scaling(3, 3)), "variants.0.deployment.sku.capacity", 3),
    "shadow": (replace(ROLLOUT, variants=(VARIANT, SHADOW)), "variants.1.weight", 0),
    "requests at once": (
        replace(ROLLOUT, size=InstanceSize(4)),
        f"{PROPERTIES}.requestSettings.maxConcurrentRequestsPerInstance",
        64,
    ),
}


@pytest.mark.parametrize("what", HONOURED)
def test_what_a_rollout_asks_for_is_in_the_request(what: str) -> None:
    rollout, path, expected = HONOURED[what]
    value: Any = server_for(descriptor()).plan(rollout).request
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    assert value == expected


def test_a_shadow_is_half_of_the_traffic_mirrored() -> None:
    request = server_for(descriptor()).plan(replace(ROLLOUT, variants=(VARIANT, SHADOW))).request
    stable, shadow = (each["name"] for each in request["variants"])
    assert (request["traffic"], request["mirrorTraffic"]) == ({stable: 100}, {shadow: 50})


def test_load_is_measured_as_the_deployment_says() -> None:
    settings = {
        **descriptor().settings,
        "autoscale": {"metric": "CpuMemoryUtilizationPercentage", "out_above": 55},
    }
    scaled = replace(ROLLOUT, scaling=Scaling(1, 2))
    (variant,) = server_for(descriptor(settings=settings)).plan(scaled).request["variants"]
    more, less = variant["autoscaling"]["properties"]["profiles"][0]["rules"]
    assert (more["metricTrigger"]["metricName"], more["metricTrigger"]["threshold"]) == (
        "CpuMemoryUtilizationPercentage",
        55,
    )
    assert (less["metricTrigger"]["operator"], less["metricTrigger"]["threshold"]) == ("LessThan", 30)


def test_names_fit_and_belong_to_their_target() -> None:
    long = replace(
        ROLLOUT,
        endpoint="e" * 32,
        variants=(replace(VARIANT, reference=f"{'model-' * 10}:1234"),),
    )
    names = {server_for(descriptor(name=name)).plan(long).request["name"] for name in ("a", "b")}
    assert len(names) == 2
    request = server_for(descriptor()).plan(long).request
    assert max(len(request["name"]), len(request["variants"][0]["name"])) <= 32


REFUSED: Mapping[str, tuple[Rollout, str]] = {
    "tag": (replace(ROLLOUT, image="registry/serving:1.0"), "digest"),
    "too large": (replace(ROLLOUT, size=InstanceSize(cpus=200)), "Standard_E32s_v3"),
    "gpu that is not on offer": (replace(ROLLOUT, size=InstanceSize(gpu="h100")), "a100-80 x 1"),
    "two shadows": (
        replace(ROLLOUT, variants=(VARIANT, SHADOW, replace(SHADOW, reference="c:3"))),
        "mirrors to one",
    ),
    "elsewhere": (replace(ROLLOUT, variants=(replace(VARIANT, uri="s3://b/1"),)), "not Azure's storage"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_served_is_refused_by_plan(what: str) -> None:
    rollout, said = REFUSED[what]
    with pytest.raises(InputError) as caught:
        server_for(descriptor()).plan(rollout)
    assert said in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("lacks", "said"),
    [
        ("images", "no serving image"),
        ("subscription", "where its workspace is"),
        ("identity_ids", "identity"),
    ],
)
def test_what_the_deployment_lacks(lacks: str, said: str) -> None:
    settings = {name: value for name, value in descriptor().settings.items() if name != lacks}
    with pytest.raises(InputError, match=said):
        server_for(descriptor(settings=settings)).plan(ROLLOUT)
