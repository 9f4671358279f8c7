"""The settings of one deployment: what its owner decides before anything is provisioned.

One YAML file a deployment, ``deployments/<name>.yaml``. `isocenter target init` writes a commented one.
"""

import difflib
import re
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from isocenter.clouds.offer import GPU_SIZES, CloudOffer, cloud_offer
from isocenter.errors import InputError

# 45 CFR 164.316(b)(2)(i): six years from creation or the last effective date.
LEAST_AUDIT_YEARS = 6
_LONGEST_AUDIT_YEARS = 10
_LARGEST_NETWORK, _SMALLEST_NETWORK = 16, 22
_PRIVATE = [IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]
_AZURE_SUBNET = (
    r"^(/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/]+"
    r"/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+)?$"
)
# How no bucket's name may begin on a cloud: a pattern, and the words for it.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
# https://cloud.google.com/storage/docs/buckets#naming
_RESERVED = {
    "aws": (r"^(xn--|sthree-|amzn-s3-demo-)", "begin with xn--, sthree- or amzn-s3-demo-"),
    "gcp": (r"^goog|g[o0]{2}gle", "begin with goog or hold google"),
}
NAME = r"^[a-z][a-z0-9-]{1,18}[a-z0-9]$"
_GITHUB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
Email = Annotated[str, Field(pattern=_EMAIL)]
# A person or group of Google's, as its access policies name them.
Principal = Annotated[str, Field(pattern=r"^((user|group):[^@\s]+@[^@\s]+\.[^@\s]+)?$")]


def _is_private(network: IPv4Network) -> IPv4Network:
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise ValueError(f"{network} is no private range (RFC 1918 or RFC 6598)")
    return network


Range = Annotated[IPv4Network, AfterValidator(_is_private)]


class Cloud(StrEnum):
    """Whose machines."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    ONPREM = "onprem"


class Part(BaseModel):
    """Base of the settings' parts: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, value: Any) -> Any:
        """A key with nothing behind it (all of its lines are comments) means its default."""
        if isinstance(value, dict):
            return {key: item for key, item in value.items() if item is not None}
        return value


class NetworkSettings(Part):
    """Address ranges."""

    cidr: Range = Field(
        default=IPv4Network("10.40.0.0/16"), description="range of the private network, /16 to /22"
    )
    peers: tuple[IPv4Network, ...] = Field(
        default=(), description="ranges that will be connected to it (VPN, peering); none may overlap"
    )
    kubernetes_pods: Range = Field(
        default=IPv4Network("172.24.0.0/14"), description="range of pods, where kubernetes is true"
    )
    kubernetes_services: Range = Field(
        default=IPv4Network("172.20.0.0/16"), description="range of services, where kubernetes is true"
    )

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if not _LARGEST_NETWORK <= self.cidr.prefixlen <= _SMALLEST_NETWORK:
            size = "large" if self.cidr.prefixlen < _LARGEST_NETWORK else "small"
            raise ValueError(f"cidr {self.cidr} is too {size}: /16 to /22 hold the subnets of three zones")
        ranges = {"cidr": self.cidr, "pods": self.kubernetes_pods, "services": self.kubernetes_services}
        ranges |= {f"peers.{number}": peer for number, peer in enumerate(self.peers)}
        names = list(ranges)
        for number, one in enumerate(names):
            for other in names[number + 1 :]:
                if ranges[one].overlaps(ranges[other]):
                    raise ValueError(f"{one} {ranges[one]} and {other} {ranges[other]} overlap")
        return self


class GpuSettings(Part):
    """One kind of GPU that may be used."""

    size: str = Field(description="l4, a10, a100-40, a100-80 or h100; not every cloud has each")
    per_node: int = Field(default=1, ge=1, le=8, description="GPUs on one machine")
    max_nodes: int = Field(default=1, ge=0, le=64, description="machines at most; there are none when idle")
    spot: bool = Field(default=False, description="interruptible machines: cheaper, training resumes")


class ComputeSettings(Part):
    """What can be trained on."""

    gpu: tuple[GpuSettings, ...] = Field(default=(GpuSettings(size="l4"),), min_length=1)
    kubernetes: bool = Field(
        default=False, description="also EKS, GKE or AKS with GPU nodes from zero and Kubeflow Trainer"
    )
    notebooks: bool = Field(default=False, description="also the cloud's notebook service, private")

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        kinds = [(gpu.size, gpu.per_node) for gpu in self.gpu]
        for number, (size, per_node) in enumerate(kinds):
            if (size, per_node) in kinds[:number]:
                raise ValueError(f"gpu {size} with {per_node} on a machine is there twice")
        return self


