"""Kubeflow Trainer: a TrainJob and its runtime become a Job, as Trainer and JobSet do it together.

https://www.kubeflow.org/docs/components/trainer/ and https://jobset.sigs.k8s.io/docs/
"""

from copy import deepcopy
from typing import Any

from isocenter.emulators.kubernetes.objects import Objects, now
from isocenter.emulators.kubernetes.pods import has_condition
from isocenter.emulators.kubernetes.schemas import TRAINER, RefusedError, invalid

Object = dict[str, Any]
_STEP = "trainer.kubeflow.org/trainjob-ancestor-step"
_JOBSET = "jobset.sigs.k8s.io"
_NODE = "node"
_PORT = 29400
_RESERVED = ("PET_NNODES", "PET_NPROC_PER_NODE", "PET_NODE_RANK", "PET_MASTER_ADDR", "PET_MASTER_PORT")
_INDEX_PATH = "metadata.annotations['batch.kubernetes.io/job-completion-index']"


def check_train_job(job: Object, objects: Objects) -> None:
    """Trainer's admission webhook.

    Raises:
        RefusedError: the runtime isn't there, or can't run it.
    """
    reference, namespace = job["spec"]["runtimeRef"], job["metadata"]["namespace"]
    if reference.get("kind", "ClusterTrainingRuntime") != "TrainingRuntime":
        raise invalid(job, ["spec.runtimeRef: this cluster has no ClusterTrainingRuntime"])
    runtime = objects.get("TrainingRuntime", namespace, reference["name"])
    if runtime is None:
        why = "specified trainingRuntime must be created before the TrainJob is created"
        raise RefusedError(
            403,
            "Forbidden",
            f'admission webhook "validator.trainjob.trainer.kubeflow.org" denied the request: {why}',
        )
    given = {variable["name"] for variable in (job["spec"].get("trainer") or {}).get("env") or ()}
    if _torch(runtime) is not None and given & set(_RESERVED):
        raise invalid(
            job, [f"spec.trainer.env: must not have reserved envs: {sorted(given & set(_RESERVED))}"]
        )


class TrainJobController:
    """Makes the Job of a TrainJob, and carries its end back."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def reconcile(self) -> None:
        """Take every TrainJob one step on."""
        for job in self._objects.list("TrainJob"):
            if not (has_condition(job, "Complete") or has_condition(job, "Failed")):
                self._step(job)

    def _step(self, train_job: Object) -> None:
        namespace, name = train_job["metadata"]["namespace"], train_job["metadata"]["name"]
        made = self._objects.get("Job", namespace, f"{name}-{_NODE}-0")
        if made is None:
            self._make(train_job)
            return
        suspend = bool(train_job["spec"].get("suspend"))
        if bool(made["spec"].get("suspend")) != suspend:
            made["spec"]["suspend"] = suspend
            self._objects.update(made)
        status = train_job.setdefault("status", {})
        status["conditions"] = _conditions(made, status.get("conditions") or [], suspend=suspend)
        counts = made.get("status", {})
        numbers = {key: counts.get(key, 0) for key in ("ready", "succeeded", "failed", "active")}
        status["jobsStatus"] = [{"name": _NODE, "suspended": int(suspend), **numbers}]
        self._objects.update(train_job)

    def _make(self, train_job: Object) -> None:
        namespace = train_job["metadata"]["namespace"]
        runtime = self._objects.get("TrainingRuntime", namespace, train_job["spec"]["runtimeRef"]["name"])
        if runtime is None:
            return
        self._objects.add(_service(train_job))
        self._objects.add(_job(train_job, runtime))


def _job(train_job: Object, runtime: Object) -> Object:
    name, trainer = train_job["metadata"]["name"], train_job["spec"].get("trainer") or {}
    replicated = next(
        job
        for job in runtime["spec"]["template"]["spec"]["replicatedJobs"]
        if (job["template"].get("metadata", {}).get("labels") or {}).get(_STEP) == "trainer"
    )
    nodes = trainer.get("numNodes") or (runtime["spec"].get("mlPolicy") or {}).get("numNodes", 1)
    spec = deepcopy(replicated["template"]["spec"])
    labels = {f"{_JOBSET}/jobset-name": name, f"{_JOBSET}/replicatedjob-name": replicated["name"]}
    labels |= {f"{_JOBSET}/job-index": "0"}
    metadata = spec["template"].setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    pod = spec["template"]["spec"]
    pod["subdomain"] = name
    for container in pod["containers"]:
        if container["name"] == _NODE:
            _complete(container, train_job, runtime, nodes)
    more = {"completionMode": "Indexed", "completions": nodes, "parallelism": nodes}
    more["suspend"] = bool(train_job["spec"].get("suspend"))
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {**_owned(train_job, f"{name}-{replicated['name']}-0"), "labels": labels},
        "spec": {**spec, **more},
    }


def _complete(container: Object, train_job: Object, runtime: Object, nodes: int) -> None:
    """What the TrainJob says of the container, and torchrun's variables under the torch policy."""
    trainer = train_job["spec"].get("trainer") or {}
    for field, target in (("image",) * 2, ("command",) * 2, ("args",) * 2, ("resourcesPerNode", "resources")):
        if trainer.get(field):
            container[target] = trainer[field]
    variables = {variable["name"]: variable for variable in container.get("env") or ()}
    variables |= {variable["name"]: variable for variable in trainer.get("env") or ()}
    torch, name = _torch(runtime), train_job["metadata"]["name"]
    if torch is not None:
        processes = trainer.get("numProcPerNode") or torch.get("numProcPerNode", "auto")
        values = {
            "PET_NNODES": str(nodes),
            "PET_NPROC_PER_NODE": str(processes),
            "PET_MASTER_ADDR": f"{name}-{_NODE}-0-0.{name}",
            "PET_MASTER_PORT": str(_PORT),
        }
        variables |= {key: {"name": key, "value": value} for key, value in values.items()}
        rank = {"name": "PET_NODE_RANK", "valueFrom": {"fieldRef": {"fieldPath": _INDEX_PATH}}}
        variables["PET_NODE_RANK"] = rank
    container["env"] = list(variables.values())


def _service(train_job: Object) -> Object:
    """By JobSet: the pods' subdomain."""
    name = train_job["metadata"]["name"]
    selector = {f"{_JOBSET}/jobset-name": name}
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": selector}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _owned(train_job, name), "spec": spec}


def _owned(train_job: Object, name: str) -> Object:
    metadata = train_job["metadata"]
    owner = {"apiVersion": TRAINER, "kind": "TrainJob", "name": metadata["name"], "uid": metadata["uid"]}
    return {"name": name, "namespace": metadata["namespace"], "ownerReferences": [owner]}


def _torch(runtime: Object) -> Object | None:
    policy: Object | None = (runtime["spec"].get("mlPolicy") or {}).get("torch")
    return policy


def _conditions(made: Object, known: list[Object], *, suspend: bool) -> list[Object]:
    found = {condition["type"]: condition for condition in known}
    if suspend or "Suspended" in found:
        found["Suspended"] = _condition(
            "Suspended", "True" if suspend else "False", "Suspended" if suspend else "Resumed", found
        )
    if has_condition(made, "Complete"):
        found["Complete"] = _condition("Complete", "True", "AllJobsCompleted", found)
    if has_condition(made, "Failed"):
        found["Failed"] = _condition("Failed", "True", "FailedJobs", found)
    return list(found.values())


def _condition(kind: str, status: str, reason: str, known: dict[str, Object]) -> Object:
    before = known.get(kind)
    if before is not None and before["status"] == status:
        return before
    message = f"jobset: {reason}"
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}
