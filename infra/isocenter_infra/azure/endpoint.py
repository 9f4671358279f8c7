"""A private address for a resource of Azure's."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktn_provider_azurerm.private_dns_zone import PrivateDnsZone
from cdktn_provider_azurerm.private_endpoint import (
    PrivateEndpoint,
    PrivateEndpointPrivateDnsZoneGroup,
    PrivateEndpointPrivateServiceConnection,
)
from cdktn_provider_azurerm.subnet import Subnet
from constructs import Construct

from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.zones import KINDS


@dataclass(frozen=True)
class Endpoints:
    """Makes private endpoints in one subnet.

    Args:
        names: of the deployment.
        place: where they lie.
        subnet: that gives the addresses.
        zones: that the addresses are written into, by name.
    """

    names: AzureNames
    place: Place
    subnet: Subnet
    zones: Mapping[str, PrivateDnsZone]

    def connect(self, scope: Construct, id_: str, target: str, kind: str) -> PrivateEndpoint:
        """Give the resource with the id ``target`` an address for its ``kind``, e.g. ``blob``."""
        name = self.names.of_purpose(id_)
        return PrivateEndpoint(
            scope,
            f"{id_}-endpoint",
            name=name,
            subnet_id=self.subnet.id,
            private_service_connection=PrivateEndpointPrivateServiceConnection(
                name=name,
                private_connection_resource_id=target,
                subresource_names=[kind],
                is_manual_connection=False,
            ),
            private_dns_zone_group=PrivateEndpointPrivateDnsZoneGroup(
                name=kind, private_dns_zone_ids=[self.zones[zone].id for zone in KINDS[kind]]
            ),
            **self.place.here,
        )
