"""An alarm for the endpoints that the platform layer deploys, and scales within the descriptor's bounds."""

from dataclasses import dataclass

from cdktn_provider_google.monitoring_alert_policy import (
    MonitoringAlertPolicy,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionThreshold,
    MonitoringAlertPolicyConditionsConditionThresholdAggregations,
)
from cdktn_provider_google.monitoring_notification_channel import MonitoringNotificationChannel
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.names import GcpNames

_ERRORS = "aiplatform.googleapis.com/prediction/online/error_count"


@dataclass(frozen=True)
class ServingArgs:
    """What the serving needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        contact: who gets the alarms.
    """

    deployment: Deployment
    names: GcpNames
    contact: MonitoringNotificationChannel


class Serving(Construct):
    """One alarm on errors for all endpoints, if there are any in the settings."""

    def __init__(self, scope: Construct, id_: str, args: ServingArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        if args.deployment.settings.endpoints:
            self._alarm()

    def _alarm(self) -> None:
        """An endpoint's number is known once the platform layer has made it: the alarm names none."""
        threshold = MonitoringAlertPolicyConditionsConditionThreshold(
            filter=f'resource.type="aiplatform.googleapis.com/Endpoint" AND metric.type="{_ERRORS}"',
            comparison="COMPARISON_GT",
            threshold_value=0,
            duration="180s",
            aggregations=[
                MonitoringAlertPolicyConditionsConditionThresholdAggregations(
                    alignment_period="60s",
                    per_series_aligner="ALIGN_SUM",
                    cross_series_reducer="REDUCE_SUM",
                    group_by_fields=["resource.label.endpoint_id"],
                )
            ],
        )
        MonitoringAlertPolicy(
            self,
            "errors",
            display_name=f"{self._args.names.prefix}-endpoint-errors",
            combiner="OR",
            enabled=True,
            severity="ERROR",
            conditions=[
                MonitoringAlertPolicyConditions(display_name="errors", condition_threshold=threshold)
            ],
            notification_channels=[self._args.contact.name],
            user_labels=self._args.deployment.labels,
        )
