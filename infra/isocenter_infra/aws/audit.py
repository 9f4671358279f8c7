"""Who did what: the trail, its locked bucket, alarms on what must not happen, threat and drift detection."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_aws.accessanalyzer_analyzer import AccessanalyzerAnalyzer
from cdktn_provider_aws.cloudtrail import (
    Cloudtrail,
    CloudtrailEventSelector,
    CloudtrailEventSelectorDataResource,
)
from cdktn_provider_aws.cloudwatch_log_group import CloudwatchLogGroup
from cdktn_provider_aws.cloudwatch_log_metric_filter import (
    CloudwatchLogMetricFilter,
    CloudwatchLogMetricFilterMetricTransformation,
)
from cdktn_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktn_provider_aws.guardduty_detector import GuarddutyDetector
from cdktn_provider_aws.guardduty_detector_feature import GuarddutyDetectorFeature
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy import IamRolePolicy
from cdktn_provider_aws.sns_topic import SnsTopic
from cdktn_provider_aws.sns_topic_policy import SnsTopicPolicy
from cdktn_provider_aws.sns_topic_subscription import SnsTopicSubscription
from constructs import Construct

from isocenter_infra.aws.alarms import ALARMS, break_glass_pattern
from isocenter_infra.aws.bucket import Bucket, BucketArgs
from isocenter_infra.aws.exclusive import only_policies
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document, trusting
from isocenter_infra.aws.posture import Posture, PostureArgs
from isocenter_infra.aws.storage import Storage
from isocenter_infra.deployment import Deployment

# Whose objects' reads and writes are recorded: patient data and its copies, audit logs, Terraform's state.
_WATCHED = ("data", "models", "audit", "data-copy", "models-copy", "tfstate")
# CloudWatch keeps logs for so many days and no other number (years -> days).
LOG_DAYS = {6: 2192, 7: 2557, 8: 2922, 9: 3288, 10: 3653}


@dataclass(frozen=True)
class AuditArgs:
    """What the audit needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        storage: whose reads and writes are recorded.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys
    storage: Storage


