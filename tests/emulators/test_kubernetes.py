"""The emulated cluster, driven by Kubernetes' own client: what it keeps, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

pytest.importorskip(
    "kubernetes_validate",
    reason="LACKS: the emulated cluster's parts; pip install 'isocenter[kubernetes-emulator]'",
)
pytest.importorskip("kubernetes", reason="LACKS: its client; pip install 'isocenter[kubernetes]'")
from kubernetes.client.exceptions import ApiException

from kubernetes import client, watch

sys.path.insert(0, str(Path(__file__).parent))
from emulated import emulator, post

from isocenter.emulators.kubernetes.emulator import IMAGE, NAMESPACE, KubernetesEmulator
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor

TRAINER = ("trainer.kubeflow.org", "v1alpha1", NAMESPACE)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    running = KubernetesEmulator(tmp_path_factory.mktemp("kubernetes"), ["/bin/sh", "-c"])
    yield running.start("kubernetes-emulated", 0)
    running.close()


@pytest.fixture
def api(target: DeploymentDescriptor) -> Iterator[client.ApiClient]:
    configuration = client.Configuration(host=target.endpoints["onprem"])
    configuration.retries = 0
    with client.ApiClient(configuration) as made:
        yield made


@pytest.fixture
def jobs(api: client.ApiClient) -> client.BatchV1Api:
    return client.BatchV1Api(api)


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


def job(name: str, script: str = "true", **changes: Any) -> dict[str, Any]:
    """The least that a Job of this namespace needs; ``changes`` by path, e.g. ``spec__backoffLimit``."""
    closed = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "c", "image": IMAGE, "args": [script], "securityContext": closed}
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "restartPolicy": "Never",
        "serviceAccountName": "training",
        "securityContext": security,
        "containers": [container],
    }
    labels = {"app.kubernetes.io/component": "training"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"completionMode": "Indexed", "completions": 1, "parallelism": 1, "backoffLimit": 0}
    body = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {**spec, "template": template},
    }
    for path, value in changes.items():
        *words, last = path.split("__")
        place: Any = body
        for word in words:
            place = place[int(word) if word.isdecimal() else word]
        place[last] = value
    return body


POD = "spec__template__spec__"


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"spec__retries": 3}, 400, 'strict decoding error: unknown field "spec.retries"'),
        ({f"{POD}gpus": 1}, 400, 'unknown field "spec.template.spec.gpus"'),
        ({"spec__completions": "two"}, 400, "json: cannot unmarshal spec.completions"),
        ({"apiVersion": "batch/v2"}, 400, "no Job of batch/v1"),
        ({"metadata__namespace": "elsewhere"}, 400, "namespace of the provided object does not match"),
        ({"metadata__name": "Not_A_Name"}, 422, 'metadata.name: Invalid value: "Not_A_Name"'),
        ({"metadata__labels": {"owner": "a@b"}}, 422, 'metadata.labels: Invalid value: "a@b"'),
        ({f"{POD}restartPolicy": "Always"}, 422, "restartPolicy"),
        ({"spec__completions": None}, 422, "spec.completions: Required value"),
        ({"spec__activeDeadlineSeconds": -1}, 422, "spec.activeDeadlineSeconds: must be greater"),
        (
            {f"{POD}containers__0__volumeMounts": [{"name": "x", "mountPath": "/x"}]},
            422,
            'volumeMounts: Not found: "x"',
        ),
        (
            {f"{POD}containers__0__resources": {"requests": {"nvidia.com/gpu": "1"}}},
            422,
            "resources.limits[nvidia.com/gpu]: must be set for an extended resource",
        ),
    ],
)
def test_what_is_refused_at_once(
    target: DeploymentDescriptor, changes: dict[str, Any], status: int, said: str
) -> None:
    """Sent without the client, whose classes would leave unknown fields out."""
    body = json.dumps(job("refused", **changes)).encode()
    path = f"{target.endpoints['onprem']}/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(path, body, {"Content-Type": "application/json"}), timeout=10)
    with caught.value as sent:
        answer = json.loads(sent.read())
    assert (caught.value.status, answer["code"], answer["kind"]) == (status, status, "Status")
    assert said in answer["message"]
    assert answer["reason"] == {400: "BadRequest", 422: "Invalid"}[status]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({f"{POD}hostNetwork": True}, 'violates PodSecurity "restricted:latest": host namespaces'),
        ({f"{POD}securityContext": {}}, "runAsNonRoot != true"),
        ({f"{POD}containers__0__securityContext": {}}, "allowPrivilegeEscalation != false"),
        ({f"{POD}containers__0__image": "docker.io/x/y:1"}, "Images come by digest from"),
        ({f"{POD}serviceAccountName": "root"}, 'service account: "root" not found'),
        ({f"{POD}priorityClassName": "urgent"}, "no PriorityClass with name urgent"),
        ({f"{POD}runtimeClassName": "kata"}, 'RuntimeClass "kata" not found'),
        ({"spec__template__metadata": {}}, "app.kubernetes.io/component must name the service account"),
        ({f"{POD}automountServiceAccountToken": True}, "Only pipeline may have a token"),
    ],
)
def test_pods_that_the_namespace_does_not_admit(
    jobs: client.BatchV1Api, core: client.CoreV1Api, changes: dict[str, Any], said: str
) -> None:
    """The Job is taken; an event says why it has no pod."""
    name = f"unadmitted-{time.monotonic_ns()}"
    jobs.create_namespaced_job(NAMESPACE, job(name, **changes))
    selector = f"involvedObject.name={name},reason=FailedCreate"
    found = eventually(lambda: core.list_namespaced_event(NAMESPACE, field_selector=selector).items)
    assert said in found[0].message
    assert not pods_of(core, name)
    jobs.delete_namespaced_job(name, NAMESPACE)


def test_a_job_from_its_making_to_its_end(jobs: client.BatchV1Api, core: client.CoreV1Api) -> None:
    """What the client's own classes read of it, at each step."""
    made = jobs.create_namespaced_job(NAMESPACE, job("whole", "echo it works; sleep 0.3"))
    assert made.metadata.uid
    with pytest.raises(ApiException, match="AlreadyExists"):
        jobs.create_namespaced_job(NAMESPACE, job("whole"))
    (pod,) = eventually(lambda: pods_of(core, "whole"))
    assert pod.metadata.owner_references[0].uid == made.metadata.uid
    assert pod.metadata.annotations["batch.kubernetes.io/job-completion-index"] == "0"
    assert ended(jobs, "whole") == "Complete"
    status = jobs.read_namespaced_job_status("whole", NAMESPACE).status
    assert (status.succeeded, status.completion_time is None) == (1, False)
    assert core.read_namespaced_pod_log(pod.metadata.name, NAMESPACE).strip() == "it works"
    jobs.delete_namespaced_job("whole", NAMESPACE)
    eventually(lambda: not pods_of(core, "whole"))
    with pytest.raises(ApiException, match="NotFound"):
        jobs.read_namespaced_job("whole", NAMESPACE)


