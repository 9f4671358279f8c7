"""What a client of SageMaker gets: JSON, and errors in the protocol's shape.

https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from isocenter.emulators.web_server import Answer

_TYPE = "application/x-amz-json-1.1"
# What a test's status stands for. Where SageMaker throttles it answers 400.
FAULTS: Mapping[int, tuple[str, str, int]] = {
    401: ("UnrecognizedClientException", "The security token included in the request is invalid.", 403),
    403: (
        "AccessDeniedException",
        "User: arn:aws:iam::123456789012:user/someone is not authorized to perform:"
        " sagemaker:CreateTrainingJob on resource: arn:aws:sagemaker:*:123456789012:training-job/*",
        400,
    ),
    419: ("ExpiredTokenException", "The security token included in the request is expired", 403),
    429: ("ThrottlingException", "Rate exceeded", 400),
    500: ("InternalFailure", "The request processing has failed because of an unknown error.", 500),
    503: ("ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503),
}


class ServiceError(Exception):
    """A request that is refused.

    Args:
        code: the service's name of the error.
        message: its words.
        status: of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> ServiceError:
    """SageMaker's ValidationException."""
    return ServiceError("ValidationException", message)


def error_answer(error: ServiceError) -> Answer:
    """``error`` on the wire."""
    headers = {"x-amzn-ErrorType": f"{error.code}:"}
    return _answer({"__type": error.code, "message": error.message}, error.status, headers)


def answer(value: Mapping[str, Any]) -> Answer:
    """A result on the wire."""
    return _answer(value, 200, {})


def _answer(value: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Answer:
    body = json.dumps(value).encode() if value else b""
    return Answer(status, body, {"Content-Type": _TYPE, "x-amzn-RequestId": str(uuid4()), **headers})