class Audit(Construct):
    """The bucket ``audit``, CloudTrail into it, alarms, GuardDuty, Config."""

    def __init__(self, scope: Construct, id_: str, args: AuditArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.bucket = self._bucket()
        self.log_group = self._log_group("trail")
        self.trail = self._trail()
        self.topic = self._topic()
        patterns = {**ALARMS, "break-glass": break_glass_pattern(args.names.role_arn("break-glass"))}
        for name, pattern in patterns.items():
            self._alarm(name, pattern)
        self._detect_threats()
        Posture(self, "posture", PostureArgs(args.names, args.keys, self.bucket))

    def _bucket(self) -> Bucket:
        names = self._args.names
        arn = names.bucket_arn("audit")
        trail = {"StringEquals": {"aws:SourceArn": names.trail_arn}}
        account = {"StringEquals": {"aws:SourceAccount": names.account}}
        cloudtrail, config = {"Service": "cloudtrail.amazonaws.com"}, {"Service": "config.amazonaws.com"}
        logs = f"{arn}/AWSLogs/{names.account}/*"
        statements = (
            Statement("TrailLooks", ["s3:GetBucketAcl"], [arn], cloudtrail, condition=trail),
            Statement("TrailWrites", ["s3:PutObject"], [logs], cloudtrail, condition=trail),
            Statement("ConfigLooks", ["s3:GetBucketAcl", "s3:ListBucket"], [arn], config, condition=account),
            Statement("ConfigWrites", ["s3:PutObject"], [logs], config, condition=account),
        )
        return Bucket(
            self,
            "bucket",
            BucketArgs(
                deployment=self._args.deployment,
                names=names,
                purpose="audit",
                key_arn=self._args.keys.audit.arn,
                access_logs=self._args.storage.logs,
                locked_years=self._args.deployment.settings.retention.audit_years,
                statements=statements,
            ),
        )

    def _log_group(self, purpose: str) -> CloudwatchLogGroup:
        return CloudwatchLogGroup(
            self,
            f"{purpose}-logs",
            name=f"/isocenter/{self._args.names.prefix}/{purpose}",
            kms_key_id=self._args.keys.audit.arn,
            retention_in_days=LOG_DAYS[self._args.deployment.settings.retention.audit_years],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._args.deployment.protect),
        )

    def _trail(self) -> Cloudtrail:
        names = self._args.names
        role = IamRole(
            self,
            "trail-role",
            name=f"{names.prefix}-trail",
            assume_role_policy=trusting("cloudtrail", names.account),
        )
        write = Statement("Write", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{self.log_group.arn}:*"])
        writing = IamRolePolicy(self, "trail-policy", role=role.id, policy=policy_document(write))
        only_policies(self, role, inline=[writing])
        watched = [f"{names.bucket_arn(purpose)}/" for purpose in _WATCHED]
        assert self.bucket.lock is not None  # noqa: S101 - the audit bucket is locked
        return Cloudtrail(
            self,
            "trail",
            name=f"{names.prefix}-audit",
            s3_bucket_name=self.bucket.bucket.bucket,
            kms_key_id=self._args.keys.audit.arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            cloud_watch_logs_group_arn=f"{self.log_group.arn}:*",
            cloud_watch_logs_role_arn=role.arn,
            event_selector=[
                CloudtrailEventSelector(
                    read_write_type="All",
                    include_management_events=True,
                    data_resource=[
                        CloudtrailEventSelectorDataResource(type="AWS::S3::Object", values=watched)
                    ],
                )
            ],
            # S3 takes no lock on a bucket that a trail writes to already.
            depends_on=[self.bucket.policy, self.bucket.lock, writing],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._args.deployment.protect),
        )

    def _topic(self) -> SnsTopic:
        args = self._args
        topic = SnsTopic(
            self, "alarms", name=f"{args.names.prefix}-alarms", kms_master_key_id=args.keys.audit.arn
        )
        publish = Statement(
            "Alarms",
            ["sns:Publish"],
            [topic.arn],
            {"Service": ["cloudwatch.amazonaws.com", "budgets.amazonaws.com"]},
            condition={"StringEquals": {"aws:SourceAccount": args.names.account}},
        )
        over_tls = Statement(
            "OnlyTls", ["sns:Publish"], [topic.arn], "*", "Deny", {"Bool": {"aws:SecureTransport": "false"}}
        )
        SnsTopicPolicy(self, "alarms-policy", arn=topic.arn, policy=policy_document(publish, over_tls))
        SnsTopicSubscription(
            self,
            "alarms-email",
            topic_arn=topic.arn,
            protocol="email",
            endpoint=args.deployment.settings.security_contact,
        )
        return topic

    def _alarm(self, name: str, pattern: str) -> None:
        space = f"Isocenter/{self._args.names.prefix}"
        CloudwatchLogMetricFilter(
            self,
            f"{name}-filter",
            name=f"{self._args.names.prefix}-{name}",
            log_group_name=self.log_group.name,
            pattern=pattern,
            metric_transformation=CloudwatchLogMetricFilterMetricTransformation(
                name=name, namespace=space, value="1", default_value="0"
            ),
        )
        CloudwatchMetricAlarm(
            self,
            f"{name}-alarm",
            alarm_name=f"{self._args.names.prefix}-{name}",
            metric_name=name,
            namespace=space,
            statistic="Sum",
            period=300,
            evaluation_periods=1,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic.arn],
        )

    def _detect_threats(self) -> None:
        detector = GuarddutyDetector(
            self, "threats", enable=True, finding_publishing_frequency="FIFTEEN_MINUTES"
        )
        for feature in ("S3_DATA_EVENTS", "EKS_AUDIT_LOGS"):
            GuarddutyDetectorFeature(
                self,
                feature.lower().replace("_", "-"),
                detector_id=detector.id,
                name=feature,
                status="ENABLED",
            )
        AccessanalyzerAnalyzer(self, "outside-access", analyzer_name=self._args.names.prefix, type="ACCOUNT")
