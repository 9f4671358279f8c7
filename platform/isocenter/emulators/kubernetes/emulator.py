"""The emulated cluster as a whole: its parts wired, its clock, and what it is as a target."""

import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from isocenter.emulators.descriptor_file import emulated_labels
from isocenter.emulators.kubernetes.admission import Site, refusal
from isocenter.emulators.kubernetes.api import ApiServer
from isocenter.emulators.kubernetes.deployments import DeploymentController
from isocenter.emulators.kubernetes.jobs import JobController
from isocenter.emulators.kubernetes.nodes import Node
from isocenter.emulators.kubernetes.object_store import ObjectStore
from isocenter.emulators.kubernetes.objects import Objects
from isocenter.emulators.kubernetes.pods import Kubelet
from isocenter.emulators.kubernetes.service_proxy import ServiceProxies
from isocenter.emulators.kubernetes.trainer import TrainJobController
from isocenter.emulators.serve import SERVING_PROGRAM
from isocenter.emulators.web_server import WebServer
from isocenter.targets.descriptor import DeploymentDescriptor, GpuOnOffer

NAMESPACE, SECRET = "isocenter", "isocenter-object-store"
REGISTRY = "registry.emulated/isocenter"
_COMPONENT = "app.kubernetes.io/component"
_ROLES = ("training", "serving", "pipeline", "gateway")
_VOLUMES = ("datasets", "checkpoints", "models")
_BUCKETS = ("data", "models", "audit", "logs")
_PRIORITIES = ("serving", "pipeline", "training", "training-spot")
_PREFIX = "isocenter-emulated"
_GPU = "nvidia.com/gpu"
_PRODUCTS = {"l4": "NVIDIA-L4", "a100-80": "NVIDIA-A100-SXM4-80GB"}
_OFFER = (
    GpuOnOffer(size="l4", per_node=4, max_nodes=2, machine=""),
    GpuOnOffer(size="a100-80", per_node=8, max_nodes=2, machine=""),
)
# Nothing is pulled: the program that stands for the image's entry point is the installed one.
IMAGE = f"{REGISTRY}/training@sha256:{'0' * 64}"
SERVING_IMAGE = f"{REGISTRY}/serving@sha256:{'0' * 64}"
_STOP_GRACE_S = 30
_TICK_S, _WATCH_S, _IDLE_S = 0.02, 0.1, 0.5
_REST = 3


