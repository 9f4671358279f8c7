"""Cloud Logging's entries.list over what the containers of jobs and endpoints printed.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list. A line's timestamp is made of its
container's start and its place in the log: lines are in order, and the times between them are not to be read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from isocenter.emulators.gcp.custom_jobs import CustomJobs, Replica
from isocenter.emulators.gcp.endpoints import Endpoints
from isocenter.emulators.gcp.list_filter import matches, parse_filter
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.web_server import Request

_FIELDS: Mapping[str, type] = {
    "resourceNames": list,
    "filter": str,
    "orderBy": str,
    "pageSize": int,
    "pageToken": str,
}
_ORDERS = {"": False, "timestamp asc": False, "timestamp desc": True}
_ENDPOINT = "aiplatform.googleapis.com/Endpoint"
_DEFAULT_PAGE, _LARGEST_PAGE = 50, 1000


def list_entries(request: Request, jobs: CustomJobs, endpoints: Endpoints, project: str) -> dict[str, Any]:
    """The answer to ``POST /v2/entries:list``.

    Raises:
        ServiceError: a field is unknown or wrong, or the project is another one.
    """
    body = _body(request)
    if body.get("resourceNames") != [f"projects/{project}"]:
        raise ServiceError(
            403, "Permission 'logging.logEntries.list' denied on resource (or it may not exist)."
        )
    if body.get("orderBy", "") not in _ORDERS:
        raise ServiceError(400, "order_by must be 'timestamp asc' or 'timestamp desc'.")
    terms = parse_filter(body.get("filter", ""))
    asked = {term.field: term.value for term in terms}
    if asked.get("resource.type") == _ENDPOINT:
        entries = _entries_of_endpoint(endpoints, asked.get("resource.labels.endpoint_id", ""), project)
    else:
        entries = _entries(jobs, asked.get("resource.labels.job_id", ""), project)
    found = [entry for entry in entries if matches(terms, _reader(entry))]
    found.sort(key=lambda entry: (entry["timestamp"], entry["insertId"]))
    if _ORDERS[body.get("orderBy", "")]:
        found.reverse()
    return _page(found, int(body.get("pageSize", _DEFAULT_PAGE)), body.get("pageToken", ""))


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise ServiceError(400, f"Invalid JSON payload received. {error}") from error
    for name, value in body.items():
        if name not in _FIELDS:
            raise ServiceError(
                400, f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
            )
        if not isinstance(value, _FIELDS[name]):
            raise ServiceError(400, f"Invalid value at '{name}'.")
    return dict(body)


def _page(found: list[dict[str, Any]], size: int, token: str) -> dict[str, Any]:
    if not 0 < size <= _LARGEST_PAGE or (token and not token.isdecimal()):
        raise ServiceError(400, "page_size or page_token is wrong.")
    begin = int(token or 0)
    page: dict[str, Any] = {"entries": found[begin : begin + size]}
    if begin + size < len(found):
        page["nextPageToken"] = str(begin + size)
    return page


def _reader(entry: Mapping[str, Any]) -> Any:
    fields = {"resource.type": entry["resource"]["type"], "timestamp": entry["timestamp"]}
    for name, labels in (
        ("resource.labels", entry["resource"]["labels"]),
        ("labels", entry.get("labels", {})),
    ):
        fields |= {f"{name}.{label}": value for label, value in labels.items()}
    if entry["resource"]["type"] == _ENDPOINT:
        fields["jsonPayload.abstained"] = str(entry["jsonPayload"].get("abstained", ""))

    def read(field: str) -> str:
        if field not in fields:
            raise ServiceError(501, f"The emulator can't filter log entries by {field}.")
        return str(fields[field])

    return read


def _entries(jobs: CustomJobs, job_id: str, project: str) -> Iterator[dict[str, Any]]:
    for replica in jobs.replicas(job_id):
        for number, line in enumerate(_lines(replica)):
            yield {
                "logName": f"projects/{project}/logs/{replica.name}",
                "resource": {
                    "type": "ml_job",
                    "labels": {"job_id": job_id, "project_id": project, "task_name": replica.name},
                },
                "timestamp": _time(replica, number),
                "severity": "INFO",
                "insertId": f"{replica.start}-{replica.name}-{number:08}",
                "jsonPayload": _payload(line),
            }


def _entries_of_endpoint(endpoints: Endpoints, endpoint_id: str, project: str) -> Iterator[dict[str, Any]]:
    for deployed_model_id, start, path in endpoints.logs(endpoint_id):
        begun = path.stat().st_ctime
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines()):
            payload = _payload(line)
            yield {
                "logName": f"projects/{project}/logs/aiplatform.googleapis.com%2Fprediction_container",
                "resource": {
                    "type": _ENDPOINT,
                    "labels": {"endpoint_id": endpoint_id, "resource_container": project},
                },
                "labels": {"deployed_model_id": deployed_model_id, "replica_id": start},
                "timestamp": _said_at(payload) or _moment(begun, number),
                "severity": "INFO",
                "insertId": f"{deployed_model_id}-{start}-{number:08}",
                "jsonPayload": payload,
            }


def _said_at(payload: Mapping[str, Any]) -> str:
    """When the serving program says that it wrote the line; empty where it doesn't."""
    try:
        return _google(datetime.fromisoformat(str(payload.get("at", ""))))
    except ValueError:
        return ""


def _lines(replica: Replica) -> list[str]:
    if not replica.log.is_file():
        return []
    ended = replica.ended  # known before the file was read
    text = replica.log.read_bytes().decode("utf-8", errors="replace")
    *lines, rest = re.split(r"\n", text)
    return [*lines, rest] if rest and ended else lines


def _time(replica: Replica, number: int) -> str:
    return _moment(replica.begun, number)


def _moment(begun: float, number: int) -> str:
    return _google(datetime.fromtimestamp(begun, UTC) + timedelta(microseconds=number))


def _google(moment: datetime) -> str:
    """RFC 3339 with nine digits, as the service writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _payload(line: str) -> dict[str, Any]:
    """JSON that a container prints becomes the entry's payload; text becomes its message."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"levelname": "INFO", "message": line}
