"""Autoscaling and alarms of the endpoints that the platform layer deploys."""

from dataclasses import dataclass

from cdktn_provider_aws.appautoscaling_policy import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
)
from cdktn_provider_aws.appautoscaling_target import AppautoscalingTarget
from cdktn_provider_aws.cloudwatch_metric_alarm import CloudwatchMetricAlarm
from cdktn_provider_aws.sns_topic import SnsTopic
from constructs import Construct

from isocenter.targets.settings import EndpointSettings
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.deployment import Deployment

_VARIANT = "AllTraffic"
_REQUESTS_A_MINUTE = 60


@dataclass(frozen=True)
class ServingArgs:
    """What the serving needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        alarms: topic that takes the alarms.
    """

    deployment: Deployment
    names: AwsNames
    alarms: SnsTopic


class Serving(Construct):
    """Scaling bounds, a scaling policy and an alarm on errors for each endpoint in the settings."""

    def __init__(self, scope: Construct, id_: str, args: ServingArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for endpoint in args.deployment.settings.endpoints:
            self._scale(endpoint)
            self._alarm(endpoint)

    def _scale(self, endpoint: EndpointSettings) -> None:
        target = AppautoscalingTarget(
            self,
            f"{endpoint.name}-bounds",
            service_namespace="sagemaker",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            resource_id=f"endpoint/{self._name(endpoint)}/variant/{_VARIANT}",
            min_capacity=endpoint.min_instances,
            max_capacity=endpoint.max_instances,
        )
        tracked = AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
            predefined_metric_type="SageMakerVariantInvocationsPerInstance"
        )
        AppautoscalingPolicy(
            self,
            f"{endpoint.name}-scaling",
            name=f"{self._name(endpoint)}-requests",
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
                target_value=_REQUESTS_A_MINUTE,
                scale_in_cooldown=600,
                scale_out_cooldown=60,
                predefined_metric_specification=tracked,
            ),
        )

    def _alarm(self, endpoint: EndpointSettings) -> None:
        CloudwatchMetricAlarm(
            self,
            f"{endpoint.name}-errors",
            alarm_name=f"{self._name(endpoint)}-errors",
            namespace="AWS/SageMaker",
            metric_name="Invocation5XXErrors",
            dimensions={"EndpointName": self._name(endpoint), "VariantName": _VARIANT},
            statistic="Sum",
            period=60,
            evaluation_periods=3,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.alarms.arn],
        )

    def _name(self, endpoint: EndpointSettings) -> str:
        return f"{self._args.names.prefix}-{endpoint.name}"
