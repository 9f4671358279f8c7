"""One Azure ML workspace: its clusters, datastores, environments, models and jobs."""

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from isocenter.emulators.azure.container import Port, placeholders
from isocenter.emulators.azure.job_record import FINAL, JobRecord
from isocenter.emulators.azure.job_run import JobRun, Surroundings
from isocenter.emulators.azure.mount import BlobFolder
from isocenter.storage.atomic import write_bytes

_DATASTORE = re.compile(r"^azureml://(?:.*/)?datastores/([^/]+)/paths/(.+)$")
_BLOB = re.compile(r"^(?:abfss?|wasbs?)://([^@/]+)@[^/]+/(.+)$")
_ID_KIND = re.compile(r"/(environments|computes)/([^/]+)(?:/versions/([^/]+))?$", re.I)
# What makes a version what it is.
_FIXED = {
    "components": ("componentSpec",),
    "environments": ("image", "condaFile", "build"),
    "models": ("modelUri", "modelType"),
}
# What may be changed of a job that is there.
_CHANGEABLE = frozenset(("tags", "properties", "description", "displayName", "isArchived"))


class RefusedError(Exception):
    """A request that the service would refuse.

    Args:
        status: of HTTP.
        code: ARM's word for it.
        message: what is wrong.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Cluster:
    """One compute cluster: its machine type, and whether its machines may be taken away."""

    name: str
    machine: str
    max_nodes: int
    spot: bool


class Workspace:
    """What the emulator holds, in memory and in ``folder``.

    Args:
        folder: of its state.
        around: where jobs run.
        clusters: by name.
        datastores: name -> container.
    """

    def __init__(
        self,
        folder: Path,
        around: Surroundings,
        clusters: Mapping[str, Cluster],
        datastores: Mapping[str, str],
    ) -> None:
        self.clusters = dict(clusters)
        self.datastores = dict(datastores)
        self._folder = folder
        self._around = around
        self._lock = threading.RLock()
        self._records: dict[str, JobRecord] = {}
        self._runs: dict[str, JobRun] = {}
        self._assets: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in _FIXED}
        self._recall()

    @property
    def blobs(self) -> BlobServiceClient:
        """Where data, outputs and logs lie."""
        return self._around.blobs

    def close(self) -> None:
        """Cancel the jobs that go on."""
        for run in [self._runs[name] for name, record in self._records.items() if record.status not in FINAL]:
            run.end()

    def asset(self, kind: str, name: str, version: str) -> dict[str, Any]:
        """The properties of an environment's or model's version.

        Raises:
            RefusedError: there is none.
        """
        try:
            found: dict[str, Any] = self._assets[kind][name][version]
        except KeyError:
            raise RefusedError(404, "NotFound", f"No {kind} asset {name}:{version}.") from None
        return found

    def versions(self, kind: str, name: str) -> dict[str, dict[str, Any]]:
        """Version -> properties, of one asset."""
        return dict(self._assets[kind].get(name, {}))

    def put_asset(self, kind: str, name: str, version: str, properties: Mapping[str, Any]) -> bool:
        """Register a version, or change its tags; True where it is new.

        Raises:
            RefusedError: it is there and is something else.
        """
        fixed = _FIXED[kind]
        with self._lock:
            versions = self._assets[kind].setdefault(name, {})
            known = versions.get(version)
            for field in fixed:
                if known is not None and (known.get(field) or None) != (properties.get(field) or None):
                    raise RefusedError(
                        409, "UserError", f"A version {name}:{version} with another {field} exists already."
                    )
            _refuse_changed(known or {}, properties)
            versions[version] = {**(known or {}), **properties}
            write_bytes(self._folder / "assets.json", json.dumps(self._assets).encode(), mode=0o600)
            return known is None

    def job(self, name: str) -> JobRecord:
        """A job.

        Raises:
            RefusedError: there is none.
        """
        try:
            return self._records[name]
        except KeyError:
            raise RefusedError(404, "UserError", f"No job {name} was found.") from None

    def jobs(self) -> list[JobRecord]:
        """All jobs, the newest first."""
        return sorted(self._records.values(), key=lambda record: str(record["created"]), reverse=True)

    def log_files(self, name: str) -> dict[str, str]:
        """Name -> address of each log of a job."""
        return self._runs[name].log_files() if name in self._runs else {}

    def put_job(self, name: str, properties: Mapping[str, Any]) -> tuple[JobRecord, bool]:
        """Start a job, or change what may be changed of one that is there; True where it is new.

        Raises:
            RefusedError: it can't run, or is there and is something else.
        """
        with self._lock:
            if name in self._records:
                return self._change(self._records[name], properties), False
            places = self._places(properties)
            self._refuse_unknown(properties)
            record = JobRecord(self._folder / "jobs" / name, name, properties)
            self._lead(record, places)
            return record, True

    def ask(self, name: str, what: str) -> JobRecord:
        """Ask a job to stop: ``cancel``, or ``interrupt`` to be started again on another machine."""
        record = self.job(name)
        if record.status not in FINAL:
            record.change(asked=what, **({"status": "CancelRequested"} if what == "cancel" else {}))
        return record

    def _change(self, record: JobRecord, properties: Mapping[str, Any]) -> JobRecord:
        known = record.properties
        for field in known.keys() | properties.keys():
            if field not in _CHANGEABLE and (known.get(field) or None) != (properties.get(field) or None):
                raise RefusedError(
                    400,
                    "UserError",
                    "A job with this name already exists. If you are trying to create a new job, use a"
                    f" different name. An existing job's {field} cannot be changed.",
                )
        record.change(properties=known | {k: v for k, v in properties.items() if k in _CHANGEABLE})
        return record

    def _lead(self, record: JobRecord, places: Mapping[Port, BlobFolder]) -> None:
        self._records[record.name] = record
        self._runs[record.name] = run = JobRun(record, self._around, places)
        run.start()

    def _refuse_unknown(self, properties: Mapping[str, Any]) -> None:
        for field in ("environmentId", "computeId"):
            match = _ID_KIND.search(properties.get(field) or "")
            if match and match[1].lower() == "environments":
                self.asset("environments", match[2], match[3] or "")
            elif match and match[2] not in self.clusters:
                raise RefusedError(400, "UserError", f"The compute {match[2]} was not found.")
            elif field == "environmentId" and not match:
                raise RefusedError(400, "UserError", "The environmentId names no environment's version.")
        resources = properties.get("resources") or {}
        if not properties.get("computeId") and not resources.get("instanceType"):
            raise RefusedError(400, "UserError", "A job needs a compute, or an instance type for serverless.")
        cluster = self.clusters.get((properties.get("computeId") or "").rpartition("/")[2])
        if cluster and int(resources.get("instanceCount") or 1) > cluster.max_nodes:
            message = f"The cluster {cluster.name} has {cluster.max_nodes} nodes at most."
            raise RefusedError(400, "UserError", message)
        known = {("inputs", name) for name in properties.get("inputs") or {}}
        known |= {("outputs", name) for name in properties.get("outputs") or {}}
        for wanted in placeholders(properties["command"]):
            if wanted not in known:
                raise RefusedError(
                    400, "UserError", f"The command names ${{{{{'.'.join(wanted)}}}}}, unknown."
                )

    def _places(self, properties: Mapping[str, Any]) -> dict[Port, BlobFolder]:
        return {
            (kind, name): self.place_of(name, str(one.get("uri") or ""))
            for kind in ("inputs", "outputs")
            for name, one in (properties.get(kind) or {}).items()
        }

    def place_of(self, name: str, uri: str) -> BlobFolder:
        """The blobs that ``uri`` of ``name`` stands for.

        Raises:
            RefusedError: it is of no datastore and no storage account.
        """
        if match := _DATASTORE.match(uri):
            if match[1] not in self.datastores:
                raise RefusedError(400, "UserError", f"The datastore {match[1]} of {name} was not found.")
            return BlobFolder(self.datastores[match[1]], match[2].strip("/"))
        if match := _BLOB.match(uri):
            return BlobFolder(match[1], match[2].strip("/"))
        raise RefusedError(400, "UserError", f"The URI of {name} is of no datastore and no storage account.")

    def _recall(self) -> None:
        assets = self._folder / "assets.json"
        if assets.is_file():
            self._assets |= json.loads(assets.read_bytes())
        for path in sorted(self._folder.glob("jobs/*/record.json")):
            record = JobRecord(path.parent, path.parent.name)
            self._lead(record, self._places(record.properties))


def _refuse_changed(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """An asset's properties may be added to; none of them is changed or taken away."""
    given = wanted.get("properties") or {}
    for name, value in (known.get("properties") or {}).items():
        if given.get(name) != value:
            raise RefusedError(400, "UserError", f"The asset's property {name} is immutable.")
