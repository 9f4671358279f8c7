"""The network makes no subnets and no way to the internet by itself."""

from isocenter_policies.rule import Body, Rule


class NetworkClosed(Rule):
    id = "ISO_GCP_019"
    severity = "high"
    title = "The network makes no subnets and no way to the internet by itself"
    why = "An automatic network has a subnet in each region and a default route out."
    fix = "Set auto_create_subnetworks to false and delete_default_routes_on_create to true."
    control = 16
    kinds = ("google_compute_network",)

    def holds(self, body: Body) -> bool | None:
        by_hand = body.get("auto_create_subnetworks") is False
        return by_hand and body.get("delete_default_routes_on_create") is True


CHECK = NetworkClosed()
