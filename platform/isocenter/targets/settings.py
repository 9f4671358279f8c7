"""The settings of one deployment: what its owner decides before anything is provisioned.

One YAML file a deployment, ``deployments/<name>.yaml``. `isocenter target init` writes a commented one.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from ipaddress import IPv4Network
from itertools import combinations
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError, core_schema

from isocenter.domain.field_faults import WHOLE_SENTENCE
from isocenter.targets import forms
from isocenter.targets.agreement import disagreements

_LONGEST_AUDIT_YEARS = 10
# The largest and the smallest that each range may be, as lengths of the prefix, and what for.
# EKS takes /12 to /24 for services, AKS less than /12.
# https://docs.aws.amazon.com/eks/latest/APIReference/API_KubernetesNetworkConfigRequest.html
_SIZES = {
    "cidr": (16, 22, "hold the subnets of three zones"),
    "kubernetes_pods": (8, 21, "have 256 addresses for each of eight machines"),
    "kubernetes_services": (16, 24, "are taken by each cloud"),
}


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
            known = cls.model_fields
            return {key: item for key, item in value.items() if item is not None or key not in known}
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _is_no_expression(cls, value: Any) -> Any:
        """Terraform would put a file's content or a secret in its place, and a policy wouldn't see it."""
        for text in value if isinstance(value, list | tuple) else [value]:
            opening = re.search(r"[$%]\{", text) if isinstance(text, str) else None
            if opening:
                raise ValueError(
                    f"{opening[0]} begins an expression of Terraform, which settings can't hold: take it out"
                )
        return value


class NetworkSettings(Part):
    """Address ranges."""

    cidr: forms.Range = Field(
        default=IPv4Network("10.40.0.0/16"), description="range of the private network, /16 to /22"
    )
    peers: tuple[forms.Network, ...] = Field(
        default=(), description="ranges that will be connected to it (VPN, peering); none may overlap"
    )
    kubernetes_pods: forms.Range = Field(
        default=IPv4Network("172.24.0.0/14"),
        description="range of pods, where kubernetes is true, /21 or larger",
    )
    kubernetes_services: forms.Range = Field(
        default=IPv4Network("172.20.0.0/16"),
        description="range of services, where kubernetes is true, /16 to /24",
    )

    @model_validator(mode="after")
    def _fit(self) -> Self:
        faults = [*self._sizes(), *self._overlaps()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _sizes(self) -> Iterator[str]:
        for name, (largest, smallest, why) in _SIZES.items():
            network: IPv4Network = getattr(self, name)
            if not largest <= network.prefixlen <= smallest:
                size, fits = ("large", smallest) if network.prefixlen < largest else ("small", largest)
                right = IPv4Network((network.network_address, fits), strict=False)
                yield f"{name} {network} is too {size}: /{largest} to /{smallest} {why}, e.g. {right}"

    def _overlaps(self) -> Iterator[str]:
        ranges: dict[str, IPv4Network] = {name: getattr(self, name) for name in _SIZES}
        ranges |= {f"peers.{number}": peer for number, peer in enumerate(self.peers)}
        for one, other in combinations(ranges, 2):
            if ranges[one].overlaps(ranges[other]):
                yield f"{one} {ranges[one]} and {other} {ranges[other]} overlap: give one another range"


class GpuSettings(Part):
    """One kind of GPU that may be used."""

    size: str = Field(description="l4, a10, a100-40, a100-80 or h100; not every cloud has each")
    per_node: forms.Count = Field(default=1, ge=1, le=8, description="GPUs on one machine")
    max_nodes: forms.Count = Field(
        default=1, ge=0, le=64, description="machines at most; there are none when idle"
    )
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
                raise ValueError(f"gpu {size} with {per_node} on a machine is there twice: take one out")
        return self


class EndpointSettings(Part):
    """Autoscaling of one endpoint that the platform layer deploys."""

    name: forms.EndpointName
    min_instances: forms.Count = Field(default=1, ge=1)
    max_instances: forms.Count = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_instances < self.min_instances:
            raise ValueError(
                f"max_instances {self.max_instances} is below min_instances {self.min_instances}"
            )
        return self


class RetentionSettings(Part):
    """How long things are kept."""

    audit_years: forms.AuditYears = Field(
        default=7, le=_LONGEST_AUDIT_YEARS, description="audit logs, locked: 6 to 10"
    )
    noncurrent_days: forms.Count = Field(
        default=90, ge=7, le=3650, description="overwritten and deleted objects stay recoverable so long"
    )


class BudgetSettings(Part):
    """When spending raises an alarm."""

    monthly: forms.Count = Field(gt=0, description="in the billing account's currency")
    alert_percent: tuple[Annotated[forms.Count, Field(ge=1)], ...] = Field(
        default=(50, 80, 100), min_length=1
    )


class GithubSettings(Part):
    """The repository whose workflows may plan and deploy, without stored keys."""

    repository: forms.Repository = Field(description="owner/name")
    environment: forms.GithubName = Field(
        default="production", description="GitHub environment with reviewers"
    )


class AwsSettings(Part):
    """Where on AWS."""

    account: forms.AwsAccount = Field(description="account number, 12 digits")
    replica_region: str = Field(description="second region for copies, in the same residency zone")


class GcpSettings(Part):
    """Where on Google Cloud."""

    project: forms.GcpProject
    project_number: forms.GcpNumber
    organization: forms.GcpNumber = Field(description="number of the organisation")
    billing_account: forms.BillingAccount
    access_policy: forms.GcpNumber = Field(description="number of the Access Context Manager policy")
    replica_region: str = Field(description="second region for copies, in the same residency zone")
    operators: forms.Principal = Field(
        default="", description="who runs pipelines and may ask for break-glass; empty: the owner's group"
    )
    auditors: forms.Principal = Field(
        default="", description="who reads the audit logs; empty: the group of the security contact"
    )
    approvers: forms.Principal = Field(
        default="", description="who agrees to break-glass; empty: the group of the security contact"
    )
    persistent_resource: bool = Field(
        default=False, description="also GPU machines on stand-by: jobs start at once, and idle time costs"
    )


class AzureSettings(Part):
    """Where on Azure."""

    subscription: forms.Guid
    tenant: forms.Guid
    replica_region: str = Field(description="second region for copies, in the same residency zone")
    network_watcher: str = Field(
        default="", description="name of the region's network watcher; empty: Azure's default name"
    )
    runner_subnet: forms.AzureSubnet = Field(
        default="",
        description="id of the subnet where Terraform runs: it alone reaches the state, and by peering the"
        " key vaults, which have no public address. A network of this deployment's own",
    )


class VolumeSettings(Part):
    """Encrypted volumes, in GiB."""

    datasets_gib: forms.Count = Field(default=1000, ge=1, description="decoded images that training reads")
    checkpoints_gib: forms.Count = Field(
        default=200, ge=1, description="from which an interrupted training goes on"
    )
    models_gib: forms.Count = Field(default=100, ge=1, description="models that serving loads")
    shared: bool = Field(
        default=True,
        description="several machines mount them at once (ReadWriteMany); false: the storage class can't, "
        "and training stays on one machine",
    )


class OnpremSettings(Part):
    """Where in the hospital's own Kubernetes."""

    context: str = Field(min_length=1, description="kubectl context of the cluster")
    namespace: forms.Namespace = "isocenter"
    storage_class: forms.KubernetesName = Field(description="storage class whose volumes are encrypted")
    registry: forms.Registry = Field(description="image registry inside the network, host/path")
    object_store: forms.ObjectStore = Field(description="URI of the object store")
    object_store_secret: forms.KubernetesName = Field(description="Kubernetes secret with its credentials")
    database_secret: forms.KubernetesName = Field(
        description="Kubernetes secret with key `url` of the PostgreSQL database"
    )
    allowed_egress: tuple[forms.Range, ...] = Field(
        default=(), description="ranges that workloads may reach: database, object store, API server"
    )
    allowed_ingress: tuple[forms.Range, ...] = Field(
        default=(), description="ranges that may call the gateway: PACS, worklists, ingress controller"
    )
    volumes: VolumeSettings = VolumeSettings()
    auditors: forms.Group = Field(
        default="isocenter-auditors", description="group of the identity provider that may read, not change"
    )
    break_glass: forms.Group = Field(
        default="isocenter-break-glass",
        description="group for emergencies: empty until the identity provider adds somebody",
    )


