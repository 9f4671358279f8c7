"""``isocenter emulate azure``: an Azure ML workspace with GPU clusters, and the storage account behind it."""

import socket
from collections.abc import Sequence
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from isocenter.clouds.offer import cloud_offer
from isocenter.emulators.azure.autoscaling import AutoscaleSettings
from isocenter.emulators.azure.blob_storage import ACCOUNT, BlobStorage
from isocenter.emulators.azure.container import Scope
from isocenter.emulators.azure.job_run import GRACE_S, Surroundings
from isocenter.emulators.azure.log_blob import CONTAINER as WORKSPACE_CONTAINER
from isocenter.emulators.azure.online_endpoints import OnlineEndpoints
from isocenter.emulators.azure.pipelines import Pipelines
from isocenter.emulators.azure.service import AzureService
from isocenter.emulators.azure.workspace import Cluster, Workspace
from isocenter.emulators.descriptor_file import emulated_labels
from isocenter.emulators.serve import SERVING_PROGRAM
from isocenter.emulators.web_server import WebServer
from isocenter.targets.descriptor import DeploymentDescriptor, DescribedNetwork, GpuOnOffer
from isocenter.targets.file_system import emulated_azure

SCOPE = Scope("00000000-0000-0000-0000-00000000e000", "emulated", "emulated")
# No image is pulled: the digest stands for the program that is installed here.
IMAGE = f"emulated.azurecr.io/isocenter/training@sha256:{'0' * 64}"
_SERVING_IMAGE = IMAGE.replace("/training@", "/serving@")
_REGION, _RESIDENCY = "westeurope", "eu"
_DATASTORES = {
    "isocenter_data": "data",
    "isocenter_models": "models",
    "workspaceblobstore": WORKSPACE_CONTAINER,
    "workspaceartifactstore": WORKSPACE_CONTAINER,
}
_GPU = (
    GpuOnOffer(size="a10", per_node=1, max_nodes=4, machine="Standard_NV36ads_A10_v5", spot=True),
    GpuOnOffer(size="a100-80", per_node=4, max_nodes=2, machine="Standard_NC96ads_A100_v4"),
)
_GROUP = f"/subscriptions/{SCOPE.subscription}/resourceGroups/{SCOPE.resource_group}"
_KEY = "https://emulated.vault.azure.net/keys/data/0"
_NETWORK = f"{_GROUP}/providers/Microsoft.Network/virtualNetworks/emulated"
_IDENTITIES = {
    role: f"00000000-0000-0000-0000-00000000000{number}"
    for number, role in enumerate(("training", "serving", "pipeline"), 1)
}
_WORKSPACE = {
    "publicNetworkAccess": "Disabled",
    "managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound"},
    "encryption": {
        "status": "Enabled",
        "keyVaultProperties": {
            "keyVaultArmId": f"{_GROUP}/providers/Microsoft.KeyVault/vaults/emulated",
            "keyIdentifier": _KEY,
        },
    },
    "storageAccount": f"{_GROUP}/providers/Microsoft.Storage/storageAccounts/{ACCOUNT}",
}
_IDENTITY_IDS = {
    role: f"{_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{role}"
    for role in ("training", "serving")
}


