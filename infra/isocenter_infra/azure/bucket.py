"""One storage account as every account must be: encrypted, versioned, private, TLS only, without keys."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.storage_account import (
    StorageAccount,
    StorageAccountBlobProperties,
    StorageAccountBlobPropertiesContainerDeleteRetentionPolicy,
    StorageAccountBlobPropertiesDeleteRetentionPolicy,
    StorageAccountCustomerManagedKey,
    StorageAccountIdentity,
    StorageAccountNetworkRules,
    StorageAccountSasPolicy,
)
from cdktn_provider_azurerm.storage_container import StorageContainer
from cdktn_provider_azurerm.storage_management_policy import (
    StorageManagementPolicy,
    StorageManagementPolicyRule,
    StorageManagementPolicyRuleActions,
    StorageManagementPolicyRuleActionsBaseBlob,
    StorageManagementPolicyRuleActionsVersion,
    StorageManagementPolicyRuleFilters,
)
from constructs import Construct

from isocenter_infra.azure.key import Key
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.deployment import Deployment

# Azure keeps what was deleted for no longer.
_LONGEST_SOFT_DELETE_DAYS = 365


@dataclass(frozen=True)
class BucketArgs:
    """What one bucket needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        purpose: ends the account's name, and names its container.
        key: that encrypts it.
        expires_days: days after which its objects are deleted; None: never.
        tidied: whether old versions go after the days in the settings.
        subnets: ids of subnets that may reach it beside its private endpoints.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    purpose: str
    key: Key
    expires_days: int | None = None
    tidied: bool = True
    subnets: tuple[str, ...] = ()


class Bucket(Construct):
    """The account, one container in it, and the rule that tidies old versions away.

    The account is flat: Azure neither versions nor replicates the objects of a hierarchical one.
    """

    def __init__(self, scope: Construct, id_: str, args: BucketArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.purpose = args.purpose
        self.account = self._account()
        self.container = StorageContainer(
            self,
            "container",
            name=args.purpose,
            storage_account_id=self.account.id,
            container_access_type="private",
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        if args.tidied:
            self._tidy()

    @property
    def uri(self) -> str:
        """Where the objects lie."""
        return f"abfss://{self._args.purpose}@{self.account.name}.dfs.core.windows.net"

    @property
    def blobs(self) -> str:
        """Resource id of the account's blob service, which keeps a log of its own."""
        return f"{self.account.id}/blobServices/default"

    def _account(self) -> StorageAccount:
        args = self._args
        return StorageAccount(
            self,
            "account",
            name=args.names.account(args.purpose),
            account_kind="StorageV2",
            account_tier="Standard",
            account_replication_type="ZRS",
            is_hns_enabled=False,
            https_traffic_only_enabled=True,
            min_tls_version="TLS1_2",
            # Neither account keys nor local users: each access is by an identity, and logged with it.
            shared_access_key_enabled=False,
            local_user_enabled=False,
            sftp_enabled=False,
            default_to_oauth_authentication=True,
            sas_policy=StorageAccountSasPolicy(expiration_period="00.01:00:00", expiration_action="Block"),
            public_network_access_enabled=bool(args.subnets),
            allow_nested_items_to_be_public=False,
            cross_tenant_replication_enabled=False,
            allowed_copy_scope="AAD",
            network_rules=StorageAccountNetworkRules(
                default_action="Deny",
                bypass=["AzureServices"],
                virtual_network_subnet_ids=list(args.subnets),
            ),
            infrastructure_encryption_enabled=True,
            queue_encryption_key_type="Account",
            table_encryption_key_type="Account",
            identity=StorageAccountIdentity(type="UserAssigned", identity_ids=[args.key.user.id]),
            customer_managed_key=StorageAccountCustomerManagedKey(
                key_vault_key_id=args.key.id, user_assigned_identity_id=args.key.user.id
            ),
            blob_properties=self._kept(),
            depends_on=[args.key.grant],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            **args.place.here,
        )

    def _kept(self) -> StorageAccountBlobProperties:
        days = min(self._args.deployment.settings.retention.noncurrent_days, _LONGEST_SOFT_DELETE_DAYS)
        return StorageAccountBlobProperties(
            versioning_enabled=True,
            change_feed_enabled=True,
            delete_retention_policy=StorageAccountBlobPropertiesDeleteRetentionPolicy(
                days=days, permanent_delete_enabled=False
            ),
            container_delete_retention_policy=StorageAccountBlobPropertiesContainerDeleteRetentionPolicy(
                days=days
            ),
        )

    def _tidy(self) -> None:
        args = self._args
        days = args.deployment.settings.retention.noncurrent_days
        base = (
            StorageManagementPolicyRuleActionsBaseBlob(
                delete_after_days_since_creation_greater_than=args.expires_days
            )
            if args.expires_days
            else None
        )
        rule = StorageManagementPolicyRule(
            name="tidy",
            enabled=True,
            filters=StorageManagementPolicyRuleFilters(blob_types=["blockBlob"]),
            actions=StorageManagementPolicyRuleActions(
                base_blob=base,
                version=StorageManagementPolicyRuleActionsVersion(delete_after_days_since_creation=days),
            ),
        )
        StorageManagementPolicy(self, "tidy", storage_account_id=self.account.id, rule=[rule])
