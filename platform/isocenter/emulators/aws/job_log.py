"""A container's log on its way to CloudWatch Logs: one event a line, as it is written.

https://docs.aws.amazon.com/sagemaker/latest/dg/logging-cloudwatch.html
"""

import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

GROUP = "/aws/sagemaker/TrainingJobs"
_INTERVAL_S = 0.05
_LONGEST_EVENT = 200_000
_MOST_EVENTS = 1_000


class LogPump:
    """Sends a growing file to a log stream, in a thread of its own, until closed.

    How far it came lies in a file beside it, so that another pump goes on there. CloudWatch takes no empty
    events: blank lines are lost, as on the real service.
    """

    def __init__(self, logs: Any, path: Path, stream: str, group: str = GROUP) -> None:
        self._logs, self._path, self._stream, self._group = logs, path, stream, group
        self._sent = path.with_suffix(".sent")
        self._offset = int(self._sent.read_text()) if self._sent.is_file() else 0
        self._closing = threading.Event()
        self._open()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Send what is left, and return when it is there."""
        self._closing.set()
        self._thread.join()

    def _open(self) -> None:
        there = self._logs.exceptions.ResourceAlreadyExistsException
        with suppress(there):
            self._logs.create_log_group(logGroupName=self._group)
        with suppress(there):
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)

    def _run(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            self._send(at_end=False)
        self._send(at_end=True)

    def _send(self, *, at_end: bool) -> None:
        if not self._path.is_file():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        whole = data if at_end else data[: data.rfind(b"\n") + 1]
        lines = [line for line in whole.decode("utf-8", "replace").split("\n") if line.strip()]
        now = int(time.time() * 1000)
        for begin in range(0, len(lines), _MOST_EVENTS):
            events = [
                {"timestamp": now, "message": line[:_LONGEST_EVENT]}
                for line in lines[begin : begin + _MOST_EVENTS]
            ]
            self._logs.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
        self._offset += len(whole)
        if whole:
            self._sent.write_text(str(self._offset))
