"""Azure Resource Manager as a server asks it: one request at a time, nothing waited for.

azure-ai-ml's own calls begin to poll in a thread and print dots while they do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from isocenter.backends.azureml_client import open_credential
from isocenter.servers.azureml_request import workspace_id
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from azure.mgmt.core import ARMPipelineClient

_MANAGEMENT = "https://management.azure.com"
API = "2025-12-01"
"""Version of Azure ML's interface: that of azure-ai-ml 1.35."""
_NOT_FOUND = 404


@dataclass(frozen=True)
class AzureMLClient:
    """Resources of one workspace, by their path in it; a path with a slash first is a whole id.

    Args:
        descriptor: of the target.
        timeout_s: of one request.
    """

    descriptor: DeploymentDescriptor
    timeout_s: float

    def get(self, path: str, api: str = API, **query: str) -> Mapping[str, Any] | None:
        """A resource of the workspace; None if there is none.

        Raises:
            HttpResponseError: the service refuses.
        """
        return self._ask("GET", path, None, {"api-version": api, **query})

    def all(self, path: str) -> list[Mapping[str, Any]]:
        """All resources of a kind; none where what they belong to isn't there."""
        found: list[Mapping[str, Any]] = []
        page = self.get(path)
        while page:
            found += page.get("value", [])
            link = page.get("nextLink")
            page = self._send("GET", link, None, {}) if link else None
        return found

    def put(self, path: str, body: Mapping[str, Any], api: str = API) -> None:
        """Make or replace a resource; not waited for."""
        self._ask("PUT", path, body, {"api-version": api})

    def patch(self, path: str, body: Mapping[str, Any]) -> None:
        """Change parts of a resource; not waited for."""
        self._ask("PATCH", path, body, {"api-version": API})

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Ask a resource to do something."""
        return self._ask("POST", path, body, {"api-version": API})

    def delete(self, path: str, api: str = API) -> None:
        """End a resource; not waited for, and no error if there is none."""
        self._ask("DELETE", path, None, {"api-version": api})

    @property
    def _address(self) -> str:
        return self.descriptor.endpoints["azure"] if self.descriptor.emulated else _MANAGEMENT

    @cached_property
    def _client(self) -> "ARMPipelineClient[Any, Any]":
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy, UserAgentPolicy
        from azure.mgmt.core import ARMPipelineClient

        credential, policy = open_credential(self.descriptor)
        own = policy or BearerTokenCredentialPolicy(credential, f"{_MANAGEMENT}/.default")
        return ARMPipelineClient(base_url=self._address, policies=[UserAgentPolicy("isocenter"), own])

    def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None, query: Mapping[str, str]
    ) -> Mapping[str, Any] | None:
        whole = path if path.startswith("/") else f"{workspace_id(self.descriptor)}/{path}"
        return self._send(method, f"{self._address}{whole}", body, query)

    def _send(
        self, method: str, url: str, body: Mapping[str, Any] | None, query: Mapping[str, str]
    ) -> Mapping[str, Any] | None:
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, url, params=dict(query), json=body)
        response = self._client.send_request(
            request, connection_timeout=self.timeout_s, read_timeout=self.timeout_s
        )
        if response.status_code == _NOT_FOUND:
            return None
        if response.status_code >= 400:
            raise HttpResponseError(response=response)
        found: Mapping[str, Any] = response.json() if response.content else {}
        return found
