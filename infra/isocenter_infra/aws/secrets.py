"""Places for secrets, without their values: a value in Terraform would lie in its state."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from cdktn_provider_aws.secretsmanager_secret_policy import SecretsmanagerSecretPolicy
from constructs import Construct

from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document
from isocenter_infra.deployment import Deployment

SECRETS = {
    "site-secret": "Key under which identifiers become pseudonyms",
    "audit-signing-key": "Ed25519 key that signs the audit trail's tree heads",
}


@dataclass(frozen=True)
class SecretsArgs:
    """What the secrets need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        keys: that encrypt them.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys


class Secrets(Construct):
    """One empty secret each of ``SECRETS``; the platform layer puts the values in."""

    def __init__(self, scope: Construct, id_: str, args: SecretsArgs) -> None:
        super().__init__(scope, id_)
        readers = [args.names.role_arn(role) for role in ("pipeline", "break-glass")]
        for name, description in SECRETS.items():
            secret = SecretsmanagerSecret(
                self,
                name,
                name=f"{args.names.prefix}/{name}",
                description=description,
                kms_key_id=args.keys.secrets.arn,
                recovery_window_in_days=30,
                lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            )
            others = Statement(
                "OnlyItsReaders",
                ["secretsmanager:GetSecretValue"],
                ["*"],
                "*",
                "Deny",
                {"ArnNotEquals": {"aws:PrincipalArn": readers}},
            )
            SecretsmanagerSecretPolicy(
                self,
                f"{name}-policy",
                secret_arn=secret.arn,
                policy=policy_document(others),
                block_public_policy=True,
            )
