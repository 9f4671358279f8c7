"""A resource group in one region: where a deployment's resources lie."""

from dataclasses import dataclass
from typing import Any

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.resource_group import ResourceGroup
from constructs import Construct

from isocenter_infra.deployment import Deployment


@dataclass(frozen=True)
class PlaceArgs:
    """What a place needs to know.

    Args:
        deployment: it belongs to.
        name: of the resource group.
        region: of all that lies in it.
    """

    deployment: Deployment
    name: str
    region: str


class Place(Construct):
    """The group, and what each resource says about where it lies."""

    def __init__(self, scope: Construct, id_: str, args: PlaceArgs) -> None:
        super().__init__(scope, id_)
        self.region = args.region
        self.tags = args.deployment.labels
        self.group = ResourceGroup(
            self,
            "group",
            name=args.name,
            location=args.region,
            tags=self.tags,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )

    @property
    def within(self) -> dict[str, Any]:
        """The arguments of a resource that has no region or tags of its own."""
        return {"resource_group_name": self.group.name}

    @property
    def here(self) -> dict[str, Any]:
        """The arguments of a resource that lies here; the provider has no default tags."""
        return {**self.within, "location": self.region, "tags": self.tags}
