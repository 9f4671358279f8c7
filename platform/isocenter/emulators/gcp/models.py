"""Vertex AI's Model Registry: versions with labels, and aliases that point at one version of a model each.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.models
"""

import json
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from isocenter.emulators.gcp.endpoint_check import check_container
from isocenter.emulators.gcp.list_filter import matches, parse_filter
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.storage.atomic import write_bytes

_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_OF_VERSION = ("labels", "version_description")
_CHANGEABLE = (*_OF_VERSION, "display_name", "description")
_LONGEST_NAME = 128


class Models:
    """All models of the emulated project.

    Args:
        path: file that they are kept in.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        # Model id -> its versions, the oldest first.
        self._models: dict[str, list[Any]] = _stored(path)

    def upload(self, request: Any) -> Any:
        """A new model, or a new version of ``parent_model``; returns UploadModelResponse.

        Raises:
            ServiceError: a field is wrong, the id is taken, or there is no such parent.
        """
        from google.cloud.aiplatform_v1.types import UploadModelResponse

        _check(request.model)
        with self._lock:
            model_id = self._id_for(request)
            versions = self._models.setdefault(model_id, [])
            made = _copy(request.model)
            made.name = f"{request.parent}/models/{model_id}"
            if made.container_spec.image_uri:
                made.supported_deployment_resources_types.append(_dedicated())
            made.version_id = str(int(versions[-1].version_id) + 1 if versions else 1)
            for field in ("create_time", "update_time", "version_create_time", "version_update_time"):
                getattr(made, field).GetCurrentTime()
            aliases = [*made.version_aliases] + ([] if versions else ["default"])
            del made.version_aliases[:]
            versions.append(made)
            self._give(model_id, made, aliases)
            self._save()
            return UploadModelResponse.pb(
                UploadModelResponse(model=made.name, model_version_id=made.version_id)
            )

    def delete(self, name: str) -> str:
        """Forget a model with all of its versions; returns its full name.

        Raises:
            ServiceError: there is none.
        """
        with self._lock:
            found = self._versions(name)[0].name
            del self._models[found.rpartition("/")[2]]
            self._save()
            return str(found)

    def get(self, name: str) -> Any:
        """The version that ``name`` names: by ``@number``, ``@alias``, or the default one."""
        with self._lock:
            return _copy(self._find(name))

    def all(self, filter_text: str) -> list[Any]:
        """The default version of each model."""
        terms = parse_filter(filter_text)
        with self._lock:
            found = [self._find(versions[0].name) for versions in self._models.values()]
            return [_copy(each) for each in found if matches(terms, _reader(each))]

    def versions(self, name: str, filter_text: str) -> list[Any]:
        """All versions of a model."""
        terms = parse_filter(filter_text)
        with self._lock:
            found = self._versions(name.partition("@")[0])
            return [_copy(each) for each in found if matches(terms, _reader(each))]

    def merge_aliases(self, name: str, aliases: Sequence[str]) -> Any:
        """Give the version aliases; those that begin with ``-`` are taken from it.

        Raises:
            ServiceError: no such version, no alias by its characters, or ``-default``.
        """
        for alias in aliases:
            if not _ALIAS.fullmatch(alias.removeprefix("-")) or alias == "-default":
                raise ServiceError(400, f"Invalid version alias: {alias}")
        with self._lock:
            version = self._find(name)
            dropped = {alias[1:] for alias in aliases if alias.startswith("-")}
            kept = [alias for alias in version.version_aliases if alias not in dropped]
            del version.version_aliases[:]
            version.version_aliases.extend(kept)
            given = [alias for alias in aliases if not alias.startswith("-")]
            self._give(version.name.rpartition("/")[2], version, given)
            self._save()
            return _copy(version)

    def update(self, model: Any, paths: Sequence[str]) -> Any:
        """Change the fields of the mask.

        Raises:
            ServiceError: no such version, or a field that can't be changed.
        """
        if not paths or (wrong := [path for path in paths if path not in _CHANGEABLE]):
            raise ServiceError(400, f"update_mask can't hold: {', '.join(wrong) if paths else 'nothing'}")
        _check_labels(model.labels)
        with self._lock:
            version = self._find(model.name)
            for path in paths:
                if path == "labels":
                    version.labels.clear()
                    version.labels.update(model.labels)
                else:
                    setattr(version, path, getattr(model, path))
            version.version_update_time.GetCurrentTime()
            self._save()
            return _copy(version)

    def _id_for(self, request: Any) -> str:
        if request.parent_model:
            self._versions(request.parent_model)
            return str(request.parent_model.rpartition("/")[2])
        model_id = request.model_id or str(10**18 + secrets.randbelow(8 * 10**18))
        if request.model_id and not _MODEL_ID.fullmatch(model_id):
            raise ServiceError(400, f"Invalid model_id: {model_id}")
        if model_id in self._models:
            raise ServiceError(409, f"Model {model_id} already exists.")
        return model_id

    def _versions(self, name: str) -> Any:
        found = self._models.get(name.rpartition("/")[2])
        if not found:
            raise ServiceError(404, f"The Model does not exist: {name}")
        return found

    def _find(self, name: str) -> Any:
        model, _, wanted = name.partition("@")
        for version in self._versions(model):
            if version.version_id == wanted or (wanted or "default") in version.version_aliases:
                return version
        raise ServiceError(404, f"The Model Version does not exist: {name}")

    def _give(self, model_id: str, version: Any, aliases: Sequence[str]) -> None:
        """An alias points at one version of a model: the others lose it."""
        for alias in aliases:
            for other in self._models[model_id]:
                if alias in other.version_aliases:
                    other.version_aliases.remove(alias)
            version.version_aliases.append(alias)

    def _save(self) -> None:
        from google.protobuf.json_format import MessageToDict

        body = {name: [MessageToDict(each) for each in versions] for name, versions in self._models.items()}
        write_bytes(self._path, json.dumps(body).encode())


def _check(model: Any) -> None:
    if not 0 < len(model.display_name) <= _LONGEST_NAME:
        raise ServiceError(400, f"display_name must have 1 to {_LONGEST_NAME} characters.")
    if model.artifact_uri and not model.artifact_uri.startswith("gs://"):
        raise ServiceError(400, "artifact_uri must begin with gs://.")
    if model.HasField("container_spec"):
        check_container(model.container_spec)
    for alias in model.version_aliases:
        if not _ALIAS.fullmatch(alias):
            raise ServiceError(400, f"Invalid version alias: {alias}")
    _check_labels(model.labels)


def _dedicated() -> int:
    from google.cloud.aiplatform_v1 import Model

    return int(Model.DeploymentResourcesType.DEDICATED_RESOURCES)


def _check_labels(labels: Any) -> None:
    for name, value in labels.items():
        if not _LABEL_KEY.fullmatch(name) or not _LABEL_VALUE.fullmatch(value):
            raise ServiceError(400, f"Label not allowed: {name}={value}")


def _reader(model: Any) -> Any:
    def read(field: str) -> str:
        if field.startswith("labels."):
            return str(model.labels.get(field.removeprefix("labels."), ""))
        if field in ("display_name", "name"):
            return str(getattr(model, field))
        raise ServiceError(400, f"Models can't be filtered by {field}.")

    return read


def _stored(path: Path) -> dict[str, list[Any]]:
    with suppress(OSError, ValueError):
        return {name: [*_parsed(found)] for name, found in json.loads(path.read_bytes()).items()}
    return {}


def _parsed(found: Sequence[Any]) -> Iterator[Any]:
    from google.cloud.aiplatform_v1 import Model
    from google.protobuf.json_format import ParseDict

    for each in found:
        yield ParseDict(each, Model.pb(Model()))


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
