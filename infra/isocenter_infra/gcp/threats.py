"""Threat detection: findings of the Security Command Center, sent to a topic and from there to a person."""

from dataclasses import dataclass

from cdktn_provider_google.monitoring_alert_policy import (
    MonitoringAlertPolicy,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionThreshold,
    MonitoringAlertPolicyConditionsConditionThresholdAggregations,
)
from cdktn_provider_google.monitoring_notification_channel import MonitoringNotificationChannel
from cdktn_provider_google.scc_v2_project_notification_config import (
    SccV2ProjectNotificationConfig,
    SccV2ProjectNotificationConfigStreamingConfig,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.topic import Topic, TopicArgs

_SENT = "pubsub.googleapis.com/topic/send_message_operation_count"


@dataclass(frozen=True)
class ThreatsArgs:
    """What the threat detection needs to know: the deployment, names, keys, and who gets the alarms."""

    deployment: Deployment
    names: GcpNames
    keys: Keys
    contact: MonitoringNotificationChannel


class Threats(Construct):
    """The notification of findings, its topic, and an alarm on each message; ``sender`` sends them."""

    def __init__(self, scope: Construct, id_: str, args: ThreatsArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        findings = Topic(self, "findings", TopicArgs(args.names, "findings", args.keys.audit))
        config = SccV2ProjectNotificationConfig(
            self,
            "notification",
            project=args.names.project,
            config_id=f"{args.names.prefix}-findings",
            location="global",
            pubsub_topic=findings.topic.id,
            streaming_config=SccV2ProjectNotificationConfigStreamingConfig(
                filter='state="ACTIVE" AND NOT mute="MUTED" AND (severity="HIGH" OR severity="CRITICAL")'
            ),
        )
        self.sender = f"serviceAccount:{config.service_account}"
        findings.let_publish("scc", self.sender)
        self._alarm(findings)

    def _alarm(self, findings: Topic) -> None:
        threshold = MonitoringAlertPolicyConditionsConditionThreshold(
            filter=(
                f'resource.type="pubsub_topic" AND metric.type="{_SENT}"'
                f' AND resource.label.topic_id="{findings.topic.name}"'
            ),
            comparison="COMPARISON_GT",
            threshold_value=0,
            duration="0s",
            aggregations=[
                MonitoringAlertPolicyConditionsConditionThresholdAggregations(
                    alignment_period="300s", per_series_aligner="ALIGN_SUM"
                )
            ],
        )
        MonitoringAlertPolicy(
            self,
            "alarm",
            display_name=f"{self._args.names.prefix}-finding",
            combiner="OR",
            enabled=True,
            severity="CRITICAL",
            conditions=[
                MonitoringAlertPolicyConditions(display_name="finding", condition_threshold=threshold)
            ],
            notification_channels=[self._args.contact.name],
            user_labels=self._args.deployment.labels,
        )
