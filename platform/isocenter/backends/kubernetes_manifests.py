"""The objects that make Kubernetes run a job: a plain Job, or Kubeflow Trainer's TrainJob. Pure.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
https://www.kubeflow.org/docs/components/trainer/
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.backends.kubernetes_pod import CONTAINER, exact_texts, label_values

TRAINER_GROUP, TRAINER_VERSION = "trainer.kubeflow.org", "v1alpha1"
_STEP_LABEL = f"{TRAINER_GROUP}/trainjob-ancestor-step"
_KEPT_S = 14 * 24 * 3600
Manifest = dict[str, Any]


@dataclass(frozen=True)
class JobFrame:
    """What is around the pods.

    Args:
        name: of the job; the attempt's number is at its end.
        labels: exact texts.
        nodes: how many pods.
        gpus: on each node.
        max_runtime_s: after which Kubernetes ends the pods; None for no limit.
        kept_s: how long a plain Job that has ended is kept.
    """

    name: str
    labels: Mapping[str, str]
    nodes: int
    gpus: int = 0
    max_runtime_s: int | None = None
    kept_s: int = _KEPT_S

    @property
    def metadata(self) -> Manifest:
        """Of each object."""
        more = {"annotations": exact} if (exact := exact_texts(self.labels)) else {}
        return {"name": self.name, "labels": label_values(self.labels), **more}

    @property
    def job_master(self) -> str:
        """Host name of a plain Job's first pod, by its headless service."""
        return f"{self.name}-0.{self.name}" if self.nodes > 1 else "127.0.0.1"

    @property
    def trainjob_master(self) -> str:
        """Host name of a TrainJob's first pod, by the service that its JobSet makes."""
        return f"{self.name}-node-0-0.{self.name}" if self.nodes > 1 else "127.0.0.1"


def plain_job(frame: JobFrame, template: Manifest) -> dict[str, Manifest]:
    """``job``: an Indexed Job, and ``support``: the headless service by which its pods find the first."""
    spec = {
        **_job_spec(frame),
        "completionMode": "Indexed",
        "completions": frame.nodes,
        "parallelism": frame.nodes,
        "ttlSecondsAfterFinished": frame.kept_s,
        "template": template,
    }
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": frame.metadata, "spec": spec}
    if frame.nodes == 1:
        return {"job": job}
    spec["template"] = {**template, "spec": {**template["spec"], "subdomain": frame.name}}
    return {"job": job, "support": _headless_service(frame)}


def _job_spec(frame: JobFrame) -> Manifest:
    """One attempt: what failed is submitted again by us, what a node lost is started again by Kubernetes."""
    limit = {} if frame.max_runtime_s is None else {"activeDeadlineSeconds": frame.max_runtime_s}
    disrupted = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {"backoffLimit": 0, "podFailurePolicy": {"rules": [disrupted]}, **limit}


def _headless_service(frame: JobFrame) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": frame.metadata,
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"batch.kubernetes.io/job-name": frame.name},
        },
    }


def train_job(frame: JobFrame, template: Manifest) -> dict[str, Manifest]:
    """``job``: a TrainJob, and ``support``: the runtime it refers to.

    The runtime is the job's own, since only a runtime can say what a TrainJob's pods are like in full:
    security, priority, time limit.
    """
    version = f"{TRAINER_GROUP}/{TRAINER_VERSION}"
    (container,) = template["spec"]["containers"]
    runtime = {
        "apiVersion": version,
        "kind": "TrainingRuntime",
        "metadata": frame.metadata,
        "spec": {"mlPolicy": _policy(frame), "template": {"spec": _job_set(frame, template)}},
    }
    trainer = {
        "image": container["image"],
        "numNodes": frame.nodes,
        **{field: container[field] for field in ("command", "args") if container.get(field)},
    }
    reference = {"apiGroup": TRAINER_GROUP, "kind": "TrainingRuntime", "name": frame.name}
    job = {
        "apiVersion": version,
        "kind": "TrainJob",
        "metadata": frame.metadata,
        "spec": {"runtimeRef": reference, "trainer": trainer},
    }
    return {"job": job, "support": runtime}


def _policy(frame: JobFrame) -> Manifest:
    """With several GPUs on a node, Trainer gives torchrun its environment; else the pod has it."""
    torch = {"torch": {"numProcPerNode": frame.gpus}} if frame.gpus > 1 else {}
    return {"numNodes": frame.nodes, **torch}


def _job_set(frame: JobFrame, template: Manifest) -> Manifest:
    node = {
        "name": CONTAINER,
        "template": {
            "metadata": {"labels": {_STEP_LABEL: "trainer"}},
            "spec": {**_job_spec(frame), "template": template},
        },
    }
    return {"replicatedJobs": [node]}


def renamed(manifest: Manifest, first: str, name: str) -> Manifest:
    """``manifest`` of another attempt: wherever the ``first`` one's name stands, ``name`` does."""
    found: Manifest = json.loads(json.dumps(manifest).replace(first, name))
    return found
