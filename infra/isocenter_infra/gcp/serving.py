"""Machines for the endpoints that the platform layer deploys: their autoscaling, and an alarm on errors."""

from dataclasses import dataclass

from cdktn_provider_google.monitoring_alert_policy import (
    MonitoringAlertPolicy,
    MonitoringAlertPolicyConditions,
    MonitoringAlertPolicyConditionsConditionThreshold,
    MonitoringAlertPolicyConditionsConditionThresholdAggregations,
)
from cdktn_provider_google.monitoring_notification_channel import MonitoringNotificationChannel
from cdktn_provider_google.vertex_ai_deployment_resource_pool import (
    VertexAiDeploymentResourcePool,
    VertexAiDeploymentResourcePoolDedicatedResources,
    VertexAiDeploymentResourcePoolDedicatedResourcesAutoscalingMetricSpecs,
    VertexAiDeploymentResourcePoolDedicatedResourcesMachineSpec,
)
from constructs import Construct

from isocenter.targets.settings import EndpointSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.gpu import smallest
from isocenter_infra.gcp.names import GcpNames

_BUSY_PERCENT = 60
_DUTY_CYCLE = "aiplatform.googleapis.com/prediction/online/accelerator/duty_cycle"
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
    """A pool of machines for each endpoint in the settings, and one alarm for all of them."""

    def __init__(self, scope: Construct, id_: str, args: ServingArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        endpoints = args.deployment.settings.endpoints
        self.pools = {endpoint.name: self._pool(endpoint) for endpoint in endpoints}
        if endpoints:
            self._alarm()

    def _pool(self, endpoint: EndpointSettings) -> VertexAiDeploymentResourcePool:
        args = self._args
        machine = smallest(args.deployment.settings.compute.gpu[0])
        busy = VertexAiDeploymentResourcePoolDedicatedResourcesAutoscalingMetricSpecs(
            metric_name=_DUTY_CYCLE, target=_BUSY_PERCENT
        )
        return VertexAiDeploymentResourcePool(
            self,
            endpoint.name,
            name=f"{args.names.prefix}-{endpoint.name}",
            region=args.names.region,
            dedicated_resources=VertexAiDeploymentResourcePoolDedicatedResources(
                machine_spec=VertexAiDeploymentResourcePoolDedicatedResourcesMachineSpec(
                    machine_type=machine.managed,
                    accelerator_type=machine.accelerator,
                    accelerator_count=machine.gpus,
                ),
                min_replica_count=endpoint.min_instances,
                max_replica_count=endpoint.max_instances,
                autoscaling_metric_specs=[busy],
            ),
        )

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