class DeploymentSettings(Part):
    """One deployment, whole."""

    name: forms.Name = Field(description="names the target; 3 to 20 characters")
    cloud: Cloud = Field(description="aws, gcp, azure or onprem")
    region: str = Field(default="", description="the cloud's name of the place; empty on-premises")
    residency: forms.Zone = Field(description="zone that data must stay in, e.g. eu")
    environment: Literal["dev", "staging", "prod"] = Field(default="dev", description="dev, staging or prod")
    owner: forms.Email = Field(description="who answers for it")
    cost_centre: forms.CostCentre = Field(description="what it is charged to")
    data_classification: Literal["phi", "deidentified"] = Field(
        default="phi", description="phi (protected health information) or deidentified"
    )
    security_contact: forms.Email = Field(description="who gets the alarms")
    prefix: forms.Prefix = Field(
        default="",
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

    @model_validator(mode="wrap")
    @classmethod
    def _all_faults_at_once(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Also what doesn't fit together is told where another field is wrong by itself."""
        try:
            made = handler(value)
        except ValidationError as error:
            details, sound = error.errors(), cls._sound_fields(value, error)
        else:
            details, sound = [], {name: getattr(made, name) for name in cls.model_fields}
        apart = [
            InitErrorDetails(
                type=PydanticCustomError(WHOLE_SENTENCE, "{said}", {"said": fault.sentence}),
                loc=fault.place,
                input=None,
            )
            for fault in disagreements(sound)
        ]
        if details or apart:
            raise ValidationError.from_exception_data(cls.__name__, [*map(_again, details), *apart])
        return made

    @classmethod
    def _sound_fields(cls, value: Any, error: ValidationError) -> dict[str, Any]:
        """The values of the fields that nothing is wrong with."""
        wrong = {next(iter(detail["loc"]), "") for detail in error.errors()}
        if "" in wrong:
            return {}
        return {
            name: field.get_default()
            if value.get(name) is None
            else TypeAdapter(field.annotation or Any).validate_python(value[name])
            for name, field in cls.model_fields.items()
            if name not in wrong
        }

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


def _again(detail: ErrorDetails) -> InitErrorDetails:
    """A fault as pydantic told it, to be raised together with others."""
    kind: Any = detail["type"]
    if kind not in get_args(core_schema.ErrorType):
        kind = PydanticCustomError(kind, "{said}", {"said": detail["msg"]})
    return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=detail.get("ctx", {}))


def subnets(network: IPv4Network, count: int) -> list[IPv4Network]:
    """``count`` equal subnets from the start of ``network``, each a quarter of it or less."""
    extra = max(2, (count - 1).bit_length() + 1)
    return list(network.subnets(prefixlen_diff=extra))[:count]