def test_a_watch_tells_what_happens(jobs: client.BatchV1Api, core: client.CoreV1Api) -> None:
    jobs.create_namespaced_job(NAMESPACE, job("watched"))
    label = "batch.kubernetes.io/job-name=watched"
    phases = []
    for event in watch.Watch().stream(
        core.list_namespaced_pod, NAMESPACE, label_selector=label, timeout_seconds=20
    ):
        phases.append(event["object"].status.phase)
        if phases[-1] in ("Succeeded", "Failed"):
            break
    assert phases[-1] == "Succeeded"
    assert set(phases) <= {"Pending", "Running", "Succeeded"}


def test_what_may_change_and_what_may_not(jobs: client.BatchV1Api, core: client.CoreV1Api) -> None:
    jobs.create_namespaced_job(NAMESPACE, job("changed", "sleep 60"))
    with pytest.raises(ApiException, match="field is immutable"):
        merge(jobs, "changed", {"spec": {"completions": 2}})
    with pytest.raises(ApiException, match="unknown field"):
        merge(jobs, "changed", {"spec": {"suspended": True}})
    with pytest.raises(ApiException, match="UnsupportedMediaType"):
        jobs.patch_namespaced_job(
            "changed", NAMESPACE, {}, _content_type="application/strategic-merge-patch+json"
        )
    eventually(lambda: [pod for pod in pods_of(core, "changed") if pod.status.phase == "Running"])
    merge(jobs, "changed", {"spec": {"suspend": True}})
    eventually(lambda: not pods_of(core, "changed"))
    conditions = jobs.read_namespaced_job("changed", NAMESPACE).status.conditions
    assert [(found.type, found.status) for found in conditions] == [("Suspended", "True")]


