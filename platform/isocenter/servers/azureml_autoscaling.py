"""Bounds of a deployment's number of instances: a setting of Azure Monitor for each. Pure.

https://learn.microsoft.com/azure/machine-learning/how-to-autoscale-endpoints and
https://learn.microsoft.com/rest/api/monitor/autoscale-settings
"""

from collections.abc import Mapping
from typing import Any

from isocenter.domain.rollout import Scaling

API = "2022-10-01"
_WINDOW, _COOLDOWN = "PT5M", "PT5M"
_LOAD: Mapping[str, Any] = {"metric": "CpuUtilizationPercentage", "out_above": 70, "in_below": 30}


def setting_path(resource_id: str) -> str:
    """Where the setting of a deployment lies, from the deployment's id."""
    group = resource_id.partition("/providers/")[0]
    *_, endpoint, _, deployment = resource_id.split("/")
    return f"{group}/providers/Microsoft.Insights/autoscalesettings/{endpoint}-{deployment}"


def autoscale_setting(
    resource_id: str, region: str, tags: Mapping[str, str], scaling: Scaling, load: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The setting; None where the number is fixed.

    Args:
        resource_id: of the deployment.
        region: its own.
        tags: likewise.
        scaling: the bounds.
        load: the deployment's ``settings.autoscale``: ``metric``, ``out_above`` and ``in_below``.
    """
    least, most = scaling.min_instances, scaling.max_instances
    if most <= least:
        return None
    by = {**_LOAD, **load}
    rules = [
        _rule(resource_id, by["metric"], "GreaterThan", by["out_above"], "Increase"),
        _rule(resource_id, by["metric"], "LessThan", by["in_below"], "Decrease"),
    ]
    capacity = {"minimum": str(least), "maximum": str(most), "default": str(least)}
    return {
        "location": region,
        "tags": dict(tags),
        "properties": {
            "enabled": True,
            "targetResourceUri": resource_id,
            "profiles": [{"name": "load", "capacity": capacity, "rules": rules}],
        },
    }


def bounds_of(setting: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Least and most instances; None where there is no setting."""
    if not setting:
        return None
    capacity = setting["properties"]["profiles"][0]["capacity"]
    return int(capacity["minimum"]), int(capacity["maximum"])


def _rule(resource_id: str, metric: str, operator: str, percent: int, direction: str) -> dict[str, Any]:
    return {
        "metricTrigger": {
            "metricName": metric,
            "metricResourceUri": resource_id,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": _WINDOW,
            "timeAggregation": "Average",
            "operator": operator,
            "threshold": percent,
        },
        "scaleAction": {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": _COOLDOWN},
    }
