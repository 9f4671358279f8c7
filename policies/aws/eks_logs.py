"""Kubernetes logs all of its control plane, and secrets are encrypted with our key."""

from isocenter_policies.rule import Body, Rule


class EksLogs(Rule):
    id = "ISO_AWS_049"
    severity = "medium"
    title = "Kubernetes logs all of its control plane, and secrets are encrypted with our key"
    why = "Without the audit log nobody can say who read a secret."
    fix = (
        "List api, audit, authenticator, controllerManager and scheduler in "
        "enabled_cluster_log_types; set encryption_config."
    )
    control = 9
    kinds = ("aws_eks_cluster",)

    def holds(self, body: Body) -> bool | None:
        wanted = {"api", "audit", "authenticator", "controllerManager", "scheduler"}
        return wanted <= set(body.texts("enabled_cluster_log_types")) and bool(
            body.get("encryption_config.provider.key_arn")
        )


CHECK = EksLogs()
