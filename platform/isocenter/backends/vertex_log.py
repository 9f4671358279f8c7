"""What a job's containers printed, out of Cloud Logging.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list: the one method that is needed, called
through google-auth; Google's client library for it brings gRPC only.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.backends.following import Look
from isocenter.backends.vertex_faults import explained
from isocenter.errors import TransientFaultError

if TYPE_CHECKING:
    from google.auth.transport.requests import AuthorizedSession

_PAGE = 1000
# What the service adds to a line of text when it makes an entry of it.
_ENVELOPE = {"message", "levelname", "attrs", "created", "lineno", "pathname", "severity"}


@dataclass(frozen=True)
class JobLog:
    """The log of one job.

    Args:
        session: adds credentials.
        address: of Cloud Logging.
        project: whose log it is.
        job_id: last part of the CustomJob's name.
        target: for messages.
        poll_s: between two looks; Google allows 60 looks a minute and project.
        settle_s: so long after the job's end its last lines may come.
        timeout_s: of one request.
    """

    session: "AuthorizedSession"
    address: str
    project: str
    job_id: str
    target: str
    poll_s: float
    settle_s: float
    timeout_s: float

    def lines(self) -> Iterator[str]:
        """What is there now, the oldest first."""
        for entry in self._entries(""):
            yield from _lines_of(entry)

    def last_lines(self, number: int) -> list[str]:
        """The last ``number`` entries' lines, the oldest first."""
        body = self._question("", "timestamp desc") | {"pageSize": number}
        entries = reversed(self._ask(body).get("entries", []))
        return [line for entry in entries for line in _lines_of(entry)]

    def follow(self, has_ended: Callable[[], bool]) -> Iterator[Look]:
        """Lines as they come, until ``has_ended`` and ``settle_s`` have passed; faults on the way."""
        since, seen, end = "", set[tuple[str, str]](), float("inf")
        while True:
            if end == float("inf") and has_ended():
                end = time.monotonic() + self.settle_s
            last_look = time.monotonic() >= end
            try:
                for entry in self._entries(since):
                    mark = (entry["timestamp"], entry["insertId"])
                    if mark not in seen:
                        yield from _lines_of(entry)
                    # Late entries of the same instant are still to come; older ones need no memory.
                    seen = {known for known in seen if known[0] >= since} | {mark}
                    since = max(since, entry["timestamp"])
                yield None
                if last_look:
                    return
            except TransientFaultError as fault:
                yield fault
            time.sleep(self.poll_s if last_look else min(self.poll_s, max(0.0, end - time.monotonic())))

    def _entries(self, since: str) -> Iterator[Mapping[str, Any]]:
        body = self._question(since, "timestamp asc") | {"pageSize": _PAGE}
        while True:
            page = self._ask(body)
            yield from page.get("entries", [])
            if not page.get("nextPageToken"):
                return
            body = {**body, "pageToken": page["nextPageToken"]}

    def _question(self, since: str, order: str) -> dict[str, Any]:
        terms = ['resource.type="ml_job"', f'resource.labels.job_id="{self.job_id}"']
        terms += [f'timestamp>="{since}"'] if since else []
        names = [f"projects/{self.project}"]
        return {"resourceNames": names, "filter": " AND ".join(terms), "orderBy": order}

    def _ask(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        from google.api_core.exceptions import from_http_response

        with explained("read the job's log", self.target):
            url = f"{self.address}/v2/entries:list"
            response = self.session.post(url, json=body, timeout=self.timeout_s)
            if response.status_code >= 400:
                raise from_http_response(response)
            found: Mapping[str, Any] = response.json()
            return found


def _lines_of(entry: Mapping[str, Any]) -> list[str]:
    """The lines that the container printed: as text, or as JSON that the service took apart."""
    if "textPayload" in entry:
        return str(entry["textPayload"]).splitlines() or [""]
    payload = entry.get("jsonPayload", {})
    if "message" in payload and payload.keys() <= _ENVELOPE:
        return str(payload["message"]).splitlines() or [""]
    return [json.dumps(payload, ensure_ascii=False)]
