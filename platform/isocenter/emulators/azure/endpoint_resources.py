"""Online endpoints as resources of Azure's resource manager.

https://learn.microsoft.com/rest/api/azureml/online-endpoints
"""

import json
from collections.abc import Callable
from typing import Any

from isocenter.emulators.azure.metrics import endpoint_metrics
from isocenter.emulators.azure.online_endpoints import OnlineEndpoints
from isocenter.emulators.azure.rest_models import MalformedError, check
from isocenter.emulators.azure.scoring import Scoring
from isocenter.emulators.azure.workspace import RefusedError
from isocenter.emulators.web_server import Answer, Request, json_answer

_PROVIDER = "Microsoft.MachineLearningServices"
_STATUS = {"Succeeded": "Succeeded", "Failed": "Failed", "Canceled": "Canceled"}
_MOST_LINES = 10_000


class EndpointResources:
    """Answers below ``onlineEndpoints`` of one workspace.

    Args:
        endpoints: what there is.
        scoring: passes predictions on.
        id_of: gives a resource's id from its path in the workspace.
    """

    def __init__(self, endpoints: OnlineEndpoints, scoring: Scoring, id_of: Callable[..., str]) -> None:
        self._endpoints = endpoints
        self._scoring = scoring
        self._id = id_of

    def answer(self, request: Request, parts: list[str]) -> Answer:
        """Do what was asked of ``onlineEndpoints/...``.

        Raises:
            RefusedError, MalformedError: it is refused.
        """
        match (request.method, *parts):
            case ("GET",):
                return json_answer({"value": [self._shown(request, *each) for each in self._endpoints.all()]})
            case ("GET", name):
                return json_answer(self._shown(request, name, self._endpoints.get(name)))
            case ("PUT", name):
                is_new = self._endpoints.put(name, _body(request))
                shown = self._shown(request, name, self._endpoints.get(name))
                return json_answer(shown, 201 if is_new else 200, **self._operation(request, name))
            case ("DELETE", name):
                is_there = self._endpoints.delete(name)
                return Answer(202, headers=self._operation(request, name)) if is_there else Answer(204)
            case ("GET", name, "providers", "Microsoft.Insights", "metrics"):
                self._endpoints.get(name)
                return json_answer(endpoint_metrics(name, request, self._scoring.responses))
            case ("GET", name, "deployments"):
                found = self._endpoints.deployments(name)
                return json_answer({"value": [self._deployment(name, *each) for each in found]})
            case (_, name, "deployments", deployment, *more):
                return self._of_deployment(request, name, deployment, more)
        raise RefusedError(404, "ResourceNotFound", f"The emulator has no {request.method} {request.path}.")

    def status(self, request: Request, parts: list[str]) -> Answer:
        """How far an operation is: ``NAME`` or ``NAME/DEPLOYMENT`` names what is made, changed or ended."""
        try:
            name, *deployment = parts
            found = (
                self._endpoints.deployment(name, deployment[0]) if deployment else self._endpoints.get(name)
            )
        except RefusedError:
            return json_answer({"status": "Succeeded"})  # it is gone
        state = found["properties"]["provisioningState"]
        error = {"error": {"code": "ResourceNotReady", "message": "It could not be made ready."}}
        status = _STATUS.get(state, "InProgress")
        return json_answer({"status": status, **(error if status == "Failed" else {})})

    def _of_deployment(self, request: Request, name: str, deployment: str, more: list[str]) -> Answer:
        headers = self._operation(request, name, deployment)
        match (request.method, *more):
            case ("GET",):
                pass
            case ("PUT",):
                is_new = self._endpoints.put_deployment(name, deployment, _body(request))
                shown = self._deployment(name, deployment, self._endpoints.deployment(name, deployment))
                return json_answer(shown, 201 if is_new else 200, **headers)
            case ("PATCH",):
                changes = _body(request)
                check(changes, "PartialMinimalTrackedResourceWithSku")
                self._endpoints.patch_deployment(name, deployment, changes)
                shown = self._deployment(name, deployment, self._endpoints.deployment(name, deployment))
                return json_answer(shown, 202, **headers)
            case ("DELETE",):
                is_there = self._endpoints.delete_deployment(name, deployment)
                return Answer(202, headers=headers) if is_there else Answer(204)
            case ("POST", "getLogs"):
                asked = _body(request)
                check(asked, "DeploymentLogsRequest")
                lines = self._endpoints.lines(name, deployment)
                tail = min(int(asked.get("tail") or _MOST_LINES), _MOST_LINES)
                return json_answer({"content": "".join(f"{line}\n" for line in lines[-tail:])})
            case _:
                raise RefusedError(
                    404, "ResourceNotFound", f"The emulator has no {request.method} {request.path}."
                )
        return json_answer(self._deployment(name, deployment, self._endpoints.deployment(name, deployment)))

    def _shown(self, request: Request, name: str, body: dict[str, Any]) -> dict[str, Any]:
        uri = f"http://{request.headers['host']}/inference/{name}/score"
        properties = {"mirrorTraffic": {}, "traffic": {}, **body["properties"], "scoringUri": uri}
        return {
            **body,
            "id": self._id("onlineEndpoints", name),
            "name": name,
            "type": f"{_PROVIDER}/workspaces/onlineEndpoints",
            "properties": properties,
        }

    def _deployment(self, name: str, deployment: str, body: dict[str, Any]) -> dict[str, Any]:
        given = {key: value for key, value in body["properties"].items() if value is not None}
        return {
            "sku": {"name": "Default", "capacity": 1},
            **body,
            "properties": {"scaleSettings": {"scaleType": "Default"}, **given},
            "id": self._id("onlineEndpoints", name, "deployments", deployment),
            "name": deployment,
            "type": f"{_PROVIDER}/workspaces/onlineEndpoints/deployments",
        }

    def _operation(self, request: Request, *names: str) -> dict[str, str]:
        version = request.first("api-version")
        path = self._id("onlineEndpointOperations", *names)
        address = f"http://{request.headers['host']}{path}?api-version={version}"
        return {"Azure-AsyncOperation": address, "Location": address, "Retry-After": "1"}


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise MalformedError("", f"is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise MalformedError("", "is not an object")
    return body
