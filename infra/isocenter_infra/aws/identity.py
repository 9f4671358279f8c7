"""Roles: workloads, GitHub's workflows without stored keys, the auditor, and break-glass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdktn_provider_aws.iam_openid_connect_provider import IamOpenidConnectProvider
from cdktn_provider_aws.iam_policy import IamPolicy
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from isocenter.targets.settings import GithubSettings
from isocenter_infra.aws import permissions
from isocenter_infra.aws.exclusive import only_policies
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.network import Network
from isocenter_infra.aws.policy_document import Statement, policy_document, trusting
from isocenter_infra.deployment import Deployment

ROLES = ("training", "serving", "pipeline", "ci-plan", "ci-deploy", "auditor", "break-glass")
_HOUR_S = 3600
_GITHUB = "token.actions.githubusercontent.com"
_MANAGED = "arn:aws:iam::aws:policy"


@dataclass(frozen=True)
class IdentityArgs:
    """What the identities need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        keys: that they may use.
        network: that jobs must run in.
        github: repository and environment whose workflows may plan and deploy.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys
    network: Network
    github: GithubSettings


class Identity(Construct):
    """One role each of ``ROLES``; ``arns`` by name."""

    def __init__(self, scope: Construct, id_: str, args: IdentityArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.boundary = IamPolicy(
            self,
            "boundary",
            name=f"{args.names.prefix}-boundary",
            description="What no role of this deployment may ever do",
            policy=policy_document(*permissions.boundary(args.names)),
        )
        github = IamOpenidConnectProvider(
            self, "github", url=f"https://{_GITHUB}", client_id_list=["sts.amazonaws.com"]
        )
        self.roles: dict[str, IamRole] = {}
        self._workloads()
        self._workflows(github.arn)
        self._people()

    @property
    def arns(self) -> Mapping[str, str]:
        """ARN by role."""
        return {name: role.arn for name, role in self.roles.items()}

    def _workloads(self) -> None:
        args, sagemaker = self._args, trusting("sagemaker", self._args.names.account)
        key, vpc = args.keys.data.arn, args.network.vpc.arn
        images = args.keys.registry.arn
        self._role("training", sagemaker, permissions.training(args.names, key, images, vpc))
        self._role("serving", sagemaker, permissions.serving(args.names, key, images, vpc))
        self._role(
            "pipeline",
            self._trusting_people({"StringEquals": {"aws:PrincipalTag/isocenter": "pipeline"}}),
            permissions.pipeline(args.names, key, [subnet.id for subnet in args.network.subnets]),
        )

    def _workflows(self, provider: str) -> None:
        repository, environment = self._args.github.repository, self._args.github.environment
        self._role(
            "ci-plan",
            _trusting_github(provider, f"repo:{repository}:pull_request"),
            permissions.ci_plan(self._args.names),
            managed=["SecurityAudit", "job-function/ViewOnlyAccess"],
        )
        self._role(
            "ci-deploy",
            _trusting_github(provider, f"repo:{repository}:environment:{environment}"),
            permissions.ci_deploy(self._args.names),
        )

    def _people(self) -> None:
        with_mfa = self._trusting_people({"Bool": {"aws:MultiFactorAuthPresent": "true"}})
        self._role(
            "auditor",
            with_mfa,
            permissions.auditor(self._args.names, self._args.keys.audit.arn),
            managed=["SecurityAudit"],
        )
        # Its every use raises an alarm (aws/alarms.py).
        self._role("break-glass", with_mfa, (), managed=["AdministratorAccess"], bounded=False)

    def _role(
        self,
        name: str,
        trust: str,
        statements: Sequence[Statement],
        *,
        managed: Sequence[str] = (),
        bounded: bool = True,
    ) -> None:
        role = IamRole(
            self,
            name,
            name=f"{self._args.names.prefix}-{name}",
            assume_role_policy=trust,
            max_session_duration=_HOUR_S,
            permissions_boundary=self.boundary.arn if bounded else None,
        )
        self.roles[name] = role
        policies = {policy.rpartition("/")[2].lower(): f"{_MANAGED}/{policy}" for policy in managed}
        if statements:
            own = IamPolicy(
                self,
                f"{name}-policy",
                name=f"{self._args.names.prefix}-{name}",
                policy=policy_document(*statements),
            )
            policies["own"] = own.arn
        attached = [
            IamRolePolicyAttachment(self, f"{name}-{suffix}", role=role.name, policy_arn=arn)
            for suffix, arn in policies.items()
        ]
        only_policies(self, role, attached=attached)

    def _trusting_people(self, condition: Mapping[str, Mapping[str, str]]) -> str:
        root = {"AWS": self._args.names.root}
        return policy_document(Statement("Assume", ["sts:AssumeRole"], principals=root, condition=condition))


def _trusting_github(provider: str, subject: str) -> str:
    """Only workflows with exactly this subject (https://docs.github.com/actions, OpenID Connect)."""
    return policy_document(
        Statement(
            "Assume",
            ["sts:AssumeRoleWithWebIdentity"],
            principals={"Federated": provider},
            condition={"StringEquals": {f"{_GITHUB}:aud": "sts.amazonaws.com", f"{_GITHUB}:sub": subject}},
        )
    )
