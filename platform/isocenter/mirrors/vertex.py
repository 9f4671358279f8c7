"""ModelVersions in Vertex AI's Model Registry: one Model a name, one of its versions for each number.

https://cloud.google.com/vertex-ai/docs/model-registry/versioning. The version's labels hold our number and
digest, by which it is found again, and whether it is approved; its description holds the metrics, because a
label has no room for a decimal point. Why a version was approved stays in our registry: it is free text.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from isocenter.backends.vertex_faults import explained
from isocenter.backends.vertex_request import label, location_of
from isocenter.errors import InputError
from isocenter.mirrors.base import MirroredVersion
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import Model, ModelServiceClient

_NUMBER, _DIGEST, _APPROVED = "isocenter-version", "isocenter-digest", "isocenter-approved"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
# Vertex AI's own alias: one version of a model always has it.
_DEFAULT = "default"
_VERSION = re.compile(r"projects/[^/]+/locations/[^/]+/models/[^/@]+@\d+")
# Earlier versions of Isocenter sent the reason of an approval; it is taken back.
_REASON = "Reason: "


class VertexMirror:
    """The Model Registry of a target on Google Cloud; see :class:`isocenter.mirrors.base.Mirror`.

    Args:
        descriptor: of the target.
        timeout_s: of one request.
    """

    def __init__(self, descriptor: DeploymentDescriptor, timeout_s: float = 60.0) -> None:
        self._descriptor = descriptor
        self._timeout_s = timeout_s

    def register(self, version: MirroredVersion) -> str:
        """Upload the version, or find it; returns ``projects/../models/ID@NUMBER`` with Google's number.

        Raises:
            InputError: the number is known there with another digest.
        """
        with self._explained("register the model"):
            name = f"{location_of(self._descriptor)}/models/{model_id(version.name)}"
            versions = self._versions(name)
            found = [each for each in versions if each.labels.get(_NUMBER) == str(version.number)]
            if found and found[0].labels.get(_DIGEST) != _short_digest(version.digest):
                raise InputError(
                    f"Version {version.number} of {version.name} is another model at {self._descriptor.name}."
                )
            if found:
                return _id(found[0].name, found[0].version_id)
            return self._upload(version, parent=name if versions else "")

    def set_aliases(self, provider_id: str, aliases: frozenset[str]) -> None:
        """Give the version exactly these aliases, beside Google's own ``default``."""
        with self._explained("move aliases of the model"):
            model = self._get(provider_id)
            given = {*model.version_aliases} - {_DEFAULT}
            changes = [*sorted(aliases - given), *(f"-{alias}" for alias in sorted(given - aliases))]
            if changes:
                self._client.merge_version_aliases(
                    name=provider_id, version_aliases=changes, timeout=self._timeout_s
                )

    def set_approval(self, provider_id: str, approved: bool) -> None:
        """Label the version ``yes`` or ``no``."""
        with self._explained("approve the model"):
            from google.cloud.aiplatform_v1 import Model
            from google.protobuf.field_mask_pb2 import FieldMask

            model = self._get(provider_id)
            changed = Model(
                name=provider_id,
                labels={**dict(model.labels), _APPROVED: "yes" if approved else "no"},
                version_description=model.version_description.partition(_REASON)[0].strip(),
            )
            mask = FieldMask(paths=["labels", "version_description"])
            self._client.update_model(model=changed, update_mask=mask, timeout=self._timeout_s)

    def _explained(self, what: str) -> Any:
        return explained(what, self._descriptor.name)

    @cached_property
    def _client(self) -> "ModelServiceClient":
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.aiplatform_v1 import ModelServiceClient

        descriptor = self._descriptor
        credentials = AnonymousCredentials()
        if not descriptor.emulated:
            credentials, _ = google.auth.default(scopes=[_SCOPE])
        regional = f"https://{descriptor.region}-aiplatform.googleapis.com"
        options = {"api_endpoint": descriptor.endpoints.get("gcp") or regional}
        return ModelServiceClient(credentials=credentials, transport="rest", client_options=options)

    def _versions(self, name: str) -> "list[Model]":
        from google.api_core.exceptions import NotFound

        try:
            return [*self._client.list_model_versions(name=name, timeout=self._timeout_s)]
        except NotFound:
            return []

    def _get(self, provider_id: str) -> "Model":
        if not _VERSION.fullmatch(provider_id):
            raise InputError(f"{provider_id[:200]!r} is no version in Vertex AI's Model Registry.")
        return self._client.get_model(name=provider_id, timeout=self._timeout_s)

    def _upload(self, version: MirroredVersion, parent: str) -> str:
        from google.cloud.aiplatform_v1 import Model
        from google.cloud.aiplatform_v1.types import UploadModelRequest

        body = model_body(version, self._descriptor)
        request = UploadModelRequest(
            parent=location_of(self._descriptor),
            parent_model=parent,
            model_id="" if parent else model_id(version.name),
            model=Model(body),
        )
        answered = self._client.upload_model(request=request, timeout=self._timeout_s).result(self._timeout_s)
        return _id(answered.model, answered.model_version_id)


def open_mirror(descriptor: DeploymentDescriptor, timeout_s: float) -> VertexMirror:
    """The mirror of the target ``descriptor`` (:func:`isocenter.mirrors.base.load_mirror`)."""
    return VertexMirror(descriptor, timeout_s)


def model_id(name: str) -> str:
    """A model's name in the characters that Vertex AI allows for ids."""
    text = re.sub(r"[^a-z0-9_-]", "-", name.lower())
    return (text if text[:1].isalpha() else f"m-{text}")[:63]


def model_body(version: MirroredVersion, descriptor: DeploymentDescriptor) -> Mapping[str, Any]:
    """The Model as it is uploaded."""
    body: dict[str, Any] = {
        "display_name": version.name[:128],
        "artifact_uri": version.artifact_uri,
        "version_description": _metrics(version.metrics),
        # A first version has it whether it is asked for or not; a later one must not take it.
        "version_aliases": [],
        "labels": {
            **{label(name): label(value) for name, value in {**descriptor.labels, **version.labels}.items()},
            _NUMBER: str(version.number),
            _DIGEST: _short_digest(version.digest),
        },
    }
    if image := descriptor.settings.get("images", {}).get("serving"):
        body["container_spec"] = {"image_uri": image}
    if key := descriptor.keys.get("data"):
        body["encryption_spec"] = {"kms_key_name": key}
    return body


def _metrics(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in sorted(metrics.items()))


def _short_digest(digest: str) -> str:
    return digest.rpartition(":")[2][:40]


def _id(name: str, number: str) -> str:
    return f"{name.partition('@')[0]}@{number}"