class EndpointSettings(Part):
    """Autoscaling of one endpoint that the platform layer deploys."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,30}$")
    min_instances: int = Field(default=1, ge=1)
    max_instances: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_instances < self.min_instances:
            raise ValueError("max_instances is below min_instances")
        return self


class RetentionSettings(Part):
    """How long things are kept."""

    audit_years: int = Field(
        default=7, ge=LEAST_AUDIT_YEARS, le=_LONGEST_AUDIT_YEARS, description="audit logs, locked: 6 to 10"
    )
    noncurrent_days: int = Field(
        default=90, ge=7, le=3650, description="overwritten and deleted objects stay recoverable so long"
    )


class BudgetSettings(Part):
    """When spending raises an alarm."""

    monthly: int = Field(gt=0, description="in the billing account's currency")
    alert_percent: tuple[int, ...] = Field(default=(50, 80, 100), min_length=1)


class GithubSettings(Part):
    """The repository whose workflows may plan and deploy, without stored keys."""

    repository: str = Field(description="owner/name")
    environment: str = Field(
        default="production", pattern=_GITHUB_NAME, description="GitHub environment with reviewers"
    )

    @model_validator(mode="after")
    def _exact(self) -> Self:
        owner, slash, name = self.repository.partition("/")
        if any(character in self.repository for character in "*?"):
            raise ValueError(
                f"repository {self.repository!r} holds a wildcard: anybody's workflow could deploy"
            )
        if not slash or not re.match(_GITHUB_NAME, owner) or not re.match(_GITHUB_NAME, name):
            raise ValueError(f"repository {self.repository!r} is not owner/name")
        return self


class AwsSettings(Part):
    """Where on AWS."""

    account: str = Field(pattern=r"^\d{12}$", description="account number, 12 digits")
    replica_region: str = Field(description="second region for copies, in the same residency zone")


class GcpSettings(Part):
    """Where on Google Cloud."""

    project: str = Field(pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$")
    project_number: str = Field(pattern=r"^\d{6,14}$")
    organization: str = Field(pattern=r"^\d{6,14}$", description="number of the organisation")
    billing_account: str = Field(pattern=r"^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$")
    access_policy: str = Field(
        pattern=r"^\d{6,14}$", description="number of the Access Context Manager policy"
    )
    replica_region: str = Field(description="second region for copies, in the same residency zone")
    operators: Principal = Field(
        default="", description="who runs pipelines and may ask for break-glass; empty: the owner's group"
    )
    auditors: Principal = Field(
        default="", description="who reads the audit logs; empty: the group of the security contact"
    )
    approvers: Principal = Field(
        default="", description="who agrees to break-glass; empty: the group of the security contact"
    )
    persistent_resource: bool = Field(
        default=False, description="also GPU machines on stand-by: jobs start at once, and idle time costs"
    )


class AzureSettings(Part):
    """Where on Azure."""

    subscription: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    tenant: str = Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
    replica_region: str = Field(description="second region for copies, in the same residency zone")
    network_watcher: str = Field(
        default="", description="name of the region's network watcher; empty: Azure's default name"
    )
    runner_subnet: str = Field(
        default="",
        pattern=_AZURE_SUBNET,
        description="id of the subnet where Terraform runs: it alone reaches the state, and by peering the"
        " key vaults, which have no public address. A network of this deployment's own",
    )


def _is_own_group(group: str) -> str:
    if group.startswith("system:"):
        raise ValueError(f"{group} is a group of Kubernetes itself: far more than the people meant are in it")
    return group


Group = Annotated[str, Field(pattern=r"^\S+$"), AfterValidator(_is_own_group)]


class VolumeSettings(Part):
    """Encrypted volumes, in GiB."""

    datasets_gib: int = Field(default=1000, ge=1, description="decoded images that training reads")
    checkpoints_gib: int = Field(default=200, ge=1, description="from which an interrupted training goes on")
    models_gib: int = Field(default=100, ge=1, description="models that serving loads")
    shared: bool = Field(
        default=True,
        description="several machines mount them at once (ReadWriteMany); false: the storage class can't, "
        "and training stays on one machine",
    )


class OnpremSettings(Part):
    """Where in the hospital's own Kubernetes."""

    context: str = Field(min_length=1, description="kubectl context of the cluster")
    namespace: str = Field(default="isocenter", pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    storage_class: str = Field(description="storage class whose volumes are encrypted")
    registry: str = Field(description="image registry inside the network, host/path")
    object_store: str = Field(pattern=r"^(https|s3)://\S+$", description="URI of the object store")
    object_store_secret: str = Field(description="Kubernetes secret with its credentials")
    database_secret: str = Field(description="Kubernetes secret with key `url` of the PostgreSQL database")
    allowed_egress: tuple[Range, ...] = Field(
        default=(), description="ranges that workloads may reach: database, object store, API server"
    )
    allowed_ingress: tuple[Range, ...] = Field(
        default=(), description="ranges that may call the gateway: PACS, worklists, ingress controller"
    )
    volumes: VolumeSettings = VolumeSettings()
    auditors: Group = Field(
        default="isocenter-auditors", description="group of the identity provider that may read, not change"
    )
    break_glass: Group = Field(
        default="isocenter-break-glass",
        description="group for emergencies: empty until the identity provider adds somebody",
    )


class DeploymentSettings(Part):
    """One deployment, whole."""

    name: str = Field(pattern=NAME, description="names the target; 3 to 20 characters")
    cloud: Cloud = Field(description="aws, gcp, azure or onprem")
    region: str = Field(default="", description="the cloud's name of the place; empty on-premises")
    residency: str = Field(description="zone that data must stay in, e.g. eu")
    environment: Literal["dev", "staging", "prod"] = Field(default="dev", description="dev, staging or prod")
    owner: Email = Field(description="who answers for it")
    cost_centre: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="what it is charged to")
    data_classification: Literal["phi", "deidentified"] = Field(
        default="phi", description="phi (protected health information) or deidentified"
    )
    security_contact: Email = Field(description="who gets the alarms")
    prefix: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9-]{1,20}[a-z0-9])?$",
        description="starts every global name (buckets); empty: the name",
    )
    network: NetworkSettings = NetworkSettings()
    compute: ComputeSettings = ComputeSettings()
    endpoints: tuple[EndpointSettings, ...] = ()
    retention: RetentionSettings = RetentionSettings()
    budget: BudgetSettings | None = Field(default=None, description="needed in a cloud")
    github: GithubSettings | None = Field(default=None, description="needed in a cloud")
    aws: AwsSettings | None = None
    gcp: GcpSettings | None = None
    azure: AzureSettings | None = None
    onprem: OnpremSettings | None = None

    @model_validator(mode="after")
    def _matches_its_cloud(self) -> Self:
        for cloud in Cloud:
            given = getattr(self, cloud) is not None
            if given != (cloud is self.cloud):
                raise ValueError(
                    f"cloud is {self.cloud}: the part {cloud} must {'go' if given else 'be there'}"
                )
        if self.cloud is Cloud.ONPREM:
            self._check_sizes()
        else:
            self._check_cloud(cloud_offer(self.cloud))
        return self

    def _check_sizes(self) -> None:
        for gpu in self.compute.gpu:
            if gpu.size not in GPU_SIZES:
                near = difflib.get_close_matches(gpu.size.lower(), GPU_SIZES, n=2, cutoff=0.3) or GPU_SIZES
                raise ValueError(f"No GPU size {gpu.size!r}. Nearest: {', '.join(near)}")

    def _check_prefix(self) -> None:
        pattern, reserved = _RESERVED.get(self.cloud, ("$^", ""))
        if re.search(pattern, self.global_prefix):
            field, remedy = ("prefix", "choose another")
            if not self.prefix:
                field, remedy = "name", "write another as prefix"
            raise ValueError(
                f"{field} {self.global_prefix} begins the buckets' names, which may not {reserved}: {remedy}"
            )

    def _check_cloud(self, offer: CloudOffer) -> None:
        self._check_prefix()
        chosen = self.aws or self.gcp or self.azure
        assert chosen is not None  # noqa: S101 - checked just before
        for field in ("budget", "github"):
            if getattr(self, field) is None:
                raise ValueError(f"{field} is missing")
        try:
            places = {"region": self.region, f"{self.cloud}.replica_region": chosen.replica_region}
            for field, region in places.items():
                if offer.residency(region) != self.residency:
                    zone = offer.residency(region)
                    raise ValueError(f"{field} {region} lies in {zone!r}, residency is {self.residency!r}")
            for gpu in self.compute.gpu:
                counts = [machine.gpus for machine in offer.machines(gpu.size)]
                if gpu.per_node not in counts:
                    raise ValueError(
                        f"compute.gpu {gpu.size} comes {_listed(counts)} to a machine, not {gpu.per_node}"
                    )
        except InputError as error:
            raise ValueError(f"{error.message} {error.hint}".rstrip(".")) from error
        if chosen.replica_region == self.region:
            raise ValueError(
                f"{self.cloud}.replica_region is the region itself: copies would be lost with it"
            )

    @property
    def global_prefix(self) -> str:
        """What every globally unique name starts with."""
        return self.prefix or self.name

    @property
    def labels(self) -> dict[str, str]:
        """Tags or labels of every resource, in characters that each cloud allows."""
        return {
            "application": "isocenter",
            "deployment": self.name,
            "environment": self.environment,
            "owner": re.sub(r"[^a-z0-9_-]", "-", self.owner.lower()),
            "data-classification": self.data_classification,
            "cost-centre": self.cost_centre.lower(),
        }


def _listed(counts: list[int]) -> str:
    return " or ".join(str(count) for count in counts)


def subnets(network: IPv4Network, count: int) -> list[IPv4Network]:
    """``count`` equal subnets from the start of ``network``, each a quarter of it or less."""
    extra = max(2, (count - 1).bit_length() + 1)
    return list(network.subnets(prefixlen_diff=extra))[:count]
