"""The Azure ML workspace: no public access, a network of its own that lets out only what is approved."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.application_insights import ApplicationInsights
from cdktn_provider_azurerm.container_registry import ContainerRegistry
from cdktn_provider_azurerm.machine_learning_workspace import (
    MachineLearningWorkspace,
    MachineLearningWorkspaceEncryption,
    MachineLearningWorkspaceIdentity,
    MachineLearningWorkspaceManagedNetwork,
)
from cdktn_provider_azurerm.role_assignment import RoleAssignment
from cdktn_provider_azurerm.user_assigned_identity import UserAssignedIdentity
from constructs import Construct

from isocenter_infra.azure import trail
from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.bucket import Bucket, BucketArgs
from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.network import Network
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.storage import Storage
from isocenter_infra.azure.vault import Vault, VaultArgs
from isocenter_infra.deployment import Deployment

_APPROVER = "Azure AI Enterprise Network Connection Approver"


@dataclass(frozen=True)
class WorkspaceArgs:
    """What the workspace needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        keys: that encrypt it.
        storage: that its network is let out to.
        audit: that keeps its logs.
        network: that it is reached through.
        registry: that its images come from.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    keys: Keys
    storage: Storage
    audit: Audit
    network: Network
    registry: ContainerRegistry


class Workspace(Construct):
    """The workspace, and the account, vault and insights that Azure ML wants for itself."""

    def __init__(self, scope: Construct, id_: str, args: WorkspaceArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        deployment, names, place = args.deployment, args.names, args.place
        self.bucket = Bucket(
            self, "bucket", BucketArgs(deployment, names, place, "workspace", args.keys.data)
        )
        self.vault = Vault(self, "vault", VaultArgs(deployment, names, place, "ml"))
        self.user = UserAssignedIdentity(self, "user", name=names.of_purpose("workspace"), **place.here)
        self.insights = self._insights()
        self.workspace = self._workspace(self._grants())
        self._connect()

    def _insights(self) -> ApplicationInsights:
        return ApplicationInsights(
            self,
            "insights",
            name=self._args.names.of_purpose("workspace"),
            application_type="web",
            workspace_id=self._args.audit.workspace.id,
            local_authentication_enabled=False,
            internet_ingestion_enabled=False,
            internet_query_enabled=False,
            ip_masking_enabled=True,
            **self._args.place.here,
        )

    def _grants(self) -> list[RoleAssignment]:
        """What Azure ML does in our name: its own store and vault, our images, its private endpoints."""
        args, bucket = self._args, self.bucket.account.id
        wanted = {
            "blobs": ("Storage Blob Data Contributor", bucket),
            "files": ("Storage File Data Privileged Contributor", bucket),
            "secrets": ("Key Vault Secrets Officer", self.vault.vault.id),
            "images": ("AcrPull", args.registry.id),
            "key": (
                "Key Vault Crypto Service Encryption User",
                args.keys.data.key.resource_versionless_id,
            ),
            "approve-own": (_APPROVER, bucket),
            "approve-data": (_APPROVER, args.storage.data.account.id),
            "approve-models": (_APPROVER, args.storage.models.account.id),
            "approve-images": (_APPROVER, args.registry.id),
            "approve-secrets": (_APPROVER, self.vault.vault.id),
        }
        return [grant(self, name, self.user, role, on) for name, (role, on) in wanted.items()]

    def _workspace(self, grants: list[RoleAssignment]) -> MachineLearningWorkspace:
        args = self._args
        return MachineLearningWorkspace(
            self,
            "workspace",
            name=args.names.prefix,
            application_insights_id=self.insights.id,
            key_vault_id=self.vault.vault.id,
            storage_account_id=self.bucket.account.id,
            container_registry_id=args.registry.id,
            # Its own store is read under an identity too: the account has no keys to read it with.
            storage_account_access_type="Identity",
            high_business_impact=True,
            public_network_access_enabled=False,
            v1_legacy_mode_enabled=False,
            identity=MachineLearningWorkspaceIdentity(type="UserAssigned", identity_ids=[self.user.id]),
            primary_user_assigned_identity=self.user.id,
            encryption=MachineLearningWorkspaceEncryption(
                key_vault_id=args.keys.vault.vault.id,
                key_id=args.keys.data.key.id,
                user_assigned_identity_id=self.user.id,
            ),
            service_side_encryption_enabled=True,
            managed_network=MachineLearningWorkspaceManagedNetwork(
                isolation_mode="AllowOnlyApprovedOutbound", provision_on_creation_enabled=True
            ),
            depends_on=grants,
            lifecycle=TerraformResourceLifecycle(
                prevent_destroy=args.deployment.protect,
                # The id names a version; a rotated key must not make the workspace anew.
                ignore_changes=["encryption[0].key_id"],
            ),
            **args.place.here,
        )

    def _connect(self) -> None:
        args, connect = self._args, self._args.network.endpoints.connect
        for kind in ("blob", "file"):
            connect(self, f"workspace-{kind}", self.bucket.account.id, kind)
        connect(self, "workspace-vault", self.vault.vault.id, "vault")
        connect(self, "workspace", self.workspace.id, "amlworkspace")
        args.network.observe("workspace", self.insights.id)
        follow = args.audit.trail.follow
        follow(self, "logs", self.workspace.id, trail.WORKSPACE)
        follow(self, "bucket-logs", self.bucket.blobs, trail.STORAGE)
        follow(self, "vault-logs", self.vault.vault.id, trail.VAULT)
