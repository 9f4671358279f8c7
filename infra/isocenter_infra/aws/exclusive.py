"""Roles and security groups that hold what the stack gives them and nothing else.

Terraform compares what it made. A policy that was attached by hand, or a rule that was added, is nothing that
it made, and stays unseen; with these resources it is drift, and the next apply takes it away.
"""

from collections.abc import Sequence

from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policies_exclusive import IamRolePoliciesExclusive
from cdktn_provider_aws.iam_role_policy import IamRolePolicy
from cdktn_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktn_provider_aws.iam_role_policy_attachments_exclusive import IamRolePolicyAttachmentsExclusive
from cdktn_provider_aws.security_group import SecurityGroup
from cdktn_provider_aws.vpc_security_group_egress_rule import VpcSecurityGroupEgressRule
from cdktn_provider_aws.vpc_security_group_ingress_rule import VpcSecurityGroupIngressRule
from cdktn_provider_aws.vpc_security_group_rules_exclusive import VpcSecurityGroupRulesExclusive
from constructs import Construct


def only_policies(
    scope: Construct,
    role: IamRole,
    *,
    attached: Sequence[IamRolePolicyAttachment] = (),
    inline: Sequence[IamRolePolicy] = (),
) -> None:
    """``role`` has these policies, attached and inline, and no others."""
    id_ = role.node.id
    IamRolePolicyAttachmentsExclusive(
        scope, f"{id_}-attached", role_name=role.name, policy_arns=[each.policy_arn for each in attached]
    )
    IamRolePoliciesExclusive(
        scope, f"{id_}-inline", role_name=role.name, policy_names=[each.name for each in inline]
    )


def only_rules(
    scope: Construct,
    group: SecurityGroup,
    *,
    ingress: Sequence[VpcSecurityGroupIngressRule],
    egress: Sequence[VpcSecurityGroupEgressRule] = (),
) -> None:
    """``group`` has these rules and no others."""
    VpcSecurityGroupRulesExclusive(
        scope,
        f"{group.node.id}-rules",
        security_group_id=group.id,
        ingress_rule_ids=[each.security_group_rule_id for each in ingress],
        egress_rule_ids=[each.security_group_rule_id for each in egress],
    )
