"""Cloud Logging's entries.list over what jobs' containers printed.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list. A line's timestamp is made of its
container's start and its place in the log: lines are in order, and the times between them are not to be read.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from isocenter.emulators.gcp.custom_jobs import CustomJobs, Replica
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
_DEFAULT_PAGE, _LARGEST_PAGE = 50, 1000


def list_entries(request: Request, jobs: CustomJobs, project: str) -> dict[str, Any]:
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
    job_id = next((term.value for term in terms if term.field == "resource.labels.job_id"), "")
    found = [entry for entry in _entries(jobs, job_id, project) if matches(terms, _reader(entry))]
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
    fields = {
        "resource.type": entry["resource"]["type"],
        "resource.labels.job_id": entry["resource"]["labels"]["job_id"],
        "timestamp": entry["timestamp"],
    }

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


def _lines(replica: Replica) -> list[str]:
    if not replica.log.is_file():
        return []
    ended = replica.ended  # known before the file was read
    text = replica.log.read_bytes().decode("utf-8", errors="replace")
    *lines, rest = re.split(r"\n", text)
    return [*lines, rest] if rest and ended else lines


def _time(replica: Replica, number: int) -> str:
    """RFC 3339 with nine digits, as the service writes it."""
    moment = datetime.fromtimestamp(replica.begun, UTC) + timedelta(microseconds=number)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _payload(line: str) -> dict[str, Any]:
    """JSON that a container prints becomes the entry's payload; text becomes its message."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"levelname": "INFO", "message": line}
