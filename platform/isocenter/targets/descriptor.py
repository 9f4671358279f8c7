"""The deployment descriptor: what ``make deploy`` leaves behind about one target.

Its fields are the same for every cloud; what only one service understands is in ``settings``. It holds names
and addresses, never a secret.
"""

from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError
from isocenter.targets.forms import TargetName
from isocenter.targets.target import Target

_WRITTEN_BY = "`make deploy` writes it: run it again, or mend or take out the file."
_SECRET_WORDS = (
    "password",
    "secret_key",
    "access_key",
    "private_key",
    "client_secret",
    "token",
    "connection_string",
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GpuOnOffer(_Part):
    """A GPU that jobs may ask for: at most ``max_nodes`` machines with ``per_node`` of them."""

    size: str
    per_node: int
    max_nodes: int
    machine: str
    spot: bool = False


class DescribedNetwork(_Part):
    """Where workloads run."""

    id: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = Field(default=(), description="or what the cloud has in their place")


class DescribedBounds(_Part):
    """How many instances each version behind an endpoint may have."""

    min_instances: int = Field(ge=1)
    max_instances: int = Field(ge=1)


class DeploymentDescriptor(_Part):
    """One JSON file in the folder of deployments."""

    schema_version: Literal[1] = 1
    name: TargetName
    provider: Literal["aws", "gcp", "azure", "onprem"]
    backend: str = Field(min_length=1)
    region: str = ""
    residency: str | None = Field(default=None, description="zone that data sent there stays in")
    environment: str = ""
    buckets: Mapping[str, str] = Field(
        default_factory=dict, description="URI by purpose: data, models, audit, logs"
    )
    keys: Mapping[str, str] = Field(
        default_factory=dict, description="key id by purpose: data, audit, registry, secrets"
    )
    registry: str = Field(default="", description="where images are pushed, host/path")
    identities: Mapping[str, str] = Field(
        default_factory=dict,
        description="by role: training, serving, pipeline, ci-plan, ci-deploy, auditor, break-glass",
    )
    network: DescribedNetwork = DescribedNetwork()
    workspace: str = Field(default="", description="of the ML service")
    gpu: tuple[GpuOnOffer, ...] = ()
    log_sink: str = Field(default="", description="where audit logs are kept, locked")
    endpoints: Mapping[str, str] = Field(
        default_factory=dict, description="addresses of services, where they differ from the cloud's own"
    )
    endpoint_bounds: Mapping[str, DescribedBounds] = Field(
        default_factory=dict, description="by endpoint of the settings; rollouts keep to them"
    )
    labels: Mapping[str, str] = Field(default_factory=dict)
    by_platform: tuple[str, ...] = Field(
        default=(), description="what the cloud's provider can't express and the platform layer does"
    )
    left_out: Mapping[str, str] = Field(
        default_factory=dict, description="resources that an emulator can't hold: type and reason"
    )
    emulated: bool = False
    settings: dict[str, Any] = Field(default_factory=dict, description="in the backend's own terms")

    @model_validator(mode="after")
    def _holds_no_secret(self) -> Self:
        for place in _places(self.model_dump()):
            if any(word in place.rsplit(".", 1)[-1].lower() for word in _SECRET_WORDS):
                raise ValueError(f"{place} looks like a secret; a descriptor holds none")
        return self


def _places(value: Any, place: str = "") -> list[str]:
    if isinstance(value, Mapping):
        return [inner for key, item in value.items() for inner in _places(item, f"{place}.{key}".lstrip("."))]
    return [place]


def load_descriptor(path: Path) -> DeploymentDescriptor:
    """The descriptor in a file.

    Raises:
        InputError: it can't be read, or a field is wrong.
    """
    try:
        return DeploymentDescriptor.model_validate_json(path.read_bytes().removeprefix(BOM_UTF8))
    except OSError as error:
        message = f"The deployment descriptor {path.name!r} can't be read: {error.strerror}."
        raise InputError(message, hint=_WRITTEN_BY) from error
    except ValidationError as error:
        faults = field_faults(error, DeploymentDescriptor)
        message = f"The deployment descriptor {path.name!r} is wrong: {faults}."
        raise InputError(message, hint=_WRITTEN_BY) from error


def read_descriptor(path: Path) -> Target:
    """The target that a descriptor file describes.

    Raises:
        InputError: it can't be read, or a field is wrong.
    """
    found = load_descriptor(path)
    return Target(
        name=found.name,
        backend=found.backend,
        provider=found.provider,
        region=found.region,
        residency=found.residency,
        settings={**found.settings, "descriptor": found.model_dump(mode="json")},
        origin=path.name,
    )
