"""Bounds of the number of instances, kept by Application Auto Scaling.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.backends.aws_calls import error_code
from isocenter.servers.sagemaker_request import DIMENSION, NAMESPACE

_WHAT = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class Scaling:
    """What scales the variants of endpoints. To be called under :func:`.aws_calls.asking`.

    Args:
        client: boto3's, of ``application-autoscaling``.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def reach(self, endpoint: str, variants: Sequence[str], request: Mapping[str, Any]) -> None:
        """Have ``variants`` scaled as ``request`` says, and no other way.

        A policy is put each time that bounds are: the two can't be told apart after an interruption.
        """
        wanted = {each["ResourceId"]: each for each in request["RegisterScalableTarget"]}
        found = self._targets(endpoint, variants)
        policies = {each["ResourceId"]: each for each in request["PutScalingPolicy"]}
        for resource, target in wanted.items():
            now = found.get(resource, {})
            if any(now.get(name) != target[name] for name in ("MinCapacity", "MaxCapacity")):
                self._client.register_scalable_target(**target)
                self._client.put_scaling_policy(**policies[resource])
            elif not self._has_policy(policies[resource]):
                self._client.put_scaling_policy(**policies[resource])
        for resource in found.keys() - wanted.keys():
            self._deregister(resource)

    def end(self, endpoint: str, variants: Sequence[str]) -> None:
        """Scale nothing of ``variants`` any more: a fleet that is being scaled can't be exchanged."""
        for resource in self._targets(endpoint, variants):
            self._deregister(resource)

    def _targets(self, endpoint: str, variants: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        if not variants:
            return {}
        found = self._client.describe_scalable_targets(
            ServiceNamespace=NAMESPACE,
            ResourceIds=[f"endpoint/{endpoint}/variant/{variant}" for variant in variants],
            ScalableDimension=DIMENSION,
        )
        return {each["ResourceId"]: each for each in found["ScalableTargets"]}

    def _has_policy(self, policy: Mapping[str, Any]) -> bool:
        what = {name: policy[name] for name in _WHAT}
        found = self._client.describe_scaling_policies(PolicyNames=[policy["PolicyName"]], **what)
        return bool(found["ScalingPolicies"])

    def _deregister(self, resource: str) -> None:
        """Its policies go with it."""
        from botocore.exceptions import ClientError

        try:
            self._client.deregister_scalable_target(
                ServiceNamespace=NAMESPACE, ResourceId=resource, ScalableDimension=DIMENSION
            )
        except ClientError as error:
            if error_code(error) != "ObjectNotFoundException":
                raise
