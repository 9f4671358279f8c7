"""Vertex AI's services as a server asks them: through google-cloud-aiplatform's REST transports."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from isocenter.errors import InputError, TransientFaultError
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.aiplatform_v1 import Endpoint, EndpointServiceClient, Model, ModelServiceClient

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True)
class VertexClient:
    """Endpoints, models and operations of one target.

    Args:
        descriptor: of the target.
        timeout_s: of one request.
        poll_s: between two looks at what is waited for.
    """

    descriptor: DeploymentDescriptor
    timeout_s: float
    poll_s: float

    @property
    def address(self) -> str:
        """Where the service answers."""
        regional = f"https://{self.descriptor.region}-aiplatform.googleapis.com"
        return self.descriptor.endpoints.get("gcp") or regional

    @cached_property
    def credentials(self) -> "Credentials":
        """Of the SDK's standard chain."""
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if self.descriptor.emulated:
            return AnonymousCredentials()
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        return credentials

    @cached_property
    def session(self) -> "AuthorizedSession":
        """For Google's services whose client libraries aren't needed otherwise."""
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(self.credentials)

    @cached_property
    def endpoints(self) -> "EndpointServiceClient":
        """Endpoints and what is deployed behind them."""
        from google.cloud.aiplatform_v1 import EndpointServiceClient

        return EndpointServiceClient(**self._options())

    @cached_property
    def models(self) -> "ModelServiceClient":
        """The Model Registry."""
        from google.cloud.aiplatform_v1 import ModelServiceClient

        return ModelServiceClient(**self._options())

    def endpoint(self, name: str) -> "Endpoint | None":
        """The endpoint; None if there is none."""
        from google.api_core.exceptions import NotFound

        try:
            return self.endpoints.get_endpoint(name=name, timeout=self.timeout_s)
        except NotFound:
            return None

    def model(self, name: str) -> "Model | None":
        """The model; None if there is none."""
        from google.api_core.exceptions import NotFound

        try:
            return self.models.get_model(name=name, timeout=self.timeout_s)
        except NotFound:
            return None

    def models_labelled(self, parent: str, key: str, value: str) -> "list[Model]":
        """All models with a label."""
        request = {"parent": parent, "filter": f'labels.{key}="{value}"'}
        return [*self.models.list_models(request=request, timeout=self.timeout_s)]

    def operations(self, name: str) -> "list[Mapping[str, Any]]":
        """What was or is being done to an endpoint, the newest first; as the REST reference writes it."""
        from google.api_core.exceptions import NotFound

        found: list[Mapping[str, Any]] = []
        token = ""
        while True:
            try:
                page = self._get(f"{name}/operations", pageToken=token)
            except NotFound:
                return []
            found += page.get("operations", [])
            token = page.get("nextPageToken", "")
            if not token:
                return sorted(found, key=_begun, reverse=True)

    def wait(self, name: str) -> None:
        """Return when the operation ``name`` has ended well.

        Raises:
            InputError: it has failed; the service's words.
            TransientFaultError: it goes on after an hour.
        """
        deadline = time.monotonic() + _LONGEST_WAIT_S
        while not (operation := self._get(name)).get("done"):
            if time.monotonic() > deadline:
                raise TransientFaultError(f"{self.descriptor.name} is still at {name}.")
            time.sleep(self.poll_s)
        if "error" in operation:
            raise InputError(f"{self.descriptor.name} gave up: {operation['error'].get('message', '')}")

    def _get(self, path: str, **query: str) -> Mapping[str, Any]:
        """The library's own calls for operations take paths under ``/ui``, which no reference knows."""
        from google.api_core.exceptions import from_http_response

        asked = {key: value for key, value in query.items() if value}
        response = self.session.get(f"{self.address}/v1/{path}", params=asked, timeout=self.timeout_s)
        if response.status_code >= 400:
            raise from_http_response(response)
        found: Mapping[str, Any] = response.json()
        return found

    def _options(self) -> dict[str, Any]:
        return {
            "credentials": self.credentials,
            "transport": "rest",
            "client_options": {"api_endpoint": self.address},
        }


def _begun(operation: Mapping[str, Any]) -> str:
    return str(operation.get("metadata", {}).get("genericMetadata", {}).get("createTime", ""))
