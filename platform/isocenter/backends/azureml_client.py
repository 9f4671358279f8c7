"""Azure ML's SDK, opened for one target: credentials by the standard chain, or for an emulated one, none."""

import base64
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isocenter.backends.azureml_faults import explained
from isocenter.errors import InputError

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

    from isocenter.targets.descriptor import DeploymentDescriptor

_CONNECT_S, _READ_S = 10.0, 60.0
_PUBLIC_CLOUD = "AzureCloud"
# An emulated token is good for so long; a new one is made for each client.
_TOKEN_S = 30 * 86_400
# The SDK keeps the clouds that it knows, and the current one, where all clients of the process share them.
_opening = threading.Lock()
_CURRENT_CLOUD = "AZUREML_CURRENT_CLOUD"
# What they say of what may change in the SDK is no user's business.
_CHATTY = ("azure.ai.ml._utils._experimental", "azure.ai.ml._schema.core.fields")


def open_client(descriptor: "DeploymentDescriptor", *, read_timeout_s: float = _READ_S) -> "MLClient":
    """The SDK's client of a target's workspace. Nothing is asked yet.

    What fails is asked again above the backends, once for all: here, nothing is.

    Args:
        descriptor: of the target; ``settings`` has ``subscription`` and ``resource_group``.
        read_timeout_s: of one call.

    Raises:
        InputError: the descriptor doesn't say where the workspace is.
        EnvironmentFaultError: azure-ai-ml isn't installed.
    """
    settings = descriptor.settings
    if not (settings.get("subscription") and settings.get("resource_group") and descriptor.workspace):
        raise InputError(f"The descriptor of {descriptor.name} doesn't say where its workspace is.")
    with explained("open the workspace", descriptor.name), _opening, _environment_kept():
        from azure.ai.ml import MLClient

        for chatty in _CHATTY:
            logging.getLogger(chatty).setLevel(logging.ERROR)
        return MLClient(
            subscription_id=settings["subscription"],
            resource_group_name=settings["resource_group"],
            workspace_name=descriptor.workspace,
            enable_telemetry=False,
            show_progress=False,
            retry_total=0,
            connection_timeout=min(_CONNECT_S, read_timeout_s),
            read_timeout=read_timeout_s,
            **(_emulated(descriptor) if descriptor.emulated else _real()),
        )


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Take back what the SDK writes into the environment: other targets' clients and our children read it."""
    before = os.environ.get(_CURRENT_CLOUD)
    try:
        yield
    finally:
        os.environ.pop(_CURRENT_CLOUD, None)
        if before is not None:
            os.environ[_CURRENT_CLOUD] = before


def _real() -> dict[str, Any]:
    from isocenter.targets.credentials import azure_credential

    return {"credential": azure_credential(), "cloud": _PUBLIC_CLOUD}


def _emulated(descriptor: "DeploymentDescriptor") -> dict[str, Any]:
    """A cloud of its own at the emulator's address, over plain HTTP, with a token that is no secret."""
    from azure.core.credentials import AccessToken
    from azure.core.pipeline import PipelineRequest
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    address, tenant = descriptor.endpoints["azure"], str(descriptor.settings.get("tenant", ""))
    token = _unsigned_token(tenant)

    class Credential:
        def get_token(self, *scopes: str, **options: Any) -> AccessToken:
            # With a pipeline job goes a token for Azure ML itself, and the SDK looks whether it is one.
            asked = scopes[0].removesuffix("/.default") if scopes else ""
            own = _unsigned_token(tenant, asked) if asked.startswith("https://ml.azure.com") else token
            return AccessToken(own, int(time.time()) + _TOKEN_S)

    class PlainHttp(SansIOHTTPPolicy[Any, Any]):
        """The SDK's own policy gives no token to an address without TLS."""

        def on_request(self, request: PipelineRequest[Any]) -> None:
            request.context.options.pop("enforce_https", None)
            request.http_request.headers["Authorization"] = f"Bearer {token}"

    names = ("azure_portal", "resource_manager", "active_directory", "registry_discovery_endpoint")
    more = {"aml_resource_id": "https://ml.azure.com/", "storage_endpoint": "core.windows.net"}
    return {
        "credential": Credential(),
        "cloud": f"emulated at {address}",
        "cloud_metadata": {**dict.fromkeys(names, address), **more},
        "authentication_policy": PlainHttp(),
    }


def _unsigned_token(tenant: str, audience: str = "https://management.azure.com") -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"aud": audience, "tid": tenant, "exp": int(time.time()) + _TOKEN_S}
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."
