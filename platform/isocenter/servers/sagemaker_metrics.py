"""What variants did, as CloudWatch counts it.

It counts by the minute and shows a minute some seconds after its end, so gates need a watch of minutes. It
knows of no abstentions. https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from isocenter.domain.rollout import Observation

_STATISTICS = {
    "requests": ("Invocations", "Sum"),
    "refused": ("Invocation4XXErrors", "Sum"),
    "errors": ("Invocation5XXErrors", "Sum"),
    "p99": ("ModelLatency", "p99"),
}
_LONGEST_PERIOD_S = 86_400
_MICROSECONDS = 1e6


def observations(
    client: Any, endpoint: str, variants: Sequence[str], since: datetime
) -> dict[str, Observation]:
    """Variant -> what it did since ``since``. To be called under :func:`.aws_calls.asking`.

    Args:
        client: boto3's, of ``cloudwatch``.
        endpoint: on SageMaker.
        variants: at most 100.
        since: begin; CloudWatch rounds it down to the minute.
    """
    end = datetime.now(UTC) + timedelta(minutes=1)
    period = min(60 * ceil((end - since).total_seconds() / 60), _LONGEST_PERIOD_S)
    queries = [
        _query(endpoint, variant, f"{name}{number}", name, period)
        for number, variant in enumerate(variants)
        for name in _STATISTICS
    ]
    if not queries:
        return {}
    pages = client.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=since, EndTime=end
    )
    values: dict[str, list[float]] = {}
    for page in pages:
        for result in page["MetricDataResults"]:
            values.setdefault(result["Id"], []).extend(result["Values"])
    return dict(_observed(variants, values))


def _query(endpoint: str, variant: str, id_: str, name: str, period: int) -> dict[str, Any]:
    metric, statistic = _STATISTICS[name]
    dimensions = {"EndpointName": endpoint, "VariantName": variant}
    return {
        "Id": id_,
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/SageMaker",
                "MetricName": metric,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            },
            "Period": period,
            "Stat": statistic,
        },
    }


def _observed(
    variants: Sequence[str], values: Mapping[str, list[float]]
) -> Iterator[tuple[str, Observation]]:
    for number, variant in enumerate(variants):
        requests, refused = (int(sum(values.get(f"{name}{number}", []))) for name in ("requests", "refused"))
        latencies = values.get(f"p99{number}", [])
        yield (
            variant,
            Observation(
                # Each metric of a minute is shown by itself, so one may be ahead of the other.
                requests=max(0, requests - refused),
                errors=int(sum(values.get(f"errors{number}", []))),
                # Of several days the worst one's.
                p99_s=max(latencies) / _MICROSECONDS if latencies else None,
            ),
        )
