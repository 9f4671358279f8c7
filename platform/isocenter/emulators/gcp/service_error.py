"""Errors in the shape of Google's APIs: https://cloud.google.com/apis/design/errors#http_mapping"""

from collections.abc import Mapping

from isocenter.emulators.web_server import Answer, json_answer

_NAMES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class ServiceError(Exception):
    """What the service refuses.

    Args:
        code: HTTP status.
        message: for the client.
        name: of the gRPC status; by default the one that goes with ``code``.
    """

    def __init__(self, code: int, message: str, name: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.name = name or _NAMES.get(code, "UNKNOWN")

    def answer(self) -> Answer:
        """The error as it is sent."""
        error = {"code": self.code, "message": self.message, "status": self.name}
        return json_answer({"error": error}, self.code)