class AzureEmulator:
    """An emulated Azure.

    Args:
        scratch: folder of its state and of the blobs.
        program: what stands for the training image's entry point.
        serving_program: likewise for the serving image's.
        stop_grace_s: between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        scratch: Path,
        program: Sequence[str],
        *,
        serving_program: Sequence[str] = SERVING_PROGRAM,
        stop_grace_s: float = GRACE_S,
    ) -> None:
        self._scratch = scratch
        self._program = tuple(program)
        self._serving_program = tuple(serving_program)
        self._stop_grace_s = stop_grace_s
        self.is_new = not (scratch / "blobs").is_dir()
        self._storage = BlobStorage(scratch / "blobs")
        self._workspace: Workspace | None = None
        self._server: WebServer | None = None

    def start(self, name: str, port: int) -> DeploymentDescriptor:
        """Answer at ``port`` (0: a free one) in threads of this process.

        Raises:
            OSError: the port is taken.
            EnvironmentFaultError: Azurite can't be had or doesn't start.
        """
        with socket.create_server(("127.0.0.1", port)):
            pass  # it is free; found out before anything is started
        self._storage.start()
        try:
            blobs = BlobServiceClient.from_connection_string(emulated_azure(self._storage.address))
            for container in sorted({*_DATASTORES.values(), "audit", "logs"}):
                _make(blobs, container)
            around = Surroundings(blobs, SCOPE, self._program, self._stop_grace_s)
            self._workspace = Workspace(self._scratch / "workspace", around, _clusters(), _DATASTORES)
            variables = {"AZURE_STORAGE_CONNECTION_STRING": emulated_azure(self._storage.address)}
            self._pipelines = Pipelines(self._workspace, variables)
            self._endpoints = OnlineEndpoints(
                self._scratch / "endpoints", self._workspace, self._serving_program
            )
            service = AzureService(
                self._workspace,
                SCOPE,
                _WORKSPACE,
                _REGION,
                self._pipelines,
                self._endpoints,
                AutoscaleSettings(self._scratch / "autoscaling.json", self._endpoints),
            )
            self._server = WebServer(service, port).start()
        except BaseException:
            self.close()
            raise
        return _descriptor(name, self._server.address, self._storage.address)

    def close(self) -> None:
        """Stop the jobs that go on and answer no more."""
        if self._server is not None:
            self._server.close()
        if self._workspace is not None:
            self._pipelines.close()
            self._endpoints.close()
            self._workspace.close()
        self._storage.close()


def _make(blobs: BlobServiceClient, container: str) -> None:
    try:
        blobs.create_container(container)
    except ResourceExistsError:
        return


def _cluster_name(gpu: GpuOnOffer) -> str:
    """As the stack of a real deployment calls it."""
    return f"{gpu.size}-x{gpu.per_node}{'-spot' if gpu.spot else ''}"


def _clusters() -> dict[str, Cluster]:
    clusters = [Cluster(_cluster_name(gpu), gpu.machine, gpu.max_nodes, gpu.spot) for gpu in _GPU]
    return {cluster.name: cluster for cluster in clusters}


def _descriptor(name: str, address: str, storage: str) -> DeploymentDescriptor:
    """The target, in the words of a real deployment's descriptor."""
    families = {
        machine.managed: machine.family
        for offer in cloud_offer("azure").gpu.values()
        for machine in offer.machines
    }
    clusters = [
        {
            "name": _cluster_name(gpu),
            **gpu.model_dump(include={"size", "per_node", "spot", "max_nodes"}),
            "family": families[gpu.machine],
        }
        for gpu in _GPU
    ]
    buckets = ("data", "models", "audit", "logs")
    return DeploymentDescriptor(
        name=name,
        provider="azure",
        backend="azureml",
        region=_REGION,
        residency=_RESIDENCY,
        environment="dev",
        buckets={purpose: f"abfss://{purpose}@{ACCOUNT}.dfs.core.windows.net" for purpose in buckets},
        keys={"data": _KEY},
        registry=IMAGE.partition("/")[0],
        identities=_IDENTITIES,
        network=DescribedNetwork(id=_NETWORK, subnets=(f"{_NETWORK}/subnets/workloads",)),
        workspace=SCOPE.workspace,
        gpu=_GPU,
        endpoints={"azure": address, "azure-storage": storage},
        labels=emulated_labels(name),
        emulated=True,
        settings={
            "subscription": SCOPE.subscription,
            "tenant": SCOPE.subscription,
            "resource_group": SCOPE.resource_group,
            "datastores": {"data": "isocenter_data", "models": "isocenter_models"},
            "clusters": clusters,
            "identity_ids": _IDENTITY_IDS,
            "images": {"training": IMAGE, "serving": _SERVING_IMAGE},
        },
    )
