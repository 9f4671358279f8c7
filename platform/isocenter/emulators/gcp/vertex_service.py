"""What each emulated method of Vertex AI does with a request that was parsed."""

import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from isocenter.emulators.gcp.custom_job_check import check_custom_job
from isocenter.emulators.gcp.custom_jobs import CustomJobs
from isocenter.emulators.gcp.endpoints import Endpoints
from isocenter.emulators.gcp.list_filter import matches, parse_filter
from isocenter.emulators.gcp.models import Models
from isocenter.emulators.gcp.operations import Operations
from isocenter.emulators.gcp.pipeline_jobs import PipelineJobs
from isocenter.emulators.gcp.predictions import Predictions
from isocenter.emulators.gcp.rpc import find_rpc, to_json
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.web_server import Answer, Request, json_answer

# A protobuf message; Google's have no types that mypy could read.
Message = Any
_LARGEST_PAGE = 100
# The library asks for operations below /ui as well.
_OPERATION = re.compile(r"/(?:v1|ui)/(projects/.+/operations/\d+)")
_OPERATIONS = re.compile(r"/(?:v1|ui)/(projects/.+)/operations")
_RAW_PREDICT = re.compile(r"/v1/(projects/[^/]+/locations/[^/]+/endpoints/[^/:]+):rawPredict")


class VertexService:
    """Vertex AI in one project and region.

    Args:
        project: its id.
        number: its number, which the service puts in names.
        region: the only one.
        jobs: kept and run.
        models: kept.
        pipelines: run.
        endpoints: kept and run.
        operations: on endpoints.
        predictions: passed on.
    """

    def __init__(
        self,
        project: str,
        number: str,
        region: str,
        jobs: CustomJobs,
        models: Models,
        pipelines: PipelineJobs,
        endpoints: Endpoints,
        operations: Operations,
        predictions: Predictions,
    ) -> None:
        self._parents = {f"projects/{each}/locations/{region}" for each in (project, number)}
        self._parent = f"projects/{number}/locations/{region}"
        self._region = region
        self._jobs = jobs
        self._models = models
        self._endpoints = endpoints
        self._operations = operations
        self._predictions = predictions
        self._methods: Mapping[str, Callable[[Any], Message | None]] = {
            "CreateCustomJob": self._create_custom_job,
            "GetCustomJob": lambda asked: jobs.get(asked.name),
            "ListCustomJobs": self._list_custom_jobs,
            "CancelCustomJob": lambda asked: jobs.cancel(asked.name),
            "CreatePipelineJob": lambda asked: pipelines.create(
                self._parent, asked.pipeline_job_id, asked.pipeline_job
            ),
            "GetPipelineJob": lambda asked: pipelines.get(asked.name),
            "UploadModel": self._upload_model,
            "GetModel": lambda asked: models.get(asked.name),
            "ListModels": self._list_models,
            "ListModelVersions": self._list_model_versions,
            "MergeVersionAliases": lambda asked: models.merge_aliases(asked.name, asked.version_aliases),
            "UpdateModel": lambda asked: models.update(asked.model, asked.update_mask.paths),
            "DeleteModel": self._delete_model,
            "CreateEndpoint": lambda asked: endpoints.create(
                self._parent, asked.endpoint_id, asked.endpoint, region
            ),
            "GetEndpoint": lambda asked: endpoints.get(asked.name),
            "ListEndpoints": self._list_endpoints,
            "UpdateEndpoint": lambda asked: endpoints.update(asked.endpoint, asked.update_mask.paths),
            "DeleteEndpoint": lambda asked: endpoints.delete(asked.name),
            "DeployModel": endpoints.deploy,
            "UndeployModel": endpoints.undeploy,
            "MutateDeployedModel": endpoints.mutate,
            "Predict": lambda asked: predictions.predict(asked, asked.ByteSize()),
        }

    def answer(self, request: Request) -> Answer:
        """Parse, check and do.

        Raises:
            ServiceError: the request is refused.
        """
        if match := _RAW_PREDICT.fullmatch(request.plain_path):
            return self._raw_predict(match[1], request)
        if request.method == "GET" and (match := _OPERATION.fullmatch(request.plain_path)):
            self._check_in_project("GetOperation", match[1])
            return json_answer(to_json(self._operations.get(match[1]), request))
        if request.method == "GET" and (match := _OPERATIONS.fullmatch(request.plain_path)):
            return self._list_operations(match[1], request)
        rpc, asked = find_rpc(request)
        self._check_place(rpc.name, asked)
        method = self._methods.get(rpc.name)
        if method is None:
            raise ServiceError(501, f"The emulator doesn't know {rpc.name}.")
        answered = method(asked)
        return json_answer({} if answered is None else to_json(answered, request))

    def _check_place(self, name: str, asked: Any) -> None:
        place = getattr(asked, "parent", "") or getattr(asked, "name", "")
        place = place or getattr(getattr(asked, "model", None), "name", "")
        endpoint = getattr(asked, "endpoint", "")
        place = place or (endpoint if isinstance(endpoint, str) else endpoint.name)
        self._check_in_project(name, place)

    def _check_in_project(self, name: str, place: str) -> None:
        if "/".join(place.split("/")[:4]) not in self._parents:
            permission = f"aiplatform.{_permission(name)}"
            raise ServiceError(
                403,
                f"Permission '{permission}' denied on resource '//aiplatform.googleapis.com/{place}'"
                " (or it may not exist).",
            )

    def _create_custom_job(self, asked: Any) -> Message:
        check_custom_job(asked.custom_job, self._region)
        return self._jobs.create(self._parent, asked.custom_job)

    def _list_custom_jobs(self, asked: Any) -> Message:
        from google.cloud.aiplatform_v1.types import ListCustomJobsResponse

        terms = parse_filter(asked.filter)
        found = [job for job in self._jobs.all() if matches(terms, _job_reader(job))]
        page = ListCustomJobsResponse.pb(ListCustomJobsResponse())
        page.custom_jobs.extend(_page(found, asked, page))
        return page

    def _upload_model(self, asked: Any) -> Message:
        from google.longrunning.operations_pb2 import Operation

        answered = self._models.upload(_with_parent(asked, self._parent))
        operation = Operation(
            name=f"{answered.model}/operations/{10**18 + secrets.randbelow(10**18)}", done=True
        )
        operation.response.Pack(answered)
        return operation

    def _delete_model(self, asked: Any) -> Message:
        from google.cloud.aiplatform_v1.types import DeleteOperationMetadata
        from google.protobuf.empty_pb2 import Empty

        if self._endpoints.is_deployed(asked.name):
            raise ServiceError(400, f"Model {asked.name} is deployed.", "FAILED_PRECONDITION")
        metadata = DeleteOperationMetadata.pb(DeleteOperationMetadata())
        return self._operations.done(self._models.delete(asked.name), metadata, Empty())

    def _list_endpoints(self, asked: Any) -> Message:
        from google.cloud.aiplatform_v1.types import ListEndpointsResponse

        terms = parse_filter(asked.filter)
        found = [each for each in self._endpoints.all() if matches(terms, _endpoint_reader(each))]
        page = ListEndpointsResponse.pb(ListEndpointsResponse())
        page.endpoints.extend(_page(found, asked, page))
        return page

    def _list_operations(self, of: str, request: Request) -> Answer:
        self._check_in_project("ListOperations", of)
        if unknown := [name for name in request.query if name not in ("pageToken", "pageSize", "$alt")]:
            raise ServiceError(400, f'Invalid JSON payload received. Unknown name "{unknown[0]}".')
        return json_answer({"operations": [to_json(each, request) for each in self._operations.all(of)]})

    def _raw_predict(self, name: str, request: Request) -> Answer:
        self._check_in_project("RawPredict", name)
        kind = request.headers.get("content-type", "application/json")
        return self._predictions.raw_predict(name, request.body, kind)

    def _list_models(self, asked: Any) -> Message:
        from google.cloud.aiplatform_v1.types import ListModelsResponse

        page = ListModelsResponse.pb(ListModelsResponse())
        page.models.extend(_page(self._models.all(asked.filter), asked, page))
        return page

    def _list_model_versions(self, asked: Any) -> Message:
        from google.cloud.aiplatform_v1.types import ListModelVersionsResponse

        page = ListModelVersionsResponse.pb(ListModelVersionsResponse())
        page.models.extend(_page(self._models.versions(asked.name, asked.filter), asked, page))
        return page


