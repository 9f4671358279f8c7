"""Why a request gets no answer: a status, a code for programs, a sentence for people (RFC 9457).

Nothing of the request is in it, so no patient data either.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"


class ProblemBody(BaseModel):
    """How a problem looks on the wire."""

    model_config = ConfigDict(title="Problem")

    type: str = Field(default="about:blank", description="Always `about:blank`: `code` tells more.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="What was wrong, for programs.")
    detail: str = Field(description="What was wrong, for people. Never holds anything of the request.")
    request_id: str = Field(description="Names the request in the log and in captured features.")


class Problem(Exception):  # noqa: N818 - the standard's word
    """A request that is not answered.

    Args:
        status: of HTTP.
        code: for programs.
        detail: one sentence for a person, without anything of the request.
        headers: further ones of the answer.
    """

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """JSON-able fields."""
        title = HTTPStatus(self.status).phrase
        return ProblemBody(
            title=title, status=self.status, code=self.code, detail=self.detail, request_id=request_id
        ).model_dump()

    def response(self, request_id: str) -> Response:
        """The answer."""
        body = self.body(request_id)
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def busy(code: str, detail: str, retry_after_s: int) -> Problem:
    """There is no room for the request now."""
    return Problem(429, code, detail, {"Retry-After": str(retry_after_s)})
