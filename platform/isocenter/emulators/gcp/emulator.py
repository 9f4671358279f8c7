"""Google Cloud on this machine: Vertex AI, Cloud Logging and Cloud Monitoring at one address, and at another
Cloud Storage.

Beside the services' own routes there is ``POST /emulator/interrupt`` with ``{"job": NAME}``: it takes a spot
job's machines away, as Google does when it needs them.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from isocenter.clouds.offer import cloud_offer
from isocenter.emulators.descriptor_file import emulated_labels
from isocenter.emulators.gcp.custom_jobs import CustomJobs
from isocenter.emulators.gcp.endpoints import Endpoints
from isocenter.emulators.gcp.log_entries import list_entries
from isocenter.emulators.gcp.models import Models
from isocenter.emulators.gcp.operations import Operations
from isocenter.emulators.gcp.pipeline_jobs import PipelineJobs
from isocenter.emulators.gcp.predictions import Predictions
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.gcp.storage import EmulatedStorage
from isocenter.emulators.gcp.time_series import is_time_series, list_time_series
from isocenter.emulators.gcp.vertex_service import VertexService
from isocenter.emulators.serve import SERVING_PROGRAM
from isocenter.emulators.web_server import Answer, Request, WebServer, json_answer
from isocenter.targets.descriptor import DeploymentDescriptor, DescribedNetwork, GpuOnOffer

_PROJECT, _NUMBER, _REGION = "isocenter-emulated", "123456789012", "europe-west4"
_BUCKETS = {"data": "isocenter-emulated-data", "models": "isocenter-emulated-models"}
_ACCOUNTS = {role: f"{role}@{_PROJECT}.iam.gserviceaccount.com" for role in ("training", "serving")}
_KEY = f"projects/{_PROJECT}/locations/{_REGION}/keyRings/isocenter/cryptoKeys/data"
# No image is pulled: the program is this machine's. The request has to name one by digest all the same.
_IMAGES = {
    kind: f"{_REGION}-docker.pkg.dev/{_PROJECT}/isocenter/{kind}@sha256:{'0' * 64}"
    for kind in ("training", "serving")
}
# Whoever sends a token means a real project.
_UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other"
    " valid authentication credential."
)


class GcpEmulator:
    """See :class:`isocenter.emulators.serve.Emulator`.

    Args:
        scratch: folder for buckets, jobs, models and endpoints.
        program: what stands for the training image's entry point.
        serving_program: likewise for the serving image's.
    """

    def __init__(
        self, scratch: Path, program: Sequence[str], *, serving_program: Sequence[str] = SERVING_PROGRAM
    ) -> None:
        self._scratch = scratch
        self._program = program
        self._serving_program = serving_program
        self.is_new = True

    def start(self, name: str, port: int) -> DeploymentDescriptor:
        """Answer from now on; the storage takes the port of last time, or a free one."""
        self.is_new = not (self._scratch / "jobs").is_dir()
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._server = WebServer(self, port)
        try:
            self._storage = self._open_storage()
        except OSError:
            self._server.close()
            raise
        self._storage.start()
        self._jobs = CustomJobs(self._scratch / "jobs", self._program, self._container_environment())
        models = Models(self._scratch / "models.json")
        self._pipelines = PipelineJobs(self._jobs)
        operations = Operations(self._scratch / "operations.json")
        self._endpoints = Endpoints(
            self._scratch / "endpoints",
            models,
            operations,
            self._serving_program,
            self._container_environment(),
        )
        self._predictions = Predictions(self._endpoints)
        self._vertex = VertexService(
            _PROJECT,
            _NUMBER,
            _REGION,
            self._jobs,
            models,
            self._pipelines,
            self._endpoints,
            operations,
            self._predictions,
        )
        self._server.start()
        return self._descriptor(name)

    def close(self) -> None:
        """Cancel the jobs that go on, end endpoints' containers, and answer no more."""
        self._pipelines.close()
        self._jobs.close()
        self._endpoints.close()
        self._server.close()
        self._storage.close()

    def answer(self, request: Request) -> Answer:
        """See :class:`isocenter.emulators.web_server.Service`."""
        try:
            if "authorization" in request.headers:
                raise ServiceError(401, _UNAUTHENTICATED)
            if request.path == "/emulator/interrupt":
                self._jobs.interrupt(str(json.loads(request.body)["job"]))
                return json_answer({})
            if (request.method, request.path) == ("POST", "/v2/entries:list"):
                return json_answer(list_entries(request, self._jobs, self._endpoints, _PROJECT))
            if is_time_series(request):
                return json_answer(list_time_series(request, self._predictions.responses, _PROJECT))
            return self._vertex.answer(request)
        except ServiceError as error:
            return error.answer()

    def fault(self, status: int) -> Answer:
        """See :class:`isocenter.emulators.web_server.Service`."""
        return ServiceError(status, f"Asked for by a test: {status}.").answer()

    def _open_storage(self) -> EmulatedStorage:
        known = self._scratch / "storage-port"
        folder, buckets = self._scratch / "storage", tuple(_BUCKETS.values())
        try:
            storage = EmulatedStorage(folder, buckets, int(known.read_text()))
        except (OSError, ValueError):
            storage = EmulatedStorage(folder, buckets)
        known.write_text(storage.address.rpartition(":")[2])
        return storage

    def _container_environment(self) -> dict[str, str]:
        """Where a container finds what is emulated; in the cloud, none of this is set."""
        return {
            "STORAGE_EMULATOR_HOST": self._storage.address,
            "ISOCENTER_GCS_ROOT": str(self._storage.mount),
            "NO_GCE_CHECK": "true",
            # Without it gcsfs asks Google's gRPC service, a minute long, of which kind a bucket is.
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        }

    def _descriptor(self, name: str) -> DeploymentDescriptor:
        offer = cloud_offer("gcp").gpu
        return DeploymentDescriptor(
            name=name,
            provider="gcp",
            backend="vertex",
            region=_REGION,
            residency=cloud_offer("gcp").residency(_REGION),
            environment="emulated",
            buckets={purpose: f"gs://{bucket}" for purpose, bucket in _BUCKETS.items()},
            keys={"data": _KEY},
            identities=_ACCOUNTS,
            network=DescribedNetwork(id=f"projects/{_PROJECT}/global/networks/isocenter"),
            gpu=tuple(
                GpuOnOffer(size=size, per_node=each.gpus, max_nodes=4, machine=each.managed, spot=True)
                for size in offer
                for each in offer[size].machines
            ),
            endpoints={"gcp": self._server.address, "gcp-storage": self._storage.address},
            labels=emulated_labels(name),
            emulated=True,
            settings={
                "project": _PROJECT,
                "project_number": _NUMBER,
                "peered_network": f"projects/{_NUMBER}/global/networks/isocenter",
                "images": _IMAGES,
            },
        )
