"""Azure Monitor's metrics of online endpoints, as far as a server asks for them.

https://learn.microsoft.com/rest/api/monitor/metrics/list
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from isocenter.emulators.azure.scoring import Response
from isocenter.emulators.azure.workspace import RefusedError
from isocenter.emulators.web_server import Request

_KNOWN = ("api-version", "timespan", "interval", "metricnames", "aggregation", "$filter")
_FILTERS: Mapping[str, tuple[str, ...]] = {
    "deployment eq '*'": ("deployment",),
    "deployment eq '*' and statusCode eq '*'": ("deployment", "statusCode"),
}
_MINUTE_S = 60


def endpoint_metrics(name: str, request: Request, responses: Iterable[Response]) -> dict[str, Any]:
    """The answer.

    Raises:
        RefusedError: a parameter is unknown or wrong, or the emulator doesn't know it.
    """
    if unknown := [each for each in request.query if each not in _KNOWN]:
        raise RefusedError(400, "BadRequest", f"The query parameter {unknown[0]} is unknown.")
    metric, labels = request.first("metricnames"), _FILTERS.get(request.first("$filter"))
    asked = (request.first("interval"), request.first("aggregation"))
    if metric not in _VALUES or labels is None or asked != ("PT1M", "Average"):
        raise RefusedError(400, "BadRequest", f"The emulator doesn't know {metric!r} so.")
    begin, end = _span(request)
    groups: dict[tuple[str, ...], dict[int, list[Response]]] = {}
    for response in responses:
        # Azure Monitor has whole minutes; the one in which the span begins counts from there.
        if response.endpoint == name and begin <= response.at <= end + _MINUTE_S:
            key = tuple(_label(response, label) for label in labels)
            minutes = groups.setdefault(key, {})
            minutes.setdefault(int(response.at // _MINUTE_S), []).append(response)
    series = [
        {
            "metadatavalues": [
                {"name": {"value": label.lower()}, "value": value}
                for label, value in zip(labels, key, strict=True)
            ],
            "data": [
                {"timeStamp": _stamp(minute), "average": _VALUES[metric](found)}
                for minute, found in sorted(minutes.items())
            ],
        }
        for key, minutes in sorted(groups.items())
    ]
    return {"value": [{"name": {"value": metric}, "timeseries": series}]}


def _p99_ms(found: list[Response]) -> float:
    values = sorted(each.seconds * 1000 for each in found)
    return values[math.ceil(0.99 * len(values)) - 1]


_VALUES = {"RequestsPerMinute": lambda found: float(len(found)), "RequestLatency_P99": _p99_ms}


def _label(response: Response, label: str) -> str:
    return response.deployment if label == "deployment" else str(response.status)


def _span(request: Request) -> tuple[float, float]:
    begin, _, end = request.first("timespan").partition("/")
    try:
        return datetime.fromisoformat(begin).timestamp(), datetime.fromisoformat(end).timestamp()
    except ValueError as error:
        raise RefusedError(400, "BadRequest", "The timespan is not BEGIN/END.") from error


def _stamp(minute: int) -> str:
    return datetime.fromtimestamp(minute * _MINUTE_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
