"""Identities: workloads, GitHub's workflows without stored keys, the auditor, and break-glass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cdktn_provider_azurerm.federated_identity_credential import FederatedIdentityCredential
from cdktn_provider_azurerm.role_definition import RoleDefinition, RoleDefinitionPermissions
from cdktn_provider_azurerm.user_assigned_identity import UserAssignedIdentity
from constructs import Construct

from isocenter.targets.settings import GithubSettings
from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.bucket import Bucket
from isocenter_infra.azure.grant import Condition, grant
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.permissions import PERMISSIONS
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.storage import Storage
from isocenter_infra.deployment import Deployment

ROLES = ("training", "serving", "pipeline", "ci-plan", "ci-deploy", "auditor", "break-glass")
_GITHUB = "https://token.actions.githubusercontent.com"
_AUDIENCE = "api://AzureADTokenExchange"
# Owner, User Access Administrator, Role Based Access Control Administrator, Contributor.
_ALMIGHTY = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
)
_READ, _CHANGE = "Storage Blob Data Reader", "Storage Blob Data Contributor"


@dataclass(frozen=True)
class IdentityArgs:
    """What the identities need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        place: where they lie.
        replica: the second place that workflows look after.
        keys: that they may use.
        storage: that they may read or write.
        audit: that they may write or read.
        github: repository and environment whose workflows may plan and deploy.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    replica: Place
    keys: Keys
    storage: Storage
    audit: Audit
    github: GithubSettings


class Identity(Construct):
    """One identity each of ``ROLES``, and the ``roles`` of our own that they are given."""

    def __init__(self, scope: Construct, id_: str, args: IdentityArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.roles = {name: self._role(name) for name in PERMISSIONS}
        self.users = {
            name: UserAssignedIdentity(self, name, name=args.names.of_purpose(name), **args.place.here)
            for name in ROLES
        }
        self._trust()
        self._workloads()
        self._workflows()
        self._people()

    @property
    def client_ids(self) -> Mapping[str, str]:
        """Client id by role: what a workload or workflow logs in as."""
        return {name: user.client_id for name, user in self.users.items()}

    def _role(self, name: str) -> RoleDefinition:
        args, may = self._args, PERMISSIONS[name]
        permissions = RoleDefinitionPermissions(
            actions=list(may.actions), data_actions=list(may.data_actions) or None
        )
        return RoleDefinition(
            self,
            f"{name}-role",
            name=f"{args.names.prefix} {name}",
            scope=args.names.subscription_id,
            assignable_scopes=[args.names.subscription_id],
            permissions=[permissions],
        )

    def _trust(self) -> None:
        """Who may become which: workflows of one repository, each by its exact subject."""
        repository, environment = self._args.github.repository, self._args.github.environment
        subjects = {
            "ci-plan": f"repo:{repository}:pull_request",
            "ci-deploy": f"repo:{repository}:environment:{environment}",
            # GitHub environments of these names, with reviewers, are the doors for people.
            "auditor": f"repo:{repository}:environment:auditor",
            "break-glass": f"repo:{repository}:environment:break-glass",
        }
        for name, subject in subjects.items():
            FederatedIdentityCredential(
                self,
                f"{name}-github",
                name="github",
                user_assigned_identity_id=self.users[name].id,
                issuer=_GITHUB,
                audience=[_AUDIENCE],
                subject=subject,
            )

    def _workloads(self) -> None:
        storage = self._args.storage
        data, models = storage.data, storage.models
        self._on_bucket("training", _READ, data)
        self._on_bucket("training", _CHANGE, models)
        self._on_bucket("serving", _READ, models)
        self._on_bucket("pipeline", _CHANGE, data)
        self._on_bucket("pipeline", _CHANGE, models)
        self._on_bucket("pipeline", self.roles["recorder"], self._args.audit.bucket)
        for started in ("training", "serving"):
            self._give("pipeline", "Managed Identity Operator", self.users[started].id, started)

    def _workflows(self) -> None:
        args = self._args
        places = {"here": args.place.group.id, "there": args.replica.group.id}
        workflows = [self.users[name].principal_id for name in ("ci-plan", "ci-deploy")]
        modest = _modest(_ALMIGHTY, workflows)
        for where, group in places.items():
            self._give("ci-plan", self.roles["planner"], group, where)
            self._give("ci-deploy", self.roles["deployer"], group, where, modest)
        self._give("ci-plan", self.roles["lookout"], args.names.subscription_id, "around")
        self._give("ci-deploy", self.roles["warden"], args.names.subscription_id, "around")
        for where, vault in {"here": args.keys.vault, "there": args.keys.replica_vault}.items():
            self._give("ci-plan", "Key Vault Reader", vault.vault.id, f"keys-{where}")
            self._give("ci-deploy", "Key Vault Crypto Officer", vault.vault.id, f"keys-{where}")
        self._give("ci-plan", _READ, args.names.state_container_id, "state")
        self._give("ci-deploy", _CHANGE, args.names.state_container_id, "state")

    def _people(self) -> None:
        args = self._args
        for where, group in {"here": args.place.group.id, "there": args.replica.group.id}.items():
            self._give("auditor", self.roles["auditor"], group, where)
        self._give("auditor", _READ, args.audit.bucket.account.id, "evidence")
        # Its every use raises an alarm (azure/alarms.py).
        held = {
            "data": args.storage.data.account.id,
            "models": args.storage.models.account.id,
            "keys": args.keys.vault.vault.id,
        }
        for what, on in held.items():
            self._give("break-glass", self.roles["break-glass"], on, what)

    def _on_bucket(self, name: str, role: str | RoleDefinition, bucket: Bucket) -> None:
        self._give(name, role, bucket.container.id, bucket.purpose)

    def _give(
        self,
        name: str,
        role: str | RoleDefinition,
        on: str,
        what: str,
        condition: Condition | None = None,
    ) -> None:
        grant(self, f"{name}-{what}", self.users[name], role, on, condition)


def _modest(roles: Sequence[str], principals: Sequence[str]) -> Condition:
    """Grants may be made and taken back, but of none of these ``roles``, and to none of ``principals``."""
    attribute = "Microsoft.Authorization/roleAssignments"
    forbidden = (
        ("write", f"@Request[{attribute}:RoleDefinitionId]", roles),
        ("write", f"@Request[{attribute}:PrincipalId]", principals),
        ("delete", f"@Resource[{attribute}:RoleDefinitionId]", roles),
    )
    clauses = (
        f"((!(ActionMatches{{'{attribute}/{action}'}}))"
        f" OR ({what} ForAnyOfAllValues:GuidNotEquals {{{', '.join(ids)}}}))"
        for action, what, ids in forbidden
    )
    return Condition(" AND ".join(clauses))
