"""Who did what: audit logs into locked stores, alarms on what must not happen, threat and drift detection."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_google.logging_metric import LoggingMetric, LoggingMetricMetricDescriptor
from cdktn_provider_google.logging_project_bucket_config import (
    LoggingProjectBucketConfig,
    LoggingProjectBucketConfigCmekSettings,
)
from cdktn_provider_google.logging_project_sink import LoggingProjectSink
from cdktn_provider_google.monitoring_alert_policy import (
    MonitoringAlertPolicy,
    MonitoringAlertPolicyAlertStrategy,
    MonitoringAlertPolicyAlertStrategyNotificationRateLimit,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionMatchedLog,
    MonitoringAlertPolicyDocumentation,
)
from cdktn_provider_google.monitoring_notification_channel import MonitoringNotificationChannel
from cdktn_provider_google.project_iam_audit_config import (
    ProjectIamAuditConfig,
    ProjectIamAuditConfigAuditLogConfig,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.alarms import AUDIT_LOGS, alarms
from isocenter_infra.gcp.bucket import Bucket, BucketArgs
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.posture import Posture, PostureArgs
from isocenter_infra.gcp.protection import protected
from isocenter_infra.gcp.storage import Storage
from isocenter_infra.gcp.threats import Threats, ThreatsArgs

_LOG_TYPES = ("ADMIN_READ", "DATA_READ", "DATA_WRITE")
# Cloud Logging keeps nothing longer; the bucket does.
_LONGEST_LOG_DAYS = 3650
# Audit logs; and what left the network, was kept from leaving, or was looked up.
_KEPT = " OR ".join(
    [
        AUDIT_LOGS,
        *(f'logName:"compute.googleapis.com%2F{log}"' for log in ("firewall", "vpc_flows")),
        'logName:"dns.googleapis.com%2Fdns_queries"',
    ]
)


@dataclass(frozen=True)
class AuditArgs:
    """What the audit needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        storage: whose logs bucket takes the log of who reads it.
    """

    deployment: Deployment
    names: GcpNames
    keys: Keys
    storage: Storage


class Audit(Construct):
    """Audit config, the locked bucket ``audit`` and log bucket, sinks into both, alarms, posture, threats."""

    def __init__(self, scope: Construct, id_: str, args: AuditArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self._record()
        self.bucket = self._bucket()
        self.log_bucket = self._log_bucket()
        self.archive = self._sink("archive", f"storage.googleapis.com/{self.bucket.bucket.name}")
        self._sink("search", f"logging.googleapis.com/{self.log_bucket.id}")
        self.contact = MonitoringNotificationChannel(
            self,
            "contact",
            display_name=f"{args.names.prefix}: security",
            type="email",
            labels={"email_address": args.deployment.settings.security_contact},
            user_labels=args.deployment.labels,
        )
        for name, pattern in alarms(args.names).items():
            self._alarm(name, pattern)
        Posture(self, "posture", PostureArgs(args.deployment, args.names, args.keys))
        self.threats = Threats(
            self, "threats", ThreatsArgs(args.deployment, args.names, args.keys, self.contact)
        )

    def _record(self) -> None:
        """Every read and write of every service, by everybody."""
        ProjectIamAuditConfig(
            self,
            "record",
            project=self._args.names.project,
            service="allServices",
            audit_log_config=[
                ProjectIamAuditConfigAuditLogConfig(log_type=log_type) for log_type in _LOG_TYPES
            ],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._args.deployment.protect),
        )

    def _bucket(self) -> Bucket:
        args = self._args
        return Bucket(
            self,
            "bucket",
            BucketArgs(
                deployment=args.deployment,
                names=args.names,
                purpose="audit",
                location=args.names.region,
                key=args.keys.audit,
                access_logs=args.storage.logs,
                locked_days=args.deployment.audit_days,
            ),
        )

    def _log_bucket(self) -> LoggingProjectBucketConfig:
        args = self._args
        return LoggingProjectBucketConfig(
            self,
            "log-bucket",
            project=args.names.project,
            location=args.names.region,
            bucket_id=f"{args.names.prefix}-audit",
            description="Audit logs, locked",
            retention_days=min(args.deployment.audit_days, _LONGEST_LOG_DAYS),
            locked=True,
            cmek_settings=LoggingProjectBucketConfigCmekSettings(kms_key_name=args.keys.audit.key_id),
            depends_on=args.keys.audit.ready,
            **protected(args.deployment),
        )

    def _sink(self, purpose: str, destination: str) -> LoggingProjectSink:
        return LoggingProjectSink(
            self,
            purpose,
            name=f"{self._args.names.prefix}-{purpose}",
            destination=destination,
            filter=_KEPT,
            unique_writer_identity=True,
            **protected(self._args.deployment),
        )

    def _alarm(self, name: str, pattern: str) -> None:
        """A metric that counts, and an alert on the log entry itself.

        An alert on the metric would have to name each kind of resource that the entries can come from, and
        would miss those that it doesn't name.
        """
        title = f"{self._args.names.prefix}-{name}"
        LoggingMetric(
            self,
            f"{name}-metric",
            name=title,
            filter=pattern,
            metric_descriptor=LoggingMetricMetricDescriptor(metric_kind="DELTA", value_type="INT64"),
        )
        matched = MonitoringAlertPolicyConditionsConditionMatchedLog(filter=pattern)
        MonitoringAlertPolicy(
            self,
            f"{name}-alarm",
            display_name=title,
            combiner="OR",
            enabled=True,
            severity="CRITICAL",
            conditions=[MonitoringAlertPolicyConditions(display_name=name, condition_matched_log=matched)],
            alert_strategy=MonitoringAlertPolicyAlertStrategy(
                notification_rate_limit=MonitoringAlertPolicyAlertStrategyNotificationRateLimit(
                    period="300s"
                ),
                auto_close="604800s",
            ),
            notification_channels=[self.contact.name],
            user_labels=self._args.deployment.labels,
            documentation=MonitoringAlertPolicyDocumentation(
                content=f"Isocenter, {self._args.names.prefix}: {name.replace('-', ' ')}.",
                mime_type="text/markdown",
            ),
        )
