"""Azure ML's REST interface, as far as azure-ai-ml asks for it on behalf of jobs and models.

Resource manager: https://learn.microsoft.com/rest/api/azureml/ ; the history of runs has no page of its own,
its definition is the SDK's. Bodies are checked against the SDK's own models (:mod:`.rest_models`).
"""

import base64
import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from isocenter.emulators.azure.autoscaling import AutoscaleSettings
from isocenter.emulators.azure.container import Scope
from isocenter.emulators.azure.endpoint_resources import EndpointResources
from isocenter.emulators.azure.job_record import FINAL, JobRecord
from isocenter.emulators.azure.online_endpoints import OnlineEndpoints
from isocenter.emulators.azure.pipelines import Pipelines
from isocenter.emulators.azure.rest_models import MalformedError, check
from isocenter.emulators.azure.scoring import Scoring
from isocenter.emulators.azure.workspace import RefusedError, Workspace
from isocenter.emulators.web_server import Answer, Request, json_answer

_PROVIDER = "Microsoft.MachineLearningServices"
_WORKSPACE = re.compile(
    r"^(?P<history>/history/v1\.0)?/subscriptions/(?P<subscription>[^/]+)/resourceGroups/(?P<group>[^/]+)"
    rf"/providers/{re.escape(_PROVIDER)}/workspaces/(?P<workspace>[^/]+)(?P<rest>/.*)?$",
    re.IGNORECASE,
)
_AUTOSCALE = re.compile(
    r"^/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Insights/autoscalesettings/(?P<name>[^/]+)$",
    re.IGNORECASE,
)
_SCORE = re.compile(r"^/inference/(?P<name>[A-Za-z0-9-]+)/score$")
_CODES = {
    400: "BadRequest",
    401: "ExpiredAuthenticationToken",
    403: "AuthorizationFailed",
    404: "ResourceNotFound",
    409: "Conflict",
    429: "TooManyRequests",
    503: "ServiceUnavailable",
}
_MESSAGES = {
    401: "The access token has expired.",
    403: "The client 'emulated' with object id '0' does not have authorization to perform action"
    f" '{_PROVIDER}/workspaces/jobs/write' over scope '/subscriptions/0' or the scope is invalid. If access"
    " was recently granted, please refresh your credentials.",
    429: "The request was throttled.",
}
_JOB_KINDS = ("Command", "Pipeline")
_ASSETS = {
    "components": "ComponentVersion",
    "environments": "EnvironmentVersion",
    "models": "ModelVersion",
}


