"""AWS Config: every change of configuration is recorded, and held against rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cdktn_provider_aws.config_configuration_recorder import (
    ConfigConfigurationRecorder,
    ConfigConfigurationRecorderRecordingGroup,
)
from cdktn_provider_aws.config_configuration_recorder_status import ConfigConfigurationRecorderStatus
from cdktn_provider_aws.config_conformance_pack import ConfigConformancePack
from cdktn_provider_aws.config_delivery_channel import ConfigDeliveryChannel
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy import IamRolePolicy
from cdktn_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from constructs import Construct

from isocenter_infra.aws.bucket import Bucket
from isocenter_infra.aws.exclusive import only_policies
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document, trusting

# https://docs.aws.amazon.com/config/latest/developerguide/managed-rules-by-aws-config.html
_RULES: Mapping[str, str] = {
    "BucketsEncrypted": "S3_DEFAULT_ENCRYPTION_KMS",
    "BucketsTlsOnly": "S3_BUCKET_SSL_REQUESTS_ONLY",
    "BucketsNotPublic": "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
    "BucketsVersioned": "S3_BUCKET_VERSIONING_ENABLED",
    "KeysRotated": "CMK_BACKING_KEY_ROTATION_ENABLED",
    "TrailOn": "CLOUD_TRAIL_ENABLED",
    "TrailValidated": "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED",
    "FlowLogsOn": "VPC_FLOW_LOGS_ENABLED",
    "DefaultGroupClosed": "VPC_DEFAULT_SECURITY_GROUP_CLOSED",
    "NoAdminPolicies": "IAM_POLICY_NO_STATEMENTS_WITH_ADMIN_ACCESS",
    "RootNoKeys": "IAM_ROOT_ACCESS_KEY_CHECK",
    "EndpointsEncrypted": "SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED",
}


@dataclass(frozen=True)
class PostureArgs:
    """What the posture needs to know: names, the audit key's owner, the bucket that takes snapshots."""

    names: AwsNames
    keys: Keys
    bucket: Bucket


class Posture(Construct):
    """Recorder, delivery to the audit bucket, and a conformance pack."""

    def __init__(self, scope: Construct, id_: str, args: PostureArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        prefix = args.names.prefix
        recorder = ConfigConfigurationRecorder(
            self,
            "recorder",
            name=prefix,
            role_arn=self._role().arn,
            recording_group=ConfigConfigurationRecorderRecordingGroup(
                all_supported=True, include_global_resource_types=True
            ),
        )
        channel = ConfigDeliveryChannel(
            self,
            "delivery",
            name=prefix,
            s3_bucket_name=args.bucket.bucket.bucket,
            s3_kms_key_arn=args.keys.audit.arn,
            depends_on=[recorder, args.bucket.policy],
        )
        status = ConfigConfigurationRecorderStatus(
            self, "recording", name=recorder.name, is_enabled=True, depends_on=[channel]
        )
        ConfigConformancePack(self, "rules", name=prefix, template_body=_pack(), depends_on=[status])

    def _role(self) -> IamRole:
        names = self._args.names
        role = IamRole(
            self, "role", name=f"{names.prefix}-config", assume_role_policy=trusting("config", names.account)
        )
        reads = IamRolePolicyAttachment(
            self,
            "role-reads",
            role=role.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AWS_ConfigRole",
        )
        deliver = policy_document(
            Statement(
                "Deliver",
                ["s3:PutObject"],
                [f"{names.bucket_arn('audit')}/AWSLogs/{names.account}/*"],
            ),
            Statement("Look", ["s3:GetBucketAcl"], [names.bucket_arn("audit")]),
            Statement("Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [self._args.keys.audit.arn]),
        )
        delivers = IamRolePolicy(self, "role-delivers", role=role.id, policy=deliver)
        only_policies(self, role, attached=[reads], inline=[delivers])
        return role


def _pack() -> str:
    resources = {
        name: {
            "Type": "AWS::Config::ConfigRule",
            "Properties": {
                "ConfigRuleName": f"isocenter-{identifier.lower().replace('_', '-')}",
                "Source": {"Owner": "AWS", "SourceIdentifier": identifier},
            },
        }
        for name, identifier in _RULES.items()
    }
    return json.dumps({"Resources": resources}, sort_keys=True)
