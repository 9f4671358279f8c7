"""Log lines that are JSON objects, without anything of a request's content.

A path can hold a name, so the route's template is logged in its place; an exception's text can, so its type
and place are.
"""

import json
import logging
import sys
import traceback
import warnings
from datetime import UTC, datetime
from typing import Any

_QUOTING = ("pydicom", "highdicom", "PIL")
_LOGGER = logging.getLogger("isocenter_serving")


class JsonFormatter(logging.Formatter):
    """One line of JSON a record; ``extra={"fields": {...}}`` adds fields."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging``."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": record.process,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = place_of(record.exc_info[1])
        return json.dumps(line)


def place_of(error: BaseException) -> str:
    """Type and place of an exception; of the first of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    last = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{last}"


def set_up_logging() -> None:
    """Send everything to standard error as JSON, but what quotes values of files.

    What DICOM libraries warn about does. Their warnings are also ignored where files are read, but that holds
    for one thread at a time only.
    """
    warnings.simplefilter("ignore")
    warnings.showwarning = lambda *_, **__: None
    for name in _QUOTING:
        logging.getLogger(name).propagate = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)


def log_request(
    request_id: str, method: str, route: str, status: int, seconds: float, *, code: str, abstained: int
) -> None:
    """A request was answered: with a problem's ``code``, or without a decision on ``abstained`` images."""
    fields = {
        "request_id": request_id,
        "method": method,
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        **({"code": code} if code else {}),
        **({"abstained": abstained} if abstained else {}),
    }
    _LOGGER.info("request", extra={"fields": fields})


def log_defect(request_id: str, error: BaseException) -> None:
    """Something failed that shouldn't."""
    _LOGGER.error("defect", extra={"fields": {"request_id": request_id, "error": place_of(error)}})


def log_event(message: str, **fields: Any) -> None:
    """Something about the program itself."""
    _LOGGER.info(message, extra={"fields": fields})
