"""Alarms of the endpoints that the platform layer deploys, and scales within the descriptor's bounds."""

from dataclasses import dataclass

from cdktn_provider_aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
)
from cdktn_provider_aws.sns_topic import SnsTopic
from constructs import Construct

from isocenter.targets.settings import EndpointSettings
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.deployment import Deployment

# A rollout names its variants by their versions: the query takes them all, whichever there are.
_ERRORS = 'SELECT SUM(Invocation5XXErrors) FROM SCHEMA("AWS/SageMaker", EndpointName, VariantName)'


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
    """An alarm on errors for each endpoint in the settings."""

    def __init__(self, scope: Construct, id_: str, args: ServingArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for endpoint in args.deployment.settings.endpoints:
            self._alarm(f"{args.names.prefix}-{endpoint.name}", endpoint)

    def _alarm(self, name: str, endpoint: EndpointSettings) -> None:
        errors = CloudwatchMetricAlarmMetricQuery(
            id="errors",
            label="Errors of all versions",
            expression=f"{_ERRORS} WHERE EndpointName = '{name}'",
            period=60,
            return_data=True,
        )
        CloudwatchMetricAlarm(
            self,
            f"{endpoint.name}-errors",
            alarm_name=f"{name}-errors",
            metric_query=[errors],
            evaluation_periods=3,
            threshold=1,
            comparison_operator="GreaterThanOrEqualToThreshold",
            treat_missing_data="notBreaching",
            alarm_actions=[self._args.alarms.arn],
        )
