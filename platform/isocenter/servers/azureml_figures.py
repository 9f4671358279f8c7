"""What each version behind an endpoint on Azure ML did, out of Azure Monitor.

https://learn.microsoft.com/azure/azure-monitor/reference/supported-metrics/metrics-index, under
Microsoft.MachineLearningServices/workspaces/onlineEndpoints: requests a minute, and the 99th percentile of
each minute's latencies, of which the largest is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from isocenter.servers.azureml_client import AzureMLClient

_API = "2024-02-01"
_REQUESTS, _P99 = "RequestsPerMinute", "RequestLatency_P99"
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Figures:
    """Figures of one endpoint.

    Args:
        client: of the target.
        path: of the endpoint in its workspace.
        since: seconds since 1970 from when on it is counted.
    """

    client: AzureMLClient
    path: str
    since: int

    def responses(self) -> Mapping[str, Mapping[int, int]]:
        """Deployment's name -> HTTP status -> how often."""
        found: dict[str, dict[int, int]] = {}
        for labels, data in self._series(_REQUESTS, "deployment eq '*' and statusCode eq '*'"):
            of_deployment = found.setdefault(labels.get("deployment", ""), {})
            count = round(sum(float(each.get("average") or 0) for each in data))
            status = labels.get("statuscode", "0")
            code = int(status) if status.isdecimal() else 0
            of_deployment[code] = of_deployment.get(code, 0) + count
        return found

    def p99_s(self) -> Mapping[str, float]:
        """Deployment's name -> 99th percentile of the time from a request to its answer."""
        found = {}
        for labels, data in self._series(_P99, "deployment eq '*'"):
            values = [float(each["average"]) for each in data if each.get("average") is not None]
            if values:
                found[labels.get("deployment", "")] = max(values) / 1000
        return found

    def _series(self, metric: str, of: str) -> Iterator[tuple[Mapping[str, str], list[Mapping[str, Any]]]]:
        """Labels (in lower case) and minutes of each series."""
        begin = datetime.fromtimestamp(self.since, UTC)
        end = max(datetime.now(UTC), begin + _MINUTE)
        query = {
            "timespan": f"{_stamp(begin)}/{_stamp(end)}",
            "interval": "PT1M",
            "metricnames": metric,
            "aggregation": "Average",
            "$filter": of,
        }
        page = self.client.get(f"{self.path}/providers/Microsoft.Insights/metrics", _API, **query) or {}
        for value in page.get("value", []):
            for series in value.get("timeseries", []):
                labels = {
                    str(each["name"]["value"]).lower(): str(each["value"])
                    for each in series.get("metadatavalues", [])
                }
                yield labels, series.get("data", [])


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
