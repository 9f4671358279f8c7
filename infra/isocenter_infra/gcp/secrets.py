"""Places for secrets, without their values: a value in Terraform would lie in its state."""

from dataclasses import dataclass

from cdktn import Fn, TerraformResourceLifecycle
from cdktn_provider_google.secret_manager_secret import (
    SecretManagerSecret,
    SecretManagerSecretReplication,
    SecretManagerSecretReplicationUserManaged,
    SecretManagerSecretReplicationUserManagedReplicas,
    SecretManagerSecretReplicationUserManagedReplicasCustomerManagedEncryption,
    SecretManagerSecretRotation,
    SecretManagerSecretTopics,
)
from cdktn_provider_google.secret_manager_secret_iam_member import SecretManagerSecretIamMember
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.key import Key
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.topic import Topic, TopicArgs

SECRETS = {
    "site-secret": "Key under which identifiers become pseudonyms",
    "audit-signing-key": "Ed25519 key that signs the audit trail's tree heads",
}
_DAY_S = 86_400
_YEAR_DAYS, _REGRET_DAYS = 365, 30


@dataclass(frozen=True)
class SecretsArgs:
    """What the secrets need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        keys: that encrypt them.
        identity: who reads them.
    """

    deployment: Deployment
    names: GcpNames
    keys: Keys
    identity: Identity


class Secrets(Construct):
    """One empty secret each of ``SECRETS``; the platform layer puts the values in, and rotates them."""

    def __init__(self, scope: Construct, id_: str, args: SecretsArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        names, keys = args.names, args.keys
        publishers = [names.agent("secretmanager")]
        due = Topic(self, "due", TopicArgs(names, "rotation", keys.secrets, publishers))
        for name, description in SECRETS.items():
            secret = SecretManagerSecret(
                self,
                name,
                secret_id=f"{names.prefix}-{name}",
                annotations={"description": description},
                replication=self._replication(),
                topics=[SecretManagerSecretTopics(name=due.topic.id)],
                rotation=SecretManagerSecretRotation(
                    rotation_period=f"{_YEAR_DAYS * _DAY_S}s",
                    next_rotation_time=Fn.timeadd(Fn.plantimestamp(), f"{_YEAR_DAYS * 24}h"),
                ),
                version_destroy_ttl=f"{_REGRET_DAYS * _DAY_S}s",
                deletion_protection=args.deployment.protect,
                # The service moves it on, and each plan would move it again.
                lifecycle=TerraformResourceLifecycle(
                    prevent_destroy=args.deployment.protect,
                    ignore_changes=["rotation[0].next_rotation_time"],
                ),
                depends_on=[*keys.secrets.ready, *keys.replica.ready, *due.ready],
            )
            SecretManagerSecretIamMember(
                self,
                f"{name}-reader",
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretAccessor",
                member=args.identity.accounts["pipeline"].member,
            )
            SecretManagerSecretIamMember(
                self,
                f"{name}-writer",
                secret_id=secret.secret_id,
                role="roles/secretmanager.secretVersionAdder",
                member=args.identity.accounts["pipeline"].member,
            )

    def _replication(self) -> SecretManagerSecretReplication:
        """A copy in each of the two regions, under that region's key; none elsewhere."""
        names, keys = self._args.names, self._args.keys
        replicas = [(names.region, keys.secrets), (names.replica_region, keys.replica)]
        return SecretManagerSecretReplication(
            user_managed=SecretManagerSecretReplicationUserManaged(
                replicas=[_replica(location, key) for location, key in replicas]
            )
        )


def _replica(location: str, key: Key) -> SecretManagerSecretReplicationUserManagedReplicas:
    return SecretManagerSecretReplicationUserManagedReplicas(
        location=location,
        customer_managed_encryption=SecretManagerSecretReplicationUserManagedReplicasCustomerManagedEncryption(
            kms_key_name=key.key_id
        ),
    )
