"""ModelVersions in the model registry of an Azure ML workspace: the same name, the same number.

https://learn.microsoft.com/azure/machine-learning/how-to-manage-models. What never changes (number, digest,
metrics) lies in the version's properties, which Azure ML only ever adds to. What changes (aliases, approval)
lies in its tags. Azure ML has no aliases: a version that has one carries a tag of that name. Why a version
was approved stays in our registry: it is free text.
"""

import re
from collections.abc import Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from isocenter.backends.azureml_client import open_client
from isocenter.backends.azureml_faults import explained
from isocenter.backends.azureml_request import datastore_path
from isocenter.errors import InputError
from isocenter.mirrors.base import MirroredVersion
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.ai.ml.entities import Model

_NUMBER, _DIGEST, _METRIC = "isocenter-version", "isocenter-digest", "metric-"
_ALIAS, _APPROVED = "isocenter-alias-", "isocenter-approved"
# Earlier versions of Isocenter sent the reason of an approval; it is taken back.
_REASON = "isocenter-approval-reason"
_VERSION = re.compile(r"/workspaces/(?P<workspace>[^/]+)/models/(?P<name>[^/]+)/versions/(?P<version>[^/]+)$")
# A tag of Azure holds so many characters.
_LONGEST = 256
_LONGEST_NAME = 255


class AzureMLMirror:
    """The models of a target's workspace; see :class:`isocenter.mirrors.base.Mirror`.

    Args:
        descriptor: of the target.
        timeout_s: of one request.
    """

    def __init__(self, descriptor: DeploymentDescriptor, timeout_s: float = 60.0) -> None:
        self._descriptor = descriptor
        self._timeout_s = timeout_s

    def register(self, version: MirroredVersion) -> str:
        """Register the version, or find it; returns its id in Azure: ``/subscriptions/../versions/NUMBER``.

        Raises:
            InputError: the number is known there with another digest.
        """
        with self._explained("register the model"):
            found = self._find(model_name(version.name), str(version.number))
            if found is None:
                from azure.ai.ml.entities import Model

                found = self._client.models.create_or_update(Model(**model_fields(version, self._descriptor)))
            elif (found.properties or {}).get(_DIGEST) != version.digest:
                raise InputError(
                    f"Version {version.number} of {version.name} is another model at {self._descriptor.name}."
                )
            return str(found.id)

    def set_aliases(self, provider_id: str, aliases: frozenset[str]) -> None:
        """Tags ``isocenter-alias-NAME``; those that another version of the model had go first."""
        name, number = self._parts(provider_id)
        wanted = {f"{_ALIAS}{alias}": "yes" for alias in sorted(aliases)}
        with self._explained("move aliases of the model"):
            from azure.ai.ml.constants import ListViewType

            for model in self._client.models.list(name, list_view_type=ListViewType.ALL):
                if model.version != number:
                    self._set_tags(model, _without(model, wanted.keys()))
            model = self._client.models.get(name, number)
            given = {key for key in model.tags or {} if key.startswith(_ALIAS)}
            self._set_tags(model, {**_without(model, given), **wanted})

    def set_approval(self, provider_id: str, approved: bool) -> None:
        """Tag ``isocenter-approved``, ``yes`` or ``no``."""
        name, number = self._parts(provider_id)
        with self._explained("approve the model"):
            model = self._client.models.get(name, number)
            self._set_tags(model, {**_without(model, {_REASON}), _APPROVED: "yes" if approved else "no"})

    def _explained(self, what: str) -> Any:
        return explained(what, self._descriptor.name)

    @cached_property
    def _client(self) -> "MLClient":
        return open_client(self._descriptor, read_timeout_s=self._timeout_s)

    def _find(self, name: str, version: str) -> "Model | None":
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found: Model = self._client.models.get(name, version)
        except ResourceNotFoundError:
            return None
        return found

    def _parts(self, provider_id: str) -> tuple[str, str]:
        """Name and version."""
        found = _VERSION.search(provider_id)
        if found is None or found["workspace"] != self._descriptor.workspace:
            raise InputError(
                f"{provider_id[:200]!r} is no model in the workspace {self._descriptor.workspace}."
            )
        return found["name"], found["version"]

    def _set_tags(self, model: "Model", tags: Mapping[str, str]) -> None:
        if dict(model.tags or {}) != tags:
            model.tags = dict(tags)
            self._client.models.create_or_update(model)


def open_mirror(descriptor: DeploymentDescriptor, timeout_s: float) -> AzureMLMirror:
    """The models of a target's workspace."""
    return AzureMLMirror(descriptor, timeout_s)


def model_name(name: str) -> str:
    """A model's name in the characters that Azure ML allows."""
    text = re.sub(r"[^A-Za-z0-9._-]", "-", name)
    return (text if text[:1].isalnum() else f"m{text}")[:_LONGEST_NAME]


def model_fields(version: MirroredVersion, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """The Model as it is registered.

    Raises:
        InputError: its bundle lies outside of Azure.
    """
    metrics = {f"{_METRIC}{name}": f"{value:.6g}" for name, value in sorted(version.metrics.items())}
    tags = {name: value[:_LONGEST] for name, value in version.labels.items() if value}
    return {
        "name": model_name(version.name),
        "version": str(version.number),
        "type": "custom_model",
        "path": datastore_path(descriptor, descriptor.settings, version.artifact_uri),
        "description": f"{version.name}:{version.number} of Isocenter's own registry",
        "tags": {**descriptor.labels, **tags, _APPROVED: "no"},
        "properties": {_NUMBER: str(version.number), _DIGEST: version.digest, **metrics},
    }


def _without(model: "Model", keys: Collection[str]) -> dict[str, str]:
    return {key: str(value) for key, value in (model.tags or {}).items() if key not in keys}
