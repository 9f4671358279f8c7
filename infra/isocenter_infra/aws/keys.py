"""Customer-managed keys, one a purpose, rotated yearly, protected from deletion."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn import TerraformProvider, TerraformResourceLifecycle
from cdktn_provider_aws.kms_alias import KmsAlias
from cdktn_provider_aws.kms_key import KmsKey
from constructs import Construct

from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document
from isocenter_infra.deployment import Deployment

_LONGEST_WINDOW_DAYS = 30
_USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


@dataclass(frozen=True)
class KeysArgs:
    """What the keys need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        replica: provider of the second region.
    """

    deployment: Deployment
    names: AwsNames
    replica: TerraformProvider


class Keys(Construct):
    """The keys: ``data``, ``audit``, ``registry``, ``secrets``, and ``replica`` in the second region."""

    def __init__(self, scope: Construct, id_: str, args: KeysArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        names = args.names
        logs = f"logs.{names.region}.amazonaws.com"
        trail = Statement(
            "Trail",
            ["kms:GenerateDataKey*", "kms:Decrypt", "kms:DescribeKey"],
            ["*"],
            {"Service": "cloudtrail.amazonaws.com"},
            condition={"StringEquals": {"aws:SourceArn": names.trail_arn}},
        )
        self.data = self._key("data", "Patient data, models and training volumes")
        self.audit = self._key(
            "audit",
            "Audit logs and alarms",
            trail,
            self._service(
                "Logs", logs, {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": names.arn("logs", "*")}}
            ),
            self._for_account("Alarms", ["cloudwatch.amazonaws.com", "config.amazonaws.com"]),
        )
        self.registry = self._key("registry", "Container images")
        self.secrets = self._key("secrets", "Secrets and the key of the pseudonyms")
        self.replica = self._key("replica", "Copies in the second region", provider=args.replica)

    def _key(
        self,
        purpose: str,
        description: str,
        *statements: Statement,
        provider: TerraformProvider | None = None,
    ) -> KmsKey:
        prefix = self._args.names.prefix
        key = KmsKey(
            self,
            purpose,
            description=f"{prefix}: {description}",
            enable_key_rotation=True,
            deletion_window_in_days=_LONGEST_WINDOW_DAYS,
            policy=policy_document(self._administration(), *statements),
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._args.deployment.protect),
            provider=provider,
        )
        KmsAlias(
            self,
            f"{purpose}-alias",
            name=f"alias/{prefix}-{purpose}",
            target_key_id=key.key_id,
            provider=provider,
        )
        return key

    def _administration(self) -> Statement:
        return Statement("Administration", ["kms:*"], ["*"], {"AWS": self._args.names.root})

    def _service(
        self, sid: str, service: str, condition: dict[str, dict[str, str | Sequence[str]]]
    ) -> Statement:
        return Statement(sid, _USE, ["*"], {"Service": service}, condition=condition)

    def _for_account(self, sid: str, services: list[str]) -> Statement:
        condition = {"StringEquals": {"aws:SourceAccount": self._args.names.account}}
        return Statement(sid, _USE, ["*"], {"Service": services}, condition=condition)