def test_who_ignores_sigterm_is_killed_after_the_grace_time(
    jobs: client.BatchV1Api, core: client.CoreV1Api
) -> None:
    script = "trap '' TERM; echo up; while true; do sleep 0.05; done"
    jobs.create_namespaced_job(
        NAMESPACE, job("stubborn", script, **{f"{POD}terminationGracePeriodSeconds": 1})
    )
    (pod,) = eventually(lambda: pods_of(core, "stubborn"))
    name = pod.metadata.name
    eventually(lambda: "up" in log_of(core, name))
    began = time.monotonic()
    core.delete_namespaced_pod(name, NAMESPACE)
    eventually(lambda: name not in [pod.metadata.name for pod in pods_of(core, "stubborn")])
    assert 0.9 < time.monotonic() - began < 10
    jobs.delete_namespaced_job("stubborn", NAMESPACE)


def test_the_container_sees_its_pod_and_nothing_of_the_emulator(
    jobs: client.BatchV1Api, core: client.CoreV1Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "hunter2")
    key = {"name": "isocenter-object-store", "key": "AWS_ACCESS_KEY_ID"}
    variables = [
        {"name": "A", "value": "x"},
        {"name": "B", "value": "$(A)-$$(A)-$(NONE)"},
        {"name": "WHERE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
        {"name": "KEY", "valueFrom": {"secretKeyRef": key}},
    ]
    jobs.create_namespaced_job(NAMESPACE, job("sees", "env", **{f"{POD}containers__0__env": variables}))
    assert ended(jobs, "sees") == "Complete"
    (pod,) = pods_of(core, "sees")
    seen = dict(line.split("=", 1) for line in log_of(core, pod.metadata.name).splitlines() if "=" in line)
    assert (seen["A"], seen["B"], seen["WHERE"]) == ("x", "x-$(A)-$(NONE)", NAMESPACE)
    assert (seen["KEY"], seen["JOB_COMPLETION_INDEX"]) == ("emulated", "0")
    assert "AWS_SESSION_TOKEN" not in seen


def test_a_program_that_is_not_there_is_a_start_error(
    jobs: client.BatchV1Api, core: client.CoreV1Api
) -> None:
    jobs.create_namespaced_job(NAMESPACE, job("absent", **{f"{POD}containers__0__command": ["/no/such"]}))
    assert ended(jobs, "absent") == "Failed"
    (pod,) = pods_of(core, "absent")
    terminated = pod.status.container_statuses[0].state.terminated
    assert (terminated.reason, terminated.exit_code) == ("StartError", 128)


def test_train_jobs_need_their_runtime(api: client.ApiClient) -> None:
    custom = client.CustomObjectsApi(api)
    reference = {"apiGroup": TRAINER[0], "kind": "TrainingRuntime", "name": "none"}
    body = {
        "apiVersion": "/".join(TRAINER[:2]),
        "kind": "TrainJob",
        "metadata": {"name": "lonely"},
        "spec": {"runtimeRef": reference},
    }
    with pytest.raises(ApiException, match="must be created before the TrainJob"):
        custom.create_namespaced_custom_object(*TRAINER, "trainjobs", body)
    body["spec"] = {"runtimeRef": reference, "gpus": 4}
    with pytest.raises(ApiException, match=r"unknown field .*spec\.gpus"):
        custom.create_namespaced_custom_object(*TRAINER, "trainjobs", body)


def test_only_controllers_make_pods(core: client.CoreV1Api) -> None:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": []}}
    with pytest.raises(ApiException, match="controllers only"):
        core.create_namespaced_pod(NAMESPACE, body)


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Authorization": "Bearer stolen"}, 401), ({"Origin": "http://evil.example"}, 403)],
)
def test_strangers(target: DeploymentDescriptor, headers: dict[str, str], status: int) -> None:
    """A page in the user's browser must not start programs of this machine."""
    path = f"{target.endpoints['onprem']}/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(path, headers=headers), timeout=10)
    with caught.value as answer:
        assert answer.status == status


