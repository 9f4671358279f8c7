"""The Kubernetes backend passes the contract, as plain Jobs and as TrainJobs, against an emulated cluster."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isocenter.backends import Backend, Capability, load_backend
from isocenter.backends.kubernetes import KubernetesBackend
from isocenter.backends.patient import PatientBackend
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import EnvironmentFaultError, InputError, PolicyError, TransientFaultError
from isocenter.home import Home
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files

pytest.importorskip(
    "kubernetes_validate",
    reason="LACKS: the emulated cluster's parts; pip install 'isocenter[kubernetes-emulator]'",
)
pytest.importorskip(
    "kubeflow_trainer_api", reason="LACKS: Trainer's models; pip install 'isocenter[kubernetes-emulator]'"
)

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from contract import GOLDEN_RUN, BackendContract, Place, Program, wait
from emulated import emulator, no_faults, post

CONTAINER = [sys.executable, str(Path(__file__).parent / "kubernetes_container.py")]
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"registry.hospital.example/isocenter/training@{DIGEST}"
Make = Callable[..., KubernetesBackend]


def descriptor(**fields: Any) -> DeploymentDescriptor:
    """A hospital's deployment as `make deploy` leaves it behind (isocenter_infra.onprem.describe)."""
    placement = {
        "resource": "nvidia.com/gpu",
        "node_affinity": [
            {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-A100-SXM4-40GB"]}
        ],
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }
    values: dict[str, Any] = {
        "name": "hospital-a",
        "provider": "onprem",
        "backend": "kubernetes",
        "residency": "hospital",
        "buckets": {"data": "s3://hospital-data", "models": "s3://hospital-models"},
        "registry": "registry.hospital.example/isocenter",
        "identities": {"training": "system:serviceaccount:imaging:training"},
        "workspace": "imaging",
        "gpu": [{"size": "a100-40", "per_node": 2, "max_nodes": 2, "machine": ""}],
        "endpoints": {"object-store": "https://objects.hospital.example"},
        "labels": {
            "owner": "imaging@hospital.example",
            "environment": "prod",
            "data-classification": "phi",
        },
        "settings": {
            "context": "hospital-imaging",
            "namespace": "imaging",
            "component_label": "app.kubernetes.io/component",
            "images": {"training": IMAGE},
            "volumes": {"datasets": "datasets"},
            "secrets": {"object-store": "isocenter-object-store", "database": "isocenter-database"},
            "priority_classes": {
                "training": "isocenter-hospital-a-training",
                "training-spot": "isocenter-hospital-a-training-spot",
            },
            "runtime_class": "isocenter-hospital-a-gpu",
            "gpu": {"a100-40": placement},
        },
    }
    return DeploymentDescriptor.model_validate(values | fields)


def backend_for(place: DeploymentDescriptor, **settings: Any) -> KubernetesBackend:
    return KubernetesBackend(
        Home(Path("/srv/isocenter")),
        {**place.settings, "descriptor": place.model_dump(mode="json"), **settings},
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """The emulated cluster; the image's entry point runs the source that is its argument."""
    with emulator("kubernetes", tmp_path_factory.mktemp("kubernetes") / "store", CONTAINER) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["onprem"])
    post(running.endpoints["onprem"], "/emulator/settings", trainer=True)


@pytest.fixture
def make(target: DeploymentDescriptor, home: Home) -> Make:
    """Makes a backend of the emulated cluster with some settings."""

    def backend(**settings: Any) -> KubernetesBackend:
        known = {**target.settings, "descriptor": target.model_dump(mode="json")}
        made = load_backend("kubernetes", home, {**known, "trainer": False, **settings})
        assert isinstance(made, KubernetesBackend)
        return made

    return backend


@pytest.fixture
def backend(make: Make) -> KubernetesBackend:
    return make()


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


def program(source: str, **more: Any) -> TrainingJob:
    return TrainingJob("program", (source,), **more)


class Contract(BackendContract):
    trainer = False

    @pytest.fixture
    def backend(self, make: Make) -> Backend:
        return make(trainer=self.trainer)

    @pytest.fixture
    def golden_backend(self) -> Backend:
        return backend_for(descriptor())

    @pytest.fixture
    def program(self) -> Program:
        return program

    def sent(self, backend: Backend, submission: Submission, handle: JobHandle) -> dict[str, Any]:
        """The objects as the API server has them, each field of ours by itself: a server adds its own."""
        assert isinstance(backend, KubernetesBackend)
        form = "with_trainer" if self.trainer else "without_trainer"
        found: dict[str, Any] = {}
        for part, planned in submission.request[form].items():
            stored = backend._cluster.get(planned["kind"], planned["metadata"]["name"])
            assert stored is not None
            for kind in ("labels", "annotations"):
                if kind in stored["metadata"]:
                    found[f"{form}/{part}/metadata/{kind}"] = stored["metadata"][kind]
            found |= {
                f"{form}/{part}/{path}": value
                for path, value in leaves(stored).items()
                if path in leaves(planned)
            }
            assert leaves(planned).keys() <= leaves(stored).keys()
        return found

    @pytest.fixture
    def job(self) -> TrainingJob:
        return TrainingJob(
            name="train",
            command=("train",),
            inputs={"dataset": "s3://hospital-data/datasets/" + "cd" * 32},
            parameters={"plan": {"name": "small", "seed": 7, "rate": 0.002}, "threads": None},
            environment={"OMP_NUM_THREADS": "2"},
            labels={"model": "chest-xray"},
            compute=Compute(gpu="a100-40", gpu_count=1, nodes=2, spot=True, max_runtime_s=3600),
        )

    @pytest.fixture
    def place(self, target: DeploymentDescriptor) -> Place:
        def bring(folder: Path) -> str:
            uri = f"{target.buckets['data']}/datasets/{new_run_id()}"
            files = target_files(target, uri)
            for path in folder.rglob("*"):
                if path.is_file():
                    files.put_file(str(path), f"{uri}/{path.relative_to(folder).as_posix()}")
            return uri

        return bring

    @pytest.fixture(autouse=True)
    def _target(self, target: DeploymentDescriptor) -> None:
        self.target = target

    def files_of(self, artifact: Artifact) -> dict[str, bytes]:
        files = target_files(self.target, artifact.uri)
        root = artifact.uri.removeprefix("s3://")
        return {found.removeprefix(f"{root}/"): files.cat_file(found) for found in sorted(files.find(root))}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Path -> each value that holds no other."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {}
    for key, item in inner:
        if "/" not in str(key):  # labels and annotations are compared whole
            found |= leaves(item, f"{path}/{key}".lstrip("/"))
    return found if inner else {path: value}


class TestPlainJobs(Contract):
    pass


class TestTrainJobs(Contract):
    trainer = True


# --- what is in the request ---

FULL = TrainingJob(
    name="train",
    command=("train",),
    inputs={"dataset": "s3://hospital-data/datasets/abc", "model": "s3://hospital-models/artifacts/def"},
    parameters={"price": "$(HOME) or $$5"},
    environment={"OMP_NUM_THREADS": "2"},
    labels={"model": "chest-xray", "data-classification": "phi"},
    compute=Compute(gpu="a100-40", gpu_count=1, nodes=2, spot=True, max_runtime_s=3600),
)


def form(request: Mapping[str, Any], trainer: bool) -> dict[str, Any]:
    return dict(request["with_trainer" if trainer else "without_trainer"])


def job_spec(request: Mapping[str, Any], trainer: bool) -> dict[str, Any]:
    """The specification of the Job that makes the pods."""
    found = form(request, trainer)
    if not trainer:
        return dict(found["job"]["spec"])
    (node,) = found["support"]["spec"]["template"]["spec"]["replicatedJobs"]
    assert node["template"]["metadata"]["labels"] == {
        "trainer.kubeflow.org/trainjob-ancestor-step": "trainer"
    }
    return dict(node["template"]["spec"])


def pod_of(request: Mapping[str, Any], trainer: bool) -> dict[str, Any]:
    return dict(job_spec(request, trainer)["template"]["spec"])


def container_of(request: Mapping[str, Any], trainer: bool) -> dict[str, Any]:
    (container,) = pod_of(request, trainer)["containers"]
    return dict(container)


def variables_of(request: Mapping[str, Any], trainer: bool) -> dict[str, Any]:
    return {
        each["name"]: each.get("value", each.get("valueFrom"))
        for each in container_of(request, trainer)["env"]
    }


@pytest.fixture(params=[False, True], ids=["job", "trainjob"])
def trainer(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class TestHonoured:
    @pytest.fixture
    def request_(self) -> Mapping[str, Any]:
        return backend_for(descriptor()).plan(FULL, GOLDEN_RUN).request

    def test_image_by_digest_and_arguments(self, request_: Mapping[str, Any], trainer: bool) -> None:
        container = container_of(request_, trainer)
        assert (container["image"], container["args"]) == (IMAGE, ["train"])
        assert "command" not in container, "the image's own entry point"
        if trainer:
            said = form(request_, trainer)["job"]["spec"]["trainer"]
            assert said == {"image": IMAGE, "args": ["train"], "numNodes": 2}

    def test_own_image_of_the_job(self, trainer: bool) -> None:
        other = IMAGE.replace("ab", "cd")
        request = backend_for(descriptor()).plan(replace(FULL, image=other), GOLDEN_RUN).request
        assert container_of(request, trainer)["image"] == other

    def test_parameters_survive_kubernetes_own_references(
        self, request_: Mapping[str, Any], trainer: bool
    ) -> None:
        written = variables_of(request_, trainer)["ISOCENTER_PARAMETERS"]
        assert json.loads(written) == {"price": "$$(HOME) or $$$$5"}

    def test_places(self, request_: Mapping[str, Any], trainer: bool) -> None:
        variables = variables_of(request_, trainer)
        for kind in ("model", "output", "checkpoints"):
            name = f"ISOCENTER_{kind.upper().removesuffix('S')}_DIR"
            assert variables[name] == f"s3://hospital-models/runs/{GOLDEN_RUN}/{kind}"
        assert variables["ISOCENTER_INPUT_DATASET"] == "s3://hospital-data/datasets/abc"
        assert variables["ISOCENTER_INPUT_MODEL"] == "s3://hospital-models/artifacts/def"
        assert variables["AWS_ENDPOINT_URL"] == "https://objects.hospital.example"
        assert variables["OMP_NUM_THREADS"] == "2"
        assert variables["ISOCENTER_RUN_ID"] == GOLDEN_RUN

    def test_credentials_by_reference_only(self, request_: Mapping[str, Any], trainer: bool) -> None:
        variables = variables_of(request_, trainer)
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            assert variables[key] == {"secretKeyRef": {"name": "isocenter-object-store", "key": key}}

    def test_gpus_nodes_and_priority(self, request_: Mapping[str, Any], trainer: bool) -> None:
        spec, pod = job_spec(request_, trainer), pod_of(request_, trainer)
        amounts = container_of(request_, trainer)["resources"]
        assert amounts["requests"] == amounts["limits"]
        assert amounts["limits"]["nvidia.com/gpu"] == "1"
        required = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        (expression,) = required["nodeSelectorTerms"][0]["matchExpressions"]
        assert expression["values"] == ["NVIDIA-A100-SXM4-40GB"]
        assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        assert pod["runtimeClassName"] == "isocenter-hospital-a-gpu"
        assert pod["priorityClassName"] == "isocenter-hospital-a-training-spot"
        if not trainer:
            assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (2, 2, "Indexed")
        else:
            assert form(request_, trainer)["support"]["spec"]["mlPolicy"] == {"numNodes": 2}

    def test_pods_find_the_first(self, request_: Mapping[str, Any], trainer: bool) -> None:
        variables = variables_of(request_, trainer)
        name = f"isocenter-{GOLDEN_RUN.lower()}-1"
        first = f"{name}-node-0-0.{name}" if trainer else f"{name}-0.{name}"
        assert variables["MASTER_ADDR"] == first
        assert variables["WORLD_SIZE"] == "2"
        index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
        assert variables["RANK"] == {"fieldRef": {"fieldPath": index}}
        if not trainer:
            service = form(request_, trainer)["support"]
            assert service["spec"]["clusterIP"] == "None"
            assert service["metadata"]["name"] == pod_of(request_, trainer)["subdomain"] == name

    def test_spot_is_started_again_by_kubernetes_and_limits_end_it(
        self, request_: Mapping[str, Any], trainer: bool
    ) -> None:
        spec = job_spec(request_, trainer)
        (rule,) = spec["podFailurePolicy"]["rules"]
        assert rule["action"] == "Ignore"
        assert rule["onPodConditions"][0]["type"] == "DisruptionTarget"
        assert spec["activeDeadlineSeconds"] == 3600
        assert spec["backoffLimit"] == 0

    def test_a_day_is_the_limit_where_none_is_asked_for(self, trainer: bool) -> None:
        wanted = replace(FULL, compute=Compute())
        request = backend_for(descriptor()).plan(wanted, GOLDEN_RUN).request
        assert job_spec(request, trainer)["activeDeadlineSeconds"] == 86_400

    def test_identity_and_network(self, request_: Mapping[str, Any], trainer: bool) -> None:
        """The network policies of the stack choose pods by this label."""
        pod = pod_of(request_, trainer)
        assert pod["serviceAccountName"] == "training"
        assert pod["automountServiceAccountToken"] is False
        labels = job_spec(request_, trainer)["template"]["metadata"]["labels"]
        assert labels["app.kubernetes.io/component"] == "training"
        assert "hostNetwork" not in pod

    def test_labels(self, request_: Mapping[str, Any], trainer: bool) -> None:
        found = form(request_, trainer)
        for metadata in (found["job"]["metadata"], job_spec(request_, trainer)["template"]["metadata"]):
            assert metadata["labels"]["isocenter-run"] == GOLDEN_RUN.lower()
            assert metadata["labels"]["model"] == "chest-xray"
            assert metadata["labels"]["data-classification"] == "phi"
            assert metadata["labels"]["owner"] == "imaging-hospital.example"
            assert metadata["annotations"]["isocenter/owner"] == "imaging@hospital.example"

    def test_restricted_pods(self, request_: Mapping[str, Any], trainer: bool) -> None:
        pod, container = pod_of(request_, trainer), container_of(request_, trainer)
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }

    def test_several_gpus_on_a_node_go_through_torchrun(self, trainer: bool) -> None:
        wanted = replace(FULL, compute=Compute(gpu="a100-40", gpu_count=2, nodes=2))
        request = backend_for(descriptor()).plan(wanted, GOLDEN_RUN).request
        container, variables = container_of(request, trainer), variables_of(request, trainer)
        assert container["command"] == ["torchrun"]
        assert container["args"] == ["-m", "isocenter_training", "train"]
        assert (variables["PET_NNODES"], variables["PET_NPROC_PER_NODE"]) == ("2", "2")
        assert "RANK" not in variables
        if trainer:
            policy = form(request, trainer)["support"]["spec"]["mlPolicy"]
            assert policy == {"numNodes": 2, "torch": {"numProcPerNode": 2}}

    def test_inputs_on_a_volume_are_mounted_read_only(self, trainer: bool) -> None:
        wanted = replace(FULL, inputs={"dataset": "/volumes/datasets/abc"})
        request = backend_for(descriptor()).plan(wanted, GOLDEN_RUN).request
        claim = {"claimName": "datasets", "readOnly": True}
        assert {"name": "datasets", "persistentVolumeClaim": claim} in pod_of(request, trainer)["volumes"]
        mount = {"name": "datasets", "mountPath": "/volumes/datasets", "readOnly": True}
        assert mount in container_of(request, trainer)["volumeMounts"]


@pytest.mark.parametrize(
    ("provider", "spot", "selector", "taint"),
    [
        ("aws", "SPOT", {"isocenter/gpu": "l4", "eks.amazonaws.com/capacityType": "SPOT"}, None),
        (
            "gcp",
            "true",
            {"isocenter-gpu": "l4", "cloud.google.com/gke-spot": "true"},
            "cloud.google.com/gke-spot",
        ),
        (
            "azure",
            "spot",
            {"isocenter/gpu": "l4", "kubernetes.azure.com/scalesetpriority": "spot"},
            "kubernetes.azure.com/scalesetpriority",
        ),
    ],
)
def test_nodes_of_the_clouds_own_clusters(
    provider: str, spot: str, selector: dict[str, str], taint: str | None
) -> None:
    offer = [{"size": "l4", "per_node": 1, "max_nodes": 2, "machine": "m", "spot": True}]
    place = descriptor(provider=provider, gpu=offer, settings={"images": {"training": IMAGE}}, region="r")
    job = replace(FULL, compute=Compute(gpu="l4", gpu_count=1, spot=True))
    pod = pod_of(backend_for(place).plan(job, GOLDEN_RUN).request, trainer=False)
    assert pod["nodeSelector"] == selector
    keys = [toleration["key"] for toleration in pod["tolerations"]]
    assert "nvidia.com/gpu" in keys
    assert taint is None or taint in keys


@pytest.mark.parametrize(
    "job",
    [
        FULL,
        replace(FULL, compute=Compute()),
        replace(FULL, compute=Compute(gpu="a100-40", gpu_count=2)),
        replace(FULL, inputs={"dataset": "/volumes/datasets/abc"}),
    ],
)
def test_what_is_planned_is_what_kubernetes_and_the_sites_admission_take(job: TrainingJob) -> None:
    """Held against the very policy that the on-premises stack gives the cluster (its rules are CEL)."""
    from isocenter.emulators.kubernetes.schemas import check

    request = backend_for(descriptor()).plan(job, GOLDEN_RUN).request
    for objects in (request["without_trainer"], request["with_trainer"]):
        for manifest in objects.values():
            check(json.loads(json.dumps(manifest)))
    celpy = pytest.importorskip("celpy", reason="LACKS: cel-python")
    pytest.importorskip("cdktn_provider_kubernetes", reason="LACKS: the on-premises bindings")
    from isocenter_infra.onprem.admission import _rules

    environment = celpy.Environment()
    pod = {**job_spec(request, False)["template"]}
    for expression, message in _rules("registry.hospital.example/isocenter").items():
        rule = environment.program(environment.compile(expression))
        assert rule.evaluate({"object": celpy.json_to_cel(pod)}), message


@pytest.mark.parametrize(
    ("job", "settings", "said"),
    [
        (FULL, {"images": {}}, "which image"),
        (replace(FULL, image="registry.hospital.example/isocenter/training:1"), {}, "digest"),
        (replace(FULL, image=f"docker.io/x/y@{DIGEST}"), {}, "registry"),
        (replace(FULL, compute=Compute(gpu="h100", gpu_count=1)), {}, "h100"),
        (replace(FULL, compute=Compute(gpu="a100-40", gpu_count=4)), {}, "4 a100-40"),
        (replace(FULL, compute=Compute(gpu="a100-40", gpu_count=1, nodes=3)), {}, "3 nodes"),
        (replace(FULL, inputs={"dataset": "/data/set"}), {}, "volume"),
        (replace(FULL, inputs={"dataset": "/volumes/elsewhere/x"}), {}, "volume"),
        (replace(FULL, inputs={"dataset": "/volumes/datasets/../x"}), {}, "volume"),
        (replace(FULL, parameters={"x": "y" * 200_000}), {}, "characters"),
    ],
)
def test_what_it_can_not_run_is_refused_by_plan(
    job: TrainingJob, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        backend_for(descriptor(), **settings).plan(job, GOLDEN_RUN)


def test_an_unknown_gpu_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        backend_for(descriptor()).plan(replace(FULL, compute=Compute("a100-80", 1)), GOLDEN_RUN)
    assert "a100-40" in caught.value.hint


def test_spot_where_a_cloud_has_no_such_nodes() -> None:
    offer = [{"size": "l4", "per_node": 1, "max_nodes": 2, "machine": "m"}]
    place = descriptor(provider="aws", gpu=offer)
    with pytest.raises(InputError, match="interruptible"):
        backend_for(place).plan(replace(FULL, compute=Compute("l4", 1, spot=True)), GOLDEN_RUN)


def test_a_target_without_descriptor_is_refused(home: Home) -> None:
    with pytest.raises(InputError):
        load_backend("kubernetes", home)


def test_is_offered_as_an_entry_point_and_can_do_all() -> None:
    assert KubernetesBackend.capabilities == frozenset(Capability)


# --- submit ---


def jobs_of(target: DeploymentDescriptor, run: RunId, kind: str = "jobs") -> list[dict[str, Any]]:
    """What the cluster holds, asked by the client's own classes."""
    from kubernetes import client

    configuration = client.Configuration(host=target.endpoints["onprem"])
    with client.ApiClient(configuration) as api:
        if kind == "jobs":
            selector = f"isocenter-run={run.lower()}"
            found = client.BatchV1Api(api).list_namespaced_job("isocenter", label_selector=selector)
            return [api.sanitize_for_serialization(job) for job in found.items]
        listed = client.CustomObjectsApi(api).list_namespaced_custom_object(
            "trainer.kubeflow.org", "v1alpha1", "isocenter", kind
        )
        return [thing for thing in listed["items"] if run.lower() in thing["metadata"]["name"]]


def test_the_cluster_decides_on_the_kind(make: Make, target: DeploymentDescriptor, home: Home) -> None:
    settings: dict[str, Any] = {**target.settings, "descriptor": target.model_dump(mode="json")}
    with_trainer = KubernetesBackend(home, settings)
    handle = with_trainer.submit(with_trainer.plan(program("print(1)"), new_run_id()))
    assert handle.external_id.startswith("trainjob/")
    assert wait(with_trainer, handle).state is JobState.SUCCEEDED
    assert [thing["kind"] for thing in jobs_of(target, handle.run, "trainjobs")] == ["TrainJob"]
    post(target.endpoints["onprem"], "/emulator/settings", trainer=False)
    without = KubernetesBackend(home, settings)
    handle = without.submit(without.plan(program("print(1)"), new_run_id()))
    assert handle.external_id.startswith("job/")
    assert wait(without, handle).state is JobState.SUCCEEDED


def test_trainer_is_asked_for_and_not_there(make: Make, target: DeploymentDescriptor) -> None:
    post(target.endpoints["onprem"], "/emulator/settings", trainer=False)
    backend = make(trainer=True)
    with pytest.raises(EnvironmentFaultError, match="no Kubeflow Trainer"):
        backend.submit(backend.plan(program("print(1)"), new_run_id()))


@pytest.mark.parametrize("trained", [False, True], ids=["job", "trainjob"])
def test_answer_lost_after_the_service_took_the_job(
    make: Make, target: DeploymentDescriptor, trained: bool
) -> None:
    backend = make(trainer=trained)
    kind = "trainjobs" if trained else "jobs"
    submission = backend.plan(program("print(1)"), new_run_id())
    post(target.endpoints["onprem"], "/emulator/faults", method="POST", path=f"/{kind}$", drop="after")
    with pytest.raises(TransientFaultError):
        backend.submit(submission)
    handle = backend.submit(submission)
    assert handle.external_id.endswith("-1")
    assert len(jobs_of(target, handle.run, kind)) == 1
    assert wait(backend, handle).state is JobState.SUCCEEDED


def test_two_submit_at_the_same_time(make: Make, target: DeploymentDescriptor) -> None:
    backends = [make(), make(), make(), make()]
    submission = backends[0].plan(program("print(1)"), new_run_id())
    handles: list[JobHandle] = []
    threads = [
        threading.Thread(target=lambda each=each: handles.append(each.submit(submission)))  # type: ignore[misc]
        for each in backends
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(handles) == 4
    assert len(set(handles)) == 1
    assert len(jobs_of(target, handles[0].run)) == 1
    wait(backends[0], handles[0])


# --- faults ---


def test_throttling_says_how_long_to_wait(backend: KubernetesBackend, target: DeploymentDescriptor) -> None:
    submission = backend.plan(program("print(1)"), new_run_id())
    post(target.endpoints["onprem"], "/emulator/faults", status=429, retry_after="2")
    with pytest.raises(TransientFaultError) as caught:
        backend.submit(submission)
    assert caught.value.retry_after_s == 2


@pytest.mark.parametrize("fault", [{"status": 503}, {"status": 429}, {"drop": "before"}, {"drop": "after"}])
def test_patience_brings_a_job_through(
    backend: KubernetesBackend, target: DeploymentDescriptor, fault: dict[str, Any]
) -> None:
    patient = PatientBackend(backend, deadline_s=60)
    post(target.endpoints["onprem"], "/emulator/faults", times=4, **fault)
    handle = patient.submit(patient.plan(program("print(1)"), new_run_id()))
    assert wait(backend, handle).state is JobState.SUCCEEDED
    assert len(jobs_of(target, handle.run)) == 1


def test_an_answer_that_does_not_come(
    backend: KubernetesBackend, target: DeploymentDescriptor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isocenter.backends import kubernetes_api

    submission = backend.plan(program("print(1)"), new_run_id())
    post(target.endpoints["onprem"], "/emulator/faults", delay_s=2, method="POST", path="/jobs$")
    with monkeypatch.context() as impatient, pytest.raises(TransientFaultError):
        impatient.setattr(kubernetes_api, "_READ_S", 0.3)
        backend.submit(submission)
    time.sleep(2.2)
    handle = backend.submit(submission)
    assert handle.external_id.endswith("-1")
    assert len(jobs_of(target, handle.run)) == 1
    monkeypatch.undo()
    wait(backend, handle)


def test_what_is_forbidden_names_what_to_ask_for(
    backend: KubernetesBackend, target: DeploymentDescriptor
) -> None:
    post(target.endpoints["onprem"], "/emulator/faults", status=403, method="POST", path="/jobs$")
    with pytest.raises(PolicyError, match='cannot create resource "jobs"') as caught:
        backend.submit(backend.plan(program("print(1)"), new_run_id()))
    assert "isocenter-pipeline" in caught.value.hint


def test_no_such_namespace(make: Make) -> None:
    backend = make(namespace="elsewhere")
    with pytest.raises(InputError, match='namespaces "elsewhere" not found'):
        backend.submit(backend.plan(program("print(1)"), new_run_id()))


class TestCredentials:
    """As a user has them: in a kubeconfig."""

    @pytest.fixture
    def with_token(
        self, target: DeploymentDescriptor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[str], KubernetesBackend]:
        def backend(token: str) -> KubernetesBackend:
            config = {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": target.endpoints["onprem"]}}],
                "users": [{"name": "u", "user": {"token": token}}],
                "contexts": [{"name": "hospital", "context": {"cluster": "c", "user": "u"}}],
            }
            (tmp_path / "config").write_text(json.dumps(config))
            monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulated")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulated")
            store = {"object-store": target.endpoints["object-store"]}
            place = target.model_copy(update={"emulated": False, "endpoints": store})
            return backend_for(place, context="hospital", trainer=False)

        return backend

    def test_right_ones(self, with_token: Callable[[str], KubernetesBackend]) -> None:
        """As in a hospital: what was left lies in its own object store."""
        backend = with_token("emulated")
        source = "import os; open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write('x')"
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        assert wait(backend, handle).state is JobState.SUCCEEDED
        assert [(left.name, left.size) for left in backend.outputs(handle)] == [("model", 1)]

    def test_wrong_ones(self, with_token: Callable[[str], KubernetesBackend]) -> None:
        backend = with_token("expired")
        with pytest.raises(EnvironmentFaultError, match="credentials") as caught:
            backend.submit(backend.plan(program("print(1)"), new_run_id()))
        assert not isinstance(caught.value, TransientFaultError)
        handle = JobHandle("kubernetes", GOLDEN_RUN, f"job/isocenter-{GOLDEN_RUN.lower()}-1")
        assert backend.status(handle).state is JobState.UNKNOWN

    def test_no_such_context(self, with_token: Callable[[str], KubernetesBackend]) -> None:
        with_token("emulated")
        backend = backend_for(descriptor(), context="no-such")
        with pytest.raises(EnvironmentFaultError, match="no-such"):
            backend.submit(backend.plan(FULL, new_run_id()))


def test_nobody_answers() -> None:
    backend = backend_for(descriptor(emulated=True, endpoints={"onprem": "http://127.0.0.1:9"}))
    submission = backend.plan(replace(FULL, compute=Compute()), GOLDEN_RUN)
    with pytest.raises(TransientFaultError):
        backend.submit(submission)


# --- a job's way ---

SAVES = (
    "import os, pathlib, signal, sys, time\n"
    "mark = pathlib.Path(os.environ['ISOCENTER_CHECKPOINT_DIR']) / 'epoch'\n"
    "def stop(*_):\n"
    "    mark.write_text('7'); print('saved', flush=True); sys.exit(143)\n"
    "signal.signal(signal.SIGTERM, stop)\n"
    "if mark.exists():\n"
    "    print('continues at', mark.read_text(), flush=True); sys.exit(0)\n"
    "print('begins', flush=True); time.sleep(60)\n"
)


@pytest.mark.parametrize("trained", [False, True], ids=["job", "trainjob"])
def test_a_spot_interruption_goes_on_from_the_checkpoint(
    make: Make, target: DeploymentDescriptor, trained: bool
) -> None:
    """Kubernetes itself starts the next pod of the same attempt; its log follows the first one's."""
    backend = make(trainer=trained)
    job = program(SAVES, compute=Compute(gpu="l4", gpu_count=1, spot=True))
    handle = backend.submit(backend.plan(job, new_run_id()))
    lines = backend.logs(handle, follow=True)
    assert next(lines) == "begins"
    post(target.endpoints["onprem"], "/emulator/interrupt", run=handle.run)
    assert list(lines) == ["saved", "continues at 7"]
    assert backend.status(handle).state is JobState.SUCCEEDED


@pytest.mark.parametrize("trained", [False, True], ids=["job", "trainjob"])
def test_time_limit(make: Make, trained: bool) -> None:
    backend = make(trainer=trained)
    job = program("import time; time.sleep(60)", compute=Compute(max_runtime_s=1))
    status = wait(backend, backend.submit(backend.plan(job, new_run_id())))
    assert (status.state, status.reason) == (JobState.FAILED, "Stopped at its time limit.")


@pytest.mark.parametrize("trained", [False, True], ids=["job", "trainjob"])
def test_two_nodes_meet(make: Make, trained: bool, marks: Path) -> None:
    """As torch does: the first listens at the master's port, the other finds it by MASTER_ADDR."""
    source = (
        "import os, pathlib, socket, time\n"
        "rank, size = int(os.environ['RANK']), os.environ['WORLD_SIZE']\n"
        "place = (os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT']))\n"
        "if rank == 0:\n"
        "    with socket.create_server(place) as server:\n"
        "        print('of', size, 'met', server.accept()[0].recv(10).decode())\n"
        "else:\n"
        "    for _ in range(200):\n"
        "        try: socket.create_connection(place).send(b'node 1'); break\n"
        "        except OSError: time.sleep(0.05)\n"
    )
    backend = make(trainer=trained)
    handle = backend.submit(backend.plan(program(source, compute=Compute(nodes=2)), new_run_id()))
    assert wait(backend, handle).state is JobState.SUCCEEDED
    assert list(backend.logs(handle)) == ["of 2 met node 1"]


@pytest.mark.slow
def test_torchrun_on_two_nodes_with_two_processes_each(make: Make) -> None:
    """Real torchrun, with the variables that Trainer gives it; its workers say what they take, and end."""
    pytest.importorskip("torch", reason="LACKS: torch")
    backend = make(trainer=True)
    job = TrainingJob("train", ("--help",), compute=Compute(gpu="l4", gpu_count=2, nodes=2))
    handle = backend.submit(backend.plan(job, new_run_id()))
    assert wait(backend, handle, seconds=120).state is JobState.SUCCEEDED
    assert "Isocenter's training program." in "\n".join(backend.logs(handle))


def test_the_node_that_failed_first_gives_the_reason(backend: KubernetesBackend) -> None:
    source = (
        "import os, sys, time\n"
        "print('node', os.environ['RANK'], 'is up', flush=True)\n"
        "if os.environ['RANK'] == '1': sys.exit('The disk of node 1 is flat.')\n"
        "time.sleep(60)\n"
    )
    handle = backend.submit(backend.plan(program(source, compute=Compute(nodes=2)), new_run_id()))
    status = wait(backend, handle)
    assert status == JobStatus(JobState.FAILED, 1, "The disk of node 1 is flat.")
    assert "[node 1] The disk of node 1 is flat." in list(backend.logs(handle))


def test_killed_by_a_signal(backend: KubernetesBackend) -> None:
    source = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    status = wait(backend, backend.submit(backend.plan(program(source), new_run_id())))
    assert (status.state, status.exit_code) == (JobState.FAILED, 137)
    assert status.reason == "The job was killed by signal 9."


def test_no_free_gpu_says_what_it_waits_for(backend: KubernetesBackend) -> None:
    sleeper = program("import time; time.sleep(60)", compute=Compute(gpu="a100-80", gpu_count=8, nodes=2))
    first = backend.submit(backend.plan(sleeper, new_run_id()))
    while backend.status(first).state is not JobState.RUNNING:
        time.sleep(0.05)
    second = backend.submit(backend.plan(sleeper, new_run_id()))
    while not (status := backend.status(second)).reason:
        time.sleep(0.05)
    assert status.state is JobState.PENDING
    assert "2 Insufficient nvidia.com/gpu" in str(status.reason)
    for handle in (first, second):
        backend.cancel(handle)
        assert wait(backend, handle).state is JobState.CANCELLED


def test_a_pod_that_the_namespace_refuses(make: Make) -> None:
    """The Job is taken, its pod is not: without a look at events, it would be pending for ever."""
    backend = make(run_as_user=0)
    submission = backend.plan(program("print(1)"), new_run_id())
    handle = backend.submit(submission)
    status = wait(backend, handle)
    assert status.state is JobState.FAILED
    assert 'violates PodSecurity "restricted:latest": runAsUser=0' in str(status.reason)
    assert list(backend.logs(handle, follow=True)) == []
    assert backend.submit(submission).external_id.endswith("-2")


def test_a_secret_that_is_not_there(make: Make) -> None:
    backend = make(secrets={"object-store": "no-such"})
    handle = backend.submit(backend.plan(program("print(1)"), new_run_id()))
    while not (status := backend.status(handle)).reason:
        time.sleep(0.05)
    assert status.state is JobState.PENDING
    assert status.reason == 'CreateContainerConfigError: secret "no-such" not found'
    backend.cancel(handle)
    assert wait(backend, handle).state is JobState.CANCELLED


def test_what_a_failed_attempt_left_is_not_in_the_next_ones_model(
    backend: KubernetesBackend, target: DeploymentDescriptor
) -> None:
    source = (
        "import os, pathlib, sys\n"
        "mark = pathlib.Path(os.environ['ISOCENTER_CHECKPOINT_DIR']) / 'epoch'\n"
        "if not mark.exists(): mark.write_text('1'); sys.exit('lost power')\n"
        "(pathlib.Path(os.environ['ISOCENTER_MODEL_DIR']) / 'w').write_text('x')\n"
    )
    submission = backend.plan(program(source), new_run_id())
    first = backend.submit(submission)
    wait(backend, first)
    uri = f"{target.buckets['models']}/runs/{first.run}/model"
    target_files(target, uri).pipe_file(f"{uri}/half", b"")
    second = backend.submit(submission)
    assert wait(backend, second).state is JobState.SUCCEEDED
    (model,) = backend.outputs(second)
    files = target_files(target, model.uri)
    assert [name.rpartition("/")[2] for name in files.find(model.uri)] == ["w"]


def test_a_job_that_somebody_deleted_is_unknown(
    backend: KubernetesBackend, target: DeploymentDescriptor
) -> None:
    from kubernetes import client

    handle = backend.submit(backend.plan(program("print(1)", compute=Compute(nodes=2)), new_run_id()))
    wait(backend, handle)
    name = handle.external_id.removeprefix("job/")
    with client.ApiClient(client.Configuration(host=target.endpoints["onprem"])) as api:
        assert client.CoreV1Api(api).read_namespaced_service(name, "isocenter").spec.cluster_ip == "None"
        client.BatchV1Api(api).delete_namespaced_job(name, "isocenter")
        with pytest.raises(client.exceptions.ApiException, match="404"):
            client.CoreV1Api(api).read_namespaced_service(name, "isocenter")
    assert backend.status(handle).missing
    assert list(backend.logs(handle, follow=True)) == []


@pytest.mark.slow
def test_the_server_is_killed_in_the_middle_and_comes_back(tmp_path: Path, marks: Path) -> None:
    """The job goes on meanwhile, the follower asks again, and no line comes twice."""
    store = tmp_path / "store"
    source = (
        "import pathlib, time\n"
        "for number in range(3): print('line', number, flush=True)\n"
        f"while not pathlib.Path({str(marks / 'go')!r}).exists(): time.sleep(0.01)\n"
        "print('last')\n"
    )
    with emulated_process(store) as (process, place):
        backend = backend_for(place, trainer=False)
        handle = backend.submit(backend.plan(program(source), new_run_id()))
        lines = PatientBackend(backend).logs(handle, follow=True)
        seen = [next(lines) for _ in range(3)]
        process.kill()
        process.wait()
        assert backend.status(handle).state is JobState.UNKNOWN
        (marks / "go").touch()
    with emulated_process(store) as (_, again):
        assert again.endpoints["onprem"] == place.endpoints["onprem"]
        assert seen + list(lines) == ["line 0", "line 1", "line 2", "last"]
        assert backend.status(handle) == JobStatus(JobState.SUCCEEDED, exit_code=0)


@pytest.mark.slow
def test_an_emulator_that_was_ended_has_forgotten_runs_with_their_outputs(tmp_path: Path) -> None:
    """A pipeline that asks for them afterwards has the job done again, under the same run."""
    source = "import os; open(os.environ['ISOCENTER_MODEL_DIR'] + '/w', 'w').write('x')"
    found = []
    for _ in range(2):
        with emulated_process(tmp_path / "store") as (_process, place):
            backend = backend_for(place)
            submission = backend.plan(program(source), GOLDEN_RUN)
            handle = backend.submit(submission)
            assert wait(backend, handle).state is JobState.SUCCEEDED
            found.append([artifact.name for artifact in backend.outputs(handle)])
    assert found == [["model"], ["model"]]


class emulated_process:  # noqa: N801 - used as a context
    """The emulator, with its process at hand."""

    def __init__(self, store: Path) -> None:
        self._environment = os.environ | {
            "ISOCENTER_HOME": str(store),
            "ISOCENTER_DEPLOYMENTS": str(store / "deployments"),
        }

    def __enter__(self) -> tuple[subprocess.Popen[str], DeploymentDescriptor]:
        words = [sys.executable, "-m", "isocenter.cli.main", "emulate", "kubernetes", "--json"]
        self._process = subprocess.Popen(
            [*words, *(f"--program={word}" for word in CONTAINER)],
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        printed = ""
        while not printed.endswith("}\n"):
            line = self._process.stdout.readline()
            assert line, "the emulator ended"
            printed += line
        return self._process, load_descriptor(Path(json.loads(printed)["descriptor"]))

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()