def _endpoint_reader(endpoint: Any) -> Callable[[str], str]:
    def read(field: str) -> str:
        if field.startswith("labels."):
            return str(endpoint.labels.get(field.removeprefix("labels."), ""))
        if field in ("display_name", "endpoint"):
            return str(endpoint.display_name if field == "display_name" else endpoint.name.rpartition("/")[2])
        raise ServiceError(400, f"Endpoints can't be filtered by {field}.")

    return read


def _page(found: list[Any], asked: Any, page: Any) -> list[Any]:
    """The part of a list that was asked for; says in ``page`` where the next begins."""
    if asked.page_token and not asked.page_token.isdecimal():
        raise ServiceError(400, "Invalid page_token.")
    begin = int(asked.page_token or 0)
    size = min(asked.page_size or _LARGEST_PAGE, _LARGEST_PAGE)
    if begin + size < len(found):
        page.next_page_token = str(begin + size)
    return found[begin : begin + size]


def _job_reader(job: Any) -> Callable[[str], str]:
    def read(field: str) -> str:
        from google.cloud.aiplatform_v1 import JobState

        if field.startswith("labels."):
            return str(job.labels.get(field.removeprefix("labels."), ""))
        if field == "state":
            return str(JobState(job.state).name)
        if field == "display_name":
            return str(job.display_name)
        raise ServiceError(400, f"CustomJobs can't be filtered by {field}.")

    return read


def _with_parent(asked: Any, parent: str) -> Any:
    asked.parent = parent
    return asked


def _permission(rpc: str) -> str:
    """``customJobs.create`` of ``CreateCustomJob``."""
    for verb in ("Create", "Get", "List", "Cancel", "Delete", "Update", "Upload"):
        if rpc.startswith(verb):
            noun = rpc.removeprefix(verb)
            plural = noun if noun.endswith("s") else f"{noun}s"
            return f"{plural[:1].lower()}{plural[1:]}.{verb.lower()}"
    return f"{rpc[:1].lower()}{rpc[1:]}"