def test_the_verb(tmp_path: Path, isocenter_cli: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    """It makes a target that can be checked; killed, its object store and jobs are found again."""
    store = tmp_path / "store"
    environ = os.environ | {"ISOCENTER_HOME": str(store), "ISOCENTER_DEPLOYMENTS": str(store / "deployments")}
    with emulator("kubernetes", store, ["/bin/sh", "-c"]) as printed:
        target = load_descriptor(Path(printed["descriptor"]))
        assert printed["target"] == target.name == "kubernetes-emulated"
        checked = isocenter_cli("target", "check", target.name, "--json", env=environ)
        assert checked.returncode == 0, checked.stdout
        with client.ApiClient(client.Configuration(host=target.endpoints["onprem"])) as api:
            client.BatchV1Api(api).create_namespaced_job(NAMESPACE, job("outlives", "sleep 3"))
            eventually(lambda: client.BatchV1Api(api).read_namespaced_job("outlives", NAMESPACE).status.ready)
        again = isocenter_cli("emulate", "kubernetes", env=environ)
        assert (again.returncode, "runs already" in again.stderr) == (3, True)
        os.kill(printed["pid"], signal.SIGKILL)
    detached = isocenter_cli("emulate", "kubernetes", "--detach", "--json", env=environ)
    assert detached.returncode == 0, detached.stderr
    assert json.loads(detached.stdout)["endpoints"] == dict(target.endpoints), "the object store too"
    with client.ApiClient(client.Configuration(host=target.endpoints["onprem"])) as api:
        assert ended(client.BatchV1Api(api), "outlives") == "Complete"
    stopped = isocenter_cli("emulate", "kubernetes", "--stop", env=environ)
    assert "has ended" in stopped.stdout
    for address in target.endpoints.values():
        with pytest.raises(URLError):
            urlopen(address, timeout=5)


def test_a_cluster_can_lose_trainer(target: DeploymentDescriptor, api: client.ApiClient) -> None:
    custom = client.CustomObjectsApi(api)
    assert custom.get_api_resources(*TRAINER[:2])
    post(target.endpoints["onprem"], "/emulator/settings", trainer=False)
    with pytest.raises(ApiException, match="404"):
        custom.get_api_resources(*TRAINER[:2])
    post(target.endpoints["onprem"], "/emulator/settings", trainer=True)


def eventually(what: Callable[[], Any], *, seconds: float = 30) -> Any:
    """The first true value of ``what``."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return found


def pods_of(core: client.CoreV1Api, name: str) -> list[Any]:
    label = f"batch.kubernetes.io/job-name={name}"
    return list(core.list_namespaced_pod(NAMESPACE, label_selector=label).items)


def log_of(core: client.CoreV1Api, pod: str) -> str:
    try:
        return str(core.read_namespaced_pod_log(pod, NAMESPACE))
    except ApiException:
        return ""


def ended(jobs: client.BatchV1Api, name: str) -> str:
    """``Complete`` or ``Failed``, when it is."""

    def final() -> list[str]:
        conditions = jobs.read_namespaced_job(name, NAMESPACE).status.conditions or []
        return [found.type for found in conditions if found.type in ("Complete", "Failed")]

    return str(eventually(final)[0])


def merge(jobs: client.BatchV1Api, name: str, changes: dict[str, Any]) -> None:
    jobs.patch_namespaced_job(name, NAMESPACE, changes, _content_type="application/merge-patch+json")
