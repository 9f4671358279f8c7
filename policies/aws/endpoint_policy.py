"""A VPC endpoint lets through only the deployment's own account."""

from isocenter_policies.iam import Statement, statements
from isocenter_policies.rule import Body, Rule

_KEYS = ("aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths")


def _own_account(statement: Statement) -> bool:
    return any(statement.condition(key) for key in _KEYS)


class EndpointPolicy(Rule):
    id = "ISO_AWS_030"
    severity = "high"
    title = "A VPC endpoint lets through only the deployment's own account"
    why = "Through an open endpoint a job can copy patient data into a stranger's bucket."
    fix = (
        "Give the endpoint a policy whose allowances have a condition on aws:ResourceAccount or "
        "aws:ResourceOrgID, or name the resources."
    )
    control = 19
    kinds = (
        "aws_vpc_endpoint",
        "aws_vpc_endpoint_policy",
    )

    def holds(self, body: Body) -> bool | None:
        found = statements(body, "policy")
        return bool(found) and all(not s.allows or not s.any_resource or _own_account(s) for s in found)


CHECK = EndpointPolicy()
