"""Cloud Monitoring's timeSeries.list over what endpoints answered, as far as a server asks for it.

https://cloud.google.com/monitoring/api/ref_v3/rest/v3/projects.timeSeries/list
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from isocenter.emulators.gcp.list_filter import matches, parse_filter
from isocenter.emulators.gcp.predictions import Response
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.web_server import Request

_PATH = re.compile(r"/v3/projects/([^/]+)/timeSeries")
_METRICS = "aiplatform.googleapis.com/prediction/online"
_KNOWN = (
    *("filter", "interval.startTime", "interval.endTime", "pageSize", "pageToken", "view"),
    *("aggregation.alignmentPeriod", "aggregation.perSeriesAligner", "aggregation.crossSeriesReducer"),
    "aggregation.groupByFields",
)
_LEAST_PERIOD_S = 60
_Value = Callable[[Sequence[Response]], dict[str, Any]]


def is_time_series(request: Request) -> bool:
    """Whether ``request`` asks for them."""
    return request.method == "GET" and _PATH.fullmatch(request.path) is not None


def list_time_series(request: Request, responses: Iterable[Response], project: str) -> dict[str, Any]:
    """The answer.

    Raises:
        ServiceError: a parameter is unknown or wrong, the project is another one, or it isn't emulated.
    """
    match = _PATH.fullmatch(request.path)
    if match is None or match[1] != project:
        raise ServiceError(403, "Permission 'monitoring.timeSeries.list' denied (or it may not exist).")
    if unknown := [name for name in request.query if name not in _KNOWN]:
        raise ServiceError(400, f'Invalid query: Unknown name "{unknown[0]}": Cannot find field.')
    terms = parse_filter(request.first("filter"))
    metric = next((term.value for term in terms if term.field == "metric.type"), "")
    value = _value_of(metric, request)
    begin, end = (_moment(request, f"interval.{name}Time") for name in ("start", "end"))
    _check_period(request)
    found = [
        response
        for response in responses
        if begin <= response.at <= end and matches(terms, _reader(response, metric))
    ]
    labels = [field.rpartition(".")[2] for field in request.query.get("aggregation.groupByFields", [])]
    groups: dict[tuple[str, ...], list[Response]] = {}
    for response in found:
        groups.setdefault(tuple(_label(response, label) for label in labels), []).append(response)
    return {
        "timeSeries": [
            {
                "metric": {"type": metric, "labels": dict(zip(labels, key, strict=True))},
                "metricKind": "DELTA",
                "points": [{"value": value(group)}],
            }
            for key, group in sorted(groups.items())
        ]
    }


def _value_of(metric: str, request: Request) -> _Value:
    aligner, reducer = (
        request.first(f"aggregation.{name}") for name in ("perSeriesAligner", "crossSeriesReducer")
    )
    known: Mapping[tuple[str, str, str], _Value] = {
        (f"{_METRICS}/response_count", "ALIGN_DELTA", "REDUCE_SUM"): lambda group: {
            "int64Value": str(len(group))
        },
        (f"{_METRICS}/prediction_latencies", "ALIGN_PERCENTILE_99", "REDUCE_MAX"): lambda group: {
            "doubleValue": _p99([response.seconds * 1000 for response in group])
        },
    }
    if (metric, aligner, reducer) not in known:
        raise ServiceError(501, f"The emulator doesn't know {metric!r} by {aligner!r} and {reducer!r}.")
    return known[metric, aligner, reducer]


def _reader(response: Response, metric: str) -> Callable[[str], str]:
    fields = {
        "metric.type": metric,
        "resource.type": "aiplatform.googleapis.com/Endpoint",
        "resource.labels.endpoint_id": response.endpoint_id,
        "metric.labels.latency_type": "total",
        "metric.labels.deployed_model_id": response.deployed_model_id,
    }

    def read(field: str) -> str:
        if field not in fields:
            raise ServiceError(400, f"Time series can't be filtered by {field}.")
        return fields[field]

    return read


def _label(response: Response, label: str) -> str:
    labels = {
        "deployed_model_id": response.deployed_model_id,
        "response_code": str(response.status),
        "endpoint_id": response.endpoint_id,
    }
    if label not in labels:
        raise ServiceError(400, f"Time series can't be grouped by {label}.")
    return labels[label]


def _moment(request: Request, name: str) -> float:
    try:
        return datetime.fromisoformat(request.first(name)).timestamp()
    except ValueError as error:
        raise ServiceError(400, f"Invalid value at '{name}'.") from error


def _check_period(request: Request) -> None:
    match = re.fullmatch(r"(\d+)s", request.first("aggregation.alignmentPeriod"))
    if match is None or int(match[1]) < _LEAST_PERIOD_S:
        raise ServiceError(400, "aggregation.alignmentPeriod must be at least 60s.")


def _p99(values: list[float]) -> float:
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]
