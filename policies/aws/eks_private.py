"""The Kubernetes API can't be reached from the internet."""

from isocenter_policies.rule import Body, Rule


class EksPrivate(Rule):
    id = "ISO_AWS_047"
    severity = "critical"
    title = "The Kubernetes API can't be reached from the internet"
    why = "The API rules every workload; what the world can reach, the world can attack."
    fix = "Set vpc_config.endpoint_public_access to false and endpoint_private_access to true."
    control = 29
    kinds = ("aws_eks_cluster",)

    def holds(self, body: Body) -> bool | None:
        private = body.get("vpc_config.endpoint_private_access") is True
        return private and body.get("vpc_config.endpoint_public_access") is False


CHECK = EksPrivate()