class AzureService:
    """Answers for one workspace.

    Args:
        workspace: what it holds.
        scope: its place in Azure's tree.
        properties: of the workspace itself, as its resource shows them.
        region: its location.
        pipelines: its pipeline jobs.
        endpoints: its online endpoints.
        autoscaling: bounds of their deployments.
    """

    def __init__(
        self,
        workspace: Workspace,
        scope: Scope,
        properties: Mapping[str, Any],
        region: str,
        pipelines: Pipelines,
        endpoints: OnlineEndpoints,
        autoscaling: AutoscaleSettings,
    ) -> None:
        self._workspace = workspace
        self._pipelines = pipelines
        self._scope = scope
        self._properties = dict(properties)
        self._region = region
        self._autoscaling = autoscaling
        self._scoring = Scoring(endpoints)
        self._endpoint_resources = EndpointResources(endpoints, self._scoring, self._id)

    def answer(self, request: Request) -> Answer:
        """Do what was asked."""
        try:
            return self._answer(request)
        except MalformedError as error:
            return _error(400, "ValidationError", str(error))
        except RefusedError as error:
            return _error(error.status, error.code, str(error))

    def fault(self, status: int) -> Answer:
        """An error in ARM's shape."""
        return _error(status, _CODES.get(status, "InternalServerError"), _MESSAGES.get(status, "Asked for."))

    def _answer(self, request: Request) -> Answer:
        path = request.path
        if path.startswith("/emulator/jobs/") and path.endswith("/interrupt") and request.method == "POST":
            self._workspace.ask(unquote(path.split("/")[3]), "interrupt")
            return json_answer({})
        if path == "/discovery":  # asked for without a token: it names addresses only
            return json_answer({"api": _own_address(request), "history": _own_address(request)})
        _check_token(request)
        if setting := _AUTOSCALE.match(path):
            return self._autoscaling.answer(request, setting["name"])
        if scored := _SCORE.match(path):
            return self._scoring.answer(scored["name"], request)
        match = _WORKSPACE.match(path)
        if match is None:
            raise RefusedError(404, "InvalidResourceType", f"The emulator has no {path}.")
        asked = Scope(match["subscription"], match["group"], match["workspace"])
        if asked != self._scope:
            raise RefusedError(404, "ResourceNotFound", f"The workspace {asked.workspace} was not found.")
        parts = [unquote(part) for part in (match["rest"] or "").strip("/").split("/") if part]
        if match["history"]:
            return self._history(request, parts)
        if not request.first("api-version"):
            raise RefusedError(
                400, "MissingApiVersionParameter", "The api-version query parameter is required."
            )
        return self._resource(request, parts)

    def _resource(self, request: Request, parts: list[str]) -> Answer:
        match (request.method, *parts):
            case ("GET",):
                return json_answer(self._whole(request))
            case (_, "onlineEndpoints", *rest):
                return self._endpoint_resources.answer(request, rest)
            case ("GET", "onlineEndpointOperations", *rest):
                return self._endpoint_resources.status(request, rest)
            case ("GET", "computes", name) if name in self._workspace.clusters:
                return json_answer(self._compute(name))
            case ("GET", "datastores"):
                return _listed([self._datastore(name) for name in self._workspace.datastores])
            case ("GET", "datastores", name) if name in self._workspace.datastores:
                return json_answer(self._datastore(name))
            case (method, ("components" | "environments" | "models") as kind, name, "versions", version):
                return self._asset(method, kind, name, version, request)
            case ("GET", ("environments" | "models") as kind, name, "versions"):
                return self._versions(kind, name, request.first("listViewType", "ActiveOnly"))
            case ("GET", ("environments" | "models") as kind, name) if self._workspace.versions(kind, name):
                newest = {"latestVersion": [*self._workspace.versions(kind, name)][-1]}
                return json_answer(self._resource_body((kind, name), newest))
            case ("GET", "jobs"):
                return _listed([self._job(record) for record in self._workspace.jobs()])
            case (method, "jobs", name, *more):
                return self._job_resource(method, name, more, request)
        raise RefusedError(404, "ResourceNotFound", f"The emulator has no {request.method} {request.path}.")

    def _asset(self, method: str, kind: str, name: str, version: str, request: Request) -> Answer:
        if method == "PUT":
            body = _body(request)
            check(body, _ASSETS[kind])
            is_new = self._workspace.put_asset(kind, name, version, body["properties"])
            return json_answer(self._asset_body(kind, name, version), 201 if is_new else 200)
        return json_answer(self._asset_body(kind, name, version))

    def _versions(self, kind: str, name: str, view: str) -> Answer:
        shown = {"ActiveOnly": (False,), "ArchivedOnly": (True,), "All": (False, True)}.get(view, ())
        versions = self._workspace.versions(kind, name).items()
        found = [version for version, asset in versions if bool(asset.get("isArchived")) in shown]
        return _listed([self._asset_body(kind, name, version) for version in found])

    def _job_resource(self, method: str, name: str, more: list[str], request: Request) -> Answer:
        if self._pipelines.get(name) is not None and method == "GET" and not more:
            return json_answer(self._pipeline(name))
        match (method, *more):
            case ("GET",):
                return json_answer(self._job(self._workspace.job(name)))
            case ("PUT",):
                body = _body(request)
                check(body, "JobBase")
                if body["properties"]["jobType"] not in _JOB_KINDS:
                    kind = body["properties"]["jobType"]
                    raise RefusedError(400, "UserError", f"The emulator runs no jobs of type {kind}.")
                if body["properties"]["jobType"] == "Pipeline":
                    is_new = self._pipelines.put(name, body["properties"])
                    return json_answer(self._pipeline(name), 201 if is_new else 200)
                record, is_new = self._workspace.put_job(name, body["properties"])
                return json_answer(self._job(record), 201 if is_new else 200)
            case ("POST", "cancel"):
                record = self._workspace.ask(name, "cancel")
                return Answer(202, headers=self._operation(request, record))
            case ("GET", "cancellation"):
                record = self._workspace.job(name)
                return (
                    Answer(204)
                    if record.status in FINAL
                    else Answer(202, headers=self._operation(request, record))
                )
        raise RefusedError(405, "MethodNotAllowed", f"The emulator has no {method} {request.path}.")

    def _operation(self, request: Request, record: JobRecord) -> dict[str, str]:
        version = request.first("api-version")
        address = f"{_own_address(request)}{self._id('jobs', record.name)}/cancellation?api-version={version}"
        return {"Location": address, "Retry-After": "1"}

    def _history(self, request: Request, parts: list[str]) -> Answer:
        match (request.method, *parts):
            case ("GET", "runs", name, "details"):
                return json_answer(self._details(self._workspace.job(name)))
            case ("GET", "runs", name, "children"):
                return _listed(self._pipelines.children(name))
            case ("PATCH", "experiments", _, "runs", name):
                record, sent = self._workspace.job(name), _body(request)
                known = record.properties
                for field in ("tags", "properties"):
                    known[field] = {**(known.get(field) or {}), **(sent.get(field) or {})}
                record.change(properties=known)
                return json_answer({"runId": name, "tags": known["tags"]})
        raise RefusedError(404, "UserError", f"The emulator has no {request.method} {request.path}.")

    def _details(self, record: JobRecord) -> dict[str, Any]:
        """https://learn.microsoft.com/python/api/azure-ai-ml (RunDetails in the SDK's runhistory models)."""
        return {
            "runId": record.name,
            "status": record.status,
            "createdTimeUtc": record["created"],
            "startTimeUtc": record["started"],
            "endTimeUtc": record["ended"],
            "error": record["error"],
            "tags": record.properties.get("tags") or {},
            "properties": record.properties.get("properties") or {},
            "logFiles": self._workspace.log_files(record.name),
        }

    def _id(self, *parts: str) -> str:
        scope = self._scope
        return "/".join(
            (
                f"/subscriptions/{scope.subscription}/resourceGroups/{scope.resource_group}",
                f"providers/{_PROVIDER}/workspaces/{scope.workspace}",
                *parts,
            )
        )

    def _resource_body(self, parts: tuple[str, ...], properties: Mapping[str, Any]) -> dict[str, Any]:
        kinds = "/".join(part for part in ("workspaces", *parts[::2]))
        return {
            "id": self._id(*parts),
            "name": parts[-1],
            "type": f"{_PROVIDER}/{kinds}",
            "properties": dict(properties),
            "systemData": {"createdBy": "emulated", "createdByType": "Application"},
        }

    def _whole(self, request: Request) -> dict[str, Any]:
        return {
            "id": self._id(),
            "name": self._scope.workspace,
            "type": f"{_PROVIDER}/workspaces",
            "location": self._region,
            "identity": {"type": "SystemAssigned"},
            "properties": {
                **self._properties,
                "discoveryUrl": f"{_own_address(request)}/discovery",
                "workspaceId": "00000000-0000-0000-0000-000000000000",
                "provisioningState": "Succeeded",
            },
        }

    def _compute(self, name: str) -> dict[str, Any]:
        cluster = self._workspace.clusters[name]
        scale = {"minNodeCount": 0, "maxNodeCount": cluster.max_nodes}
        priority = "LowPriority" if cluster.spot else "Dedicated"
        described = {"vmSize": cluster.machine, "vmPriority": priority, "scaleSettings": scale}
        properties = {"computeType": "AmlCompute", "provisioningState": "Succeeded", "properties": described}
        return {**self._resource_body(("computes", name), properties), "location": self._region}

    def _datastore(self, name: str) -> dict[str, Any]:
        properties = {
            "datastoreType": "AzureBlob",
            "accountName": self._workspace.blobs.account_name,
            "containerName": self._workspace.datastores[name],
            "credentials": {"credentialsType": "None"},
            "isDefault": name == "workspaceblobstore",
        }
        return self._resource_body(("datastores", name), properties)

    def _asset_body(self, kind: str, name: str, version: str) -> dict[str, Any]:
        properties = self._workspace.asset(kind, name, version)
        shown = {**properties, "provisioningState": "Succeeded"}
        if kind == "models":
            shown["flavors"] = properties.get("flavors") or {}
        return self._resource_body((kind, name, "versions", version), shown)

    def _job(self, record: JobRecord) -> dict[str, Any]:
        return self._job_body(record.name, record.properties, record.status)

    def _pipeline(self, name: str) -> dict[str, Any]:
        found = self._pipelines.get(name)
        assert found is not None  # noqa: S101 - the callers have looked
        return self._job_body(name, *found)

    def _job_body(self, name: str, properties: Mapping[str, Any], status: str) -> dict[str, Any]:
        studio = f"https://ml.azure.com/runs/{name}?wsid={self._id()}"
        services = {"Studio": {"jobServiceType": "Studio", "endpoint": studio}}
        known = {"inputs": {}, "outputs": {}, "tags": {}, "properties": {}, "experimentName": "Default"}
        given = {key: value for key, value in properties.items() if value is not None}
        return self._resource_body(("jobs", name), {**known, **given, "status": status, "services": services})


def _check_token(request: Request) -> None:
    """As far as can be: it is there, is a JSON web token, and has not expired."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        valid = scheme == "Bearer" and float(claims["exp"]) > time.time() and bool(claims["aud"])
    except (IndexError, ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise RefusedError(
            401, "InvalidAuthenticationToken", "The access token is missing, invalid or expired."
        )


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise MalformedError("", f"is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise MalformedError("", "is not an object")
    return body


def _own_address(request: Request) -> str:
    return f"http://{request.headers['host']}"


def _listed(values: list[dict[str, Any]]) -> Answer:
    return json_answer({"value": values})


def _error(status: int, code: str, message: str) -> Answer:
    """https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/find-error-code"""
    return json_answer(
        {"error": {"code": code, "message": message, "details": [], "additionalInfo": []}}, status
    )
