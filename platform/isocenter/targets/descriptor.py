"""The deployment descriptor: what ``make deploy`` leaves behind about one target.

Its fields are the same for every cloud; what only one service understands is in ``settings``.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError
from isocenter.targets.target import Target


class DeploymentDescriptor(BaseModel):
    """One JSON file in the folder of deployments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
    provider: Literal["aws", "gcp", "azure", "onprem"]
    backend: str = Field(min_length=1)
    region: str = ""
    residency: str | None = Field(default=None, description="zone that data sent there stays in")
    settings: dict[str, Any] = Field(default_factory=dict, description="in the backend's own terms")


def read_descriptor(path: Path) -> Target:
    """The target that a descriptor file describes.

    Raises:
        InputError: it can't be read, or a field is wrong.
    """
    try:
        found = DeploymentDescriptor.model_validate_json(path.read_bytes())
    except OSError as error:
        message = f"The deployment descriptor {path.name!r} can't be read: {error.strerror}."
        raise InputError(message) from error
    except ValidationError as error:
        faults = field_faults(error, DeploymentDescriptor)
        raise InputError(f"The deployment descriptor {path.name!r} is wrong: {faults}.") from error
    return Target(
        name=found.name,
        backend=found.backend,
        provider=found.provider,
        region=found.region,
        residency=found.residency,
        settings=found.settings,
        origin=path.name,
    )
