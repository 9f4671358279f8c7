"""The cluster is protected from deletion."""

from isocenter_policies.rule import Body, Rule


class ClusterDeletionProtection(Rule):
    id = "ISO_AWS_060"
    severity = "medium"
    title = "The cluster is protected from deletion"
    why = "With the cluster its running jobs and their state are gone."
    fix = "Set deletion_protection to true."
    control = 35
    kinds = (
        "aws_eks_cluster",
        "aws_db_instance",
        "aws_rds_cluster",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("deletion_protection") is True


CHECK = ClusterDeletionProtection()
