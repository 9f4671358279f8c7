"""Answers that are files: POST /v1/explain, a picture; POST /v1/results, a DICOM object for the PACS."""

import enum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from isocenter_serving.access import Scope
from isocenter_serving.requests.kinds import DICOM, require_dicom
from isocenter_serving.routes.asked import (
    FILE_PROBLEMS,
    ONE,
    ONE_OR_MANY,
    Deadline,
    Worker,
    file_of,
    is_copy,
)

PNG = "image/png"


class ResultKind(enum.StrEnum):
    """Which DICOM object is wanted."""

    REPORT = "sr"
    CAPTURE = "sc"


Kind = Annotated[
    ResultKind,
    Query(description="`sr`: a structured report. `sc`: the picture of /v1/explain as a Secondary Capture."),
]


def results_routes(worker: Worker) -> APIRouter:
    """The routes of this contract."""
    routes = APIRouter(tags=["isocenter"])

    @routes.post(
        "/v1/explain",
        operation_id="explain",
        summary="Where the score of one image comes from",
        description="The image as the model sees it, red where hiding a region lowers the score, blue where "
        "it raises it. Needs the scope explain. Predictions go first.",
        response_class=Response,
        responses={**FILE_PROBLEMS, **file_of(PNG, "The picture.")},
        openapi_extra=ONE_OR_MANY,
    )
    async def explain(request: Request, deadline_ms: Deadline = None) -> Response:
        return Response(await explained(worker, request, deadline_ms), media_type=PNG)

    @routes.post(
        "/v1/results",
        operation_id="results",
        summary="The answer about one image as a DICOM object",
        description="It belongs to the patient and study of the image that was sent, and a repeat has the "
        "same UIDs. Needs the scope predict, and for `sc` explain as well.",
        response_class=Response,
        responses={**FILE_PROBLEMS, **file_of(DICOM, "The object (PS3.10).")},
        openapi_extra=ONE,
    )
    async def results(
        request: Request, kind: Kind = ResultKind.REPORT, deadline_ms: Deadline = None
    ) -> Response:
        return Response(await reported(worker, request, kind, deadline_ms), media_type=DICOM)

    return routes


BY_ACCEPT = (
    f"A service may pass on this route only, so `Accept: {PNG}` asks for the picture of /v1/explain here, "
    f"`Accept: {DICOM}` for the report of /v1/results, and `Accept: {DICOM}; kind=sc` for its capture."
)
FILES_BY_ACCEPT: dict[int | str, dict[str, Any]] = {
    200: {"content": {**file_of(PNG, "")[200]["content"], **file_of(DICOM, "")[200]["content"]}},
    **FILE_PROBLEMS,
}


async def file_by_accept(worker: Worker, request: Request, deadline_ms: int | None) -> Response | None:
    """The file that the request's ``Accept`` asks for; None where it asks for none of ours.

    Raises:
        Denied: the caller may not ask for it.
        Problem: there is none.
    """
    media_type, _, options = request.headers.get("accept", "").partition(";")
    match media_type.strip().lower():
        case "image/png":
            return Response(await explained(worker, request, deadline_ms), media_type=PNG)
        case "application/dicom":
            kind = ResultKind.CAPTURE if options.strip() == "kind=sc" else ResultKind.REPORT
            return Response(await reported(worker, request, kind, deadline_ms), media_type=DICOM)
    return None


async def explained(worker: Worker, request: Request, deadline_ms: int | None) -> bytes:
    """The picture's file.

    Raises:
        Denied: the caller may not ask for it.
        Problem: there is none.
    """
    await worker.admit(request, Scope.EXPLAIN)
    worker.require_files()
    explainer = worker.require_prediction().explainer
    with explainer.explaining():
        # Features are kept of predictions and reports, not once more of the same image's explanation.
        async with worker.predicted(request, deadline_ms, is_kept=False) as served:
            return await explainer.png(await explainer.picture(served))


async def reported(worker: Worker, request: Request, kind: ResultKind, deadline_ms: int | None) -> bytes:
    """The DICOM object's file.

    Raises:
        Denied: the caller may not ask for it.
        Problem: there is none.
    """
    await worker.admit(request, Scope.PREDICT)
    if kind is ResultKind.CAPTURE:
        await worker.admit(request, Scope.EXPLAIN)
    worker.require_files()
    require_dicom(request.headers.get("content-type", ""))
    explainer = worker.require_prediction().explainer
    if kind is ResultKind.REPORT:
        with explainer.reporting():
            async with worker.predicted(request, deadline_ms, is_kept=not is_copy(request)) as served:
                return await explainer.structured_report(served)
    with explainer.explaining():
        async with worker.predicted(request, deadline_ms, is_kept=False) as served:
            return await explainer.secondary_capture(served, await explainer.picture(served))
