"""What each version behind an endpoint on Vertex AI did, out of Cloud Monitoring and Cloud Logging.

https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list, the metrics under
``aiplatform.googleapis.com/prediction/online``. Google shows them up to three minutes late.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

_METRICS = "aiplatform.googleapis.com/prediction/online"
_LEAST_PERIOD_S = 60


@dataclass(frozen=True)
class Figures:
    """Figures of one endpoint.

    Args:
        session: adds credentials.
        address: of Cloud Monitoring.
        project: whose endpoint it is.
        endpoint_id: last part of its name.
        since: seconds since 1970 from when on it is counted.
        timeout_s: of one request.
    """

    session: "AuthorizedSession"
    address: str
    project: str
    endpoint_id: str
    since: int
    timeout_s: float

    def responses(self) -> Mapping[str, Mapping[int, int]]:
        """DeployedModel's id -> HTTP status -> how often."""
        found: dict[str, dict[int, int]] = {}
        for labels, value in self._series("response_count", "ALIGN_DELTA", "REDUCE_SUM", "response_code"):
            of_model = found.setdefault(labels.get("deployed_model_id", ""), {})
            code = int(labels.get("response_code") or 0)
            of_model[code] = of_model.get(code, 0) + int(value.get("int64Value", 0))
        return found

    def p99_s(self) -> Mapping[str, float]:
        """DeployedModel's id -> 99th percentile of the time from a request to its answer."""
        asked = self._series(
            *("prediction_latencies", "ALIGN_PERCENTILE_99", "REDUCE_MAX"),
            more=' AND metric.labels.latency_type="total"',
        )
        return {
            labels.get("deployed_model_id", ""): float(value["doubleValue"]) / 1000
            for labels, value in asked
            if "doubleValue" in value
        }

    def _series(
        self, metric: str, aligner: str, reducer: str, *labels: str, more: str = ""
    ) -> Iterator[tuple[Mapping[str, str], Mapping[str, Any]]]:
        """Labels and value of each series; the whole time is one period."""
        now = time.time()
        period = max(_LEAST_PERIOD_S, int(now - self.since) + 1)
        query = {
            "filter": f'metric.type="{_METRICS}/{metric}" AND resource.labels.endpoint_id='
            f'"{self.endpoint_id}"{more}',
            "interval.startTime": _stamp(self.since),
            "interval.endTime": _stamp(max(now, self.since + 1)),
            "aggregation.alignmentPeriod": f"{period}s",
            "aggregation.perSeriesAligner": aligner,
            "aggregation.crossSeriesReducer": reducer,
            "aggregation.groupByFields": [
                f"metric.labels.{label}" for label in ("deployed_model_id", *labels)
            ],
        }
        while True:
            page = self._ask(query)
            for series in page.get("timeSeries", []):
                for point in series["points"]:
                    yield series["metric"].get("labels", {}), point["value"]
            if not page.get("nextPageToken"):
                return
            query = {**query, "pageToken": page["nextPageToken"]}

    def _ask(self, query: Mapping[str, Any]) -> Mapping[str, Any]:
        from google.api_core.exceptions import from_http_response

        url = f"{self.address}/v3/projects/{self.project}/timeSeries"
        response = self.session.get(url, params=query, timeout=self.timeout_s)
        if response.status_code >= 400:
            raise from_http_response(response)
        found: Mapping[str, Any] = response.json()
        return found


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
