"""A security rule that allows names its protocol and its ports."""

from isocenter_policies.rule import Body, Rule

_EVERY_PORT = ("*", "0-65535", "1-65535")


def _is_narrow(rule: Body) -> bool:
    if rule.get("protocol") in ("Icmp", "Esp", "Ah"):  # these have no ports
        return True
    ports = [*rule.texts("destination_port_range"), *rule.texts("destination_port_ranges")]
    return rule.get("protocol") != "*" and bool(ports) and not any(port in _EVERY_PORT for port in ports)


class RuleNamed(Rule):
    id = "ISO_AZURE_062"
    severity = "high"
    title = "A security rule that allows names its protocol and its ports"
    why = "Each port that nobody needs is one that an attacker may use."
    fix = "Set protocol to Tcp or Udp and destination_port_range to the port."
    control = 20
    kinds = (
        "azurerm_network_security_rule",
        "azurerm_network_security_group",
    )

    def holds(self, body: Body) -> bool | None:
        rules = body.blocks("security_rule") if body.get("direction") is None else [body]
        allowing = [rule for rule in rules if rule.get("access") == "Allow"]
        return all(_is_narrow(rule) or self._is_in_cluster(rule) for rule in allowing)

    def _is_in_cluster(self, rule: Body) -> bool:
        """Whether both ends are Kubernetes' own (nodes, pods, API, probes): it chooses the ports there."""
        ranges = {"AzureLoadBalancer"}
        for cluster in self.resources("azurerm_kubernetes_cluster").values():
            ranges.update(cluster.texts("network_profile.pod_cidr"))
            for address, subnet in self.resources("azurerm_subnet").items():
                if f"{address}." in str(cluster.content):
                    ranges.update(subnet.texts("address_prefixes"))
        sources, targets = (
            {*rule.texts(f"{end}_address_prefix"), *rule.texts(f"{end}_address_prefixes")}
            for end in ("source", "destination")
        )
        return bool(sources and targets) and sources | targets <= ranges


CHECK = RuleNamed()