class KubernetesEmulator:
    """A cluster with one namespace and Kubeflow Trainer, on this machine.

    Args:
        scratch: keeps its objects, the pods' logs and working folders.
        program: what stands for the entry point of every image but the serving one.
        serving_program: what stands for that one's.
    """

    def __init__(
        self, scratch: Path, program: Sequence[str], *, serving_program: Sequence[str] = SERVING_PROGRAM
    ) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        volumes = scratch / "volumes"
        for name in _VOLUMES:
            (volumes / name).mkdir(parents=True, exist_ok=True)
        self._objects = Objects(scratch / "objects")
        pods = scratch / "pods"
        self._kubelet = Kubelet(self._objects, _nodes(), pods, program, serving_program, volumes)
        self._jobs = JobController(self._objects, self._kubelet, lambda pod: refusal(pod, _site()))
        self._deployments = DeploymentController(
            self._objects, self._kubelet, lambda pod: refusal(pod, _site())
        )
        self._proxies = ServiceProxies(self._objects)
        self._train_jobs = TrainJobController(self._objects)
        self._woken, self._closed = threading.Event(), threading.Event()
        names = frozenset((NAMESPACE,))
        self._api = ApiServer(self._objects, self._kubelet, names, self._woken.set, self._proxies)
        self._store = ObjectStore(scratch)
        self._server: WebServer | None = None
        self._clock = threading.Thread(target=self._run, daemon=True)

    def start(self, name: str, port: int) -> DeploymentDescriptor:
        """Answer at ``port`` of 127.0.0.1 (0: a free one).

        Raises:
            OSError: the port is taken.
            EnvironmentFaultError: the object store doesn't start.
        """
        server = WebServer(self._api, port)
        storage = self._store.start([f"{_PREFIX}-{purpose}" for purpose in _BUCKETS])
        if self._store.is_new:
            self._forget_jobs()
        self._keep_secret()
        self._server = server.start()
        self._clock.start()
        return _described(name, server.address, storage)

    @property
    def is_new(self) -> bool:
        """See :class:`isocenter.emulators.serve.Emulator`."""
        return self._store.is_new

    def close(self) -> None:
        """Stop the pods that run and the object store, and answer no more."""
        self._closed.set()
        self._woken.set()
        if self._server is not None:
            self._server.close()
            self._clock.join(timeout=10)
        self._kubelet.close()
        self._proxies.close()
        self._store.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._woken.clear()
            begun = time.monotonic()
            try:
                pause = self._reconcile()
            except Exception:  # a defect of ours in one object must not stop the others
                traceback.print_exc()
                pause = _IDLE_S
            # With hundreds of jobs a look takes longer than a tick: most of the time is for who asks.
            self._woken.wait(max(pause, _REST * (time.monotonic() - begun)))

    def _reconcile(self) -> float:
        """One step of every controller; in how many seconds to look again."""
        with self._objects.lock:
            version = self._objects.version
            self._train_jobs.reconcile()
            self._jobs.reconcile()
            self._deployments.reconcile()
            self._kubelet.reconcile()
            self._proxies.reconcile()
            return _TICK_S if self._objects.version != version else self._pause()

    def _pause(self) -> float:
        """Pods that serve go on for days; those of jobs end soon."""
        kinds = {
            pod["metadata"]["ownerReferences"][0]["kind"]
            for pod in self._objects.list("Pod")
            if pod["status"]["phase"] in ("Pending", "Running")
        }
        return _TICK_S if "Job" in kinds else _WATCH_S if kinds else _IDLE_S

    def _forget_jobs(self) -> None:
        """What they left went with the object store: to those who ask, they never were."""
        self._kubelet.stop_all()
        kinds = ("TrainJob", "Job", "Deployment", "Pod", "TrainingRuntime", "Service", "Event")
        for kind in (*kinds, "HorizontalPodAutoscaler", "PodDisruptionBudget"):
            for thing in self._objects.list(kind):
                self._objects.remove(kind, thing["metadata"]["namespace"], thing["metadata"]["name"])

    def _keep_secret(self) -> None:
        if self._objects.get("Secret", NAMESPACE, SECRET) is None:
            values = {"AWS_ACCESS_KEY_ID": "emulated", "AWS_SECRET_ACCESS_KEY": "emulated"}
            metadata = {"name": SECRET, "namespace": NAMESPACE}
            self._objects.add(
                {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
            )


def _nodes() -> tuple[Node, ...]:
    plain = Node("node-cpu")
    with_gpu = (
        Node(
            f"node-{offer.size}-{number}",
            {f"{_GPU}.product": _PRODUCTS[offer.size]},
            (_GPU,),
            {_GPU: offer.per_node},
        )
        for offer in _OFFER
        for number in range(offer.max_nodes)
    )
    return (plain, *with_gpu)


def _site() -> Site:
    return Site(
        registry=REGISTRY,
        component_label=_COMPONENT,
        accounts=frozenset(_ROLES),
        priorities=frozenset(f"{_PREFIX}-{name}" for name in _PRIORITIES),
        runtime_classes=frozenset((f"{_PREFIX}-gpu",)),
        claims=frozenset(_VOLUMES),
    )


def _described(name: str, address: str, storage: str) -> DeploymentDescriptor:
    """As the on-premises stack describes a deployment (``isocenter_infra.onprem.describe``)."""
    return DeploymentDescriptor(
        name=name,
        provider="onprem",
        backend="kubernetes",
        environment="emulated",
        buckets={purpose: f"s3://{_PREFIX}-{purpose}" for purpose in _BUCKETS},
        registry=REGISTRY,
        identities={role: f"system:serviceaccount:{NAMESPACE}:{role}" for role in _ROLES},
        workspace=NAMESPACE,
        gpu=_OFFER,
        endpoints={"onprem": address, "onprem-storage": storage, "object-store": storage},
        labels=emulated_labels(name),
        emulated=True,
        settings={
            "namespace": NAMESPACE,
            "component_label": _COMPONENT,
            "images": {"training": IMAGE, "serving": SERVING_IMAGE},
            "service_type": "NodePort",
            "volumes": {volume: volume for volume in _VOLUMES},
            "secrets": {"object-store": SECRET},
            "priority_classes": {priority: f"{_PREFIX}-{priority}" for priority in _PRIORITIES},
            "runtime_class": f"{_PREFIX}-gpu",
            "gpu": {size: _placement(product) for size, product in _PRODUCTS.items()},
            "stop_grace_s": _STOP_GRACE_S,
        },
    )


def _placement(product: str) -> dict[str, object]:
    affinity = {"key": f"{_GPU}.product", "operator": "In", "values": [product]}
    toleration = {"key": _GPU, "operator": "Exists", "effect": "NoSchedule"}
    return {"resource": _GPU, "node_affinity": [affinity], "tolerations": [toleration]}
