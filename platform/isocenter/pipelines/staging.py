"""Bringing a job's inputs to its target, and what it left back: content-named, written once, checked.

The plan of a job on a target names URIs that follow from content, so that it is known before anything is
copied.
"""

import shutil
import tarfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from isocenter.audit.actor import current_actor
from isocenter.domain.artifact import Artifact
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import IntegrityError, IsocenterError, PolicyError
from isocenter.home import Home
from isocenter.storage.local_faults import local_fault
from isocenter.targets.credentials import refuse_without_credentials
from isocenter.targets.file_system import target_files
from isocenter.targets.quick_look import is_surely_there
from isocenter.targets.storage_faults import storage_fault

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from isocenter.audit.trail import AuditTrail
    from isocenter.targets.descriptor import DeploymentDescriptor

# What of a dataset a job doesn't read: files set aside, and counts of the ingest.
_KEPT_AT_HOME = frozenset(("quarantine.parquet", "ingest.json"))
_LARGEST_OUTPUT = 64 << 30
# In a folder of its own: a service gives its container every file under a job's input.
_MARKS = "complete"


@dataclass(frozen=True)
class StagedJob:
    """A job as its target will see it.

    Args:
        job: with URIs for inputs.
        sources: URI -> the directory here whose files belong there.
    """

    job: TrainingJob
    sources: Mapping[str, Path]


def stage(job: TrainingJob, home: Home, descriptor: "DeploymentDescriptor | None") -> StagedJob:
    """What ``job`` becomes on a target; nothing is copied.

    Args:
        job: with directories for inputs.
        home: the store; its datasets and artifacts are named by content.
        descriptor: of the target; None: the job runs on this machine, on the directories as they are.

    Raises:
        PolicyError: the inputs may not leave their residency zone.
    """
    if descriptor is None:
        return StagedJob(job, {})
    if job.residency and job.residency != descriptor.residency:
        raise PolicyError(
            f"The job's data must stay in {job.residency!r}; the target {descriptor.name} lies in"
            f" {descriptor.residency or 'no known zone'!r}.",
            hint="Choose a target in that zone: isocenter target list.",
        )
    places = {channel: _place(Path(path), home, descriptor) for channel, path in job.inputs.items()}
    sources = {places[channel]: Path(path) for channel, path in job.inputs.items()}
    return StagedJob(replace(job, inputs=places), sources)


def _place(path: Path, home: Home, descriptor: "DeploymentDescriptor") -> str:
    kind = "datasets" if path.is_relative_to(home.datasets) else "artifacts"
    bucket = descriptor.buckets["data" if kind == "datasets" else "models"]
    return f"{bucket}/{kind}/{path.name}"


def missing(staged: StagedJob, descriptor: "DeploymentDescriptor") -> Mapping[str, Path]:
    """Those sources of ``staged`` that its target has not got yet.

    Raises:
        IsocenterError: the target's storage can't be reached, or denies it (:func:`storage_fault`).
    """
    return {uri: path for uri, path in staged.sources.items() if not _is_there(uri, descriptor)}


def upload(sources: Mapping[str, Path], descriptor: "DeploymentDescriptor", trail: "AuditTrail") -> None:
    """Copy what :func:`missing` found to the target.

    The mark that a file set is whole is written last: an upload that was killed is done again. The audit
    trail says what is about to leave, and how that ended: what can't be recorded doesn't leave.

    Raises:
        IsocenterError: the target's storage can't be reached, or denies it (:func:`storage_fault`).
    """
    for uri, source in sources.items():
        _upload(source, uri, descriptor, trail)


def upload_artifact(
    folder: Path, descriptor: "DeploymentDescriptor", trail: "AuditTrail", *, limit_s: float | None = None
) -> str:
    """Copy a published artifact to a target's bucket of models, unless it is there; its URI.

    Args:
        folder: of the artifact in this store, named by its digest.
        descriptor: of the target.
        trail: see :func:`upload`.
        limit_s: look, and copy, so long at most; None: as long as it takes.

    Raises:
        IsocenterError: the target's storage can't be reached, not in that time, or denies it
            (:func:`storage_fault`).
    """
    uri = f"{descriptor.buckets['models']}/artifacts/{folder.name}"
    if not _is_there(uri, descriptor, limit_s):
        _upload(folder, uri, descriptor, trail, limit_s)
    return uri


def _is_there(uri: str, descriptor: "DeploymentDescriptor", limit_s: float | None = None) -> bool:
    refuse_without_credentials(descriptor, uri.partition("://")[0])
    if limit_s is None and is_surely_there(descriptor, _mark(uri)):
        return True
    files = target_files(descriptor, uri)
    with _explained(descriptor):
        return bool(files.exists(_mark(uri), **_limit(files, limit_s)))


def _upload(
    source: Path,
    uri: str,
    descriptor: "DeploymentDescriptor",
    trail: "AuditTrail",
    limit_s: float | None = None,
) -> None:
    files, end = target_files(descriptor, uri), None if limit_s is None else time.monotonic() + limit_s
    with _recorded(source, uri, descriptor, trail), _explained(descriptor, source):
        for path in _to_copy(source):
            left = None if end is None else max(end - time.monotonic(), 0.1)
            there = f"{uri}/{path.relative_to(source).as_posix()}"
            files.put_file(str(path), there, **_limit(files, left))
        files.pipe_file(_mark(uri), b"")


def _limit(files: "AbstractFileSystem", seconds: float | None) -> dict[str, Any]:
    """How fsspec is told to give up; a local folder answers at once."""
    return {"timeout": seconds} if seconds is not None and files.async_impl else {}


@contextmanager
def _recorded(
    source: Path, uri: str, descriptor: "DeploymentDescriptor", trail: "AuditTrail"
) -> Iterator[None]:
    """Two records around a copy: what is about to leave, and how it ended, also where it was interrupted."""
    sizes = [path.stat().st_size for path in _to_copy(source)]
    kind = uri.rsplit("/", 2)[1].removesuffix("s")
    about = f"{kind}:sha256:{source.name}"
    told = {"target": descriptor.name, "to": uri, "files": len(sizes), "bytes": sum(sizes)}

    def record(action: str, outcome: Outcome, **more: str) -> None:
        trail.append(AuditEvent(current_actor(), f"{kind}.{action}", about, outcome, {**told, **more}))

    record("upload.begin", Outcome.SUCCESS)
    try:
        yield
    except IsocenterError as error:
        record("upload", Outcome.FAILURE, error=error.code)
        raise
    except BaseException:
        record("upload", Outcome.FAILURE, error="interrupted")
        raise
    record("upload", Outcome.SUCCESS)


def _mark(uri: str) -> str:
    """Where it is said that all files of ``uri`` are there."""
    bucket, kind, name = uri.rsplit("/", 2)
    return f"{bucket}/{_MARKS}/{kind}/{name}"


def _to_copy(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.name not in _KEPT_AT_HOME:
            yield path


def fetch(artifact: Artifact, folder: Path, descriptor: "DeploymentDescriptor | None") -> Path:
    """The files of what a job left, in a directory here.

    Args:
        artifact: as the backend's ``outputs`` named it; a URI that ends in ``.tar.gz`` is unpacked.
        folder: to copy into.
        descriptor: of the target; None: the files are here already.

    Raises:
        IntegrityError: an archive that reaches outside of its folder, or is larger than any model.
        IsocenterError: the target's storage can't be reached, or denies it (:func:`storage_fault`).
        EnvironmentFaultError: the disk here is full, or ``folder`` can't be written.
    """
    if descriptor is None:
        return Path(artifact.uri)
    files = target_files(descriptor, artifact.uri)
    target = folder / artifact.name
    with _explained(descriptor, folder):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        if artifact.uri.endswith(".tar.gz"):
            packed = folder / f"{artifact.name}.tar.gz"
            files.get_file(artifact.uri, str(packed))
            unpack(packed, target)
            packed.unlink()
        else:
            _download(files, artifact.uri, target)
    return target


def _download(files: "AbstractFileSystem", uri: str, target: Path) -> None:
    root = files._strip_protocol(uri).rstrip("/")
    for found in files.find(root):
        name = PurePosixPath(found.removeprefix(root).lstrip("/"))
        if ".." in name.parts:
            raise IntegrityError("What the job left has a file outside of its folder.")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(found, str(path))


def unpack(packed: Path, target: Path) -> None:
    """Unpack a ``.tar.gz`` of a job into the directory ``target``.

    Raises:
        IntegrityError: it reaches outside of its folder, is larger than any model, or is no archive.
    """
    try:
        with tarfile.open(packed, "r:gz") as archive:
            members = archive.getmembers()
            if sum(member.size for member in members) > _LARGEST_OUTPUT:
                raise IntegrityError("What the job left is larger than any model.")
            archive.extractall(target, members, filter="data")
    except tarfile.TarError as error:
        raise IntegrityError("What the job left is no archive that can be unpacked.") from error


@contextmanager
def _explained(descriptor: "DeploymentDescriptor", here: Path | None = None) -> Iterator[None]:
    """Storage faults as ours; those that may pass are transient, and the same command continues.

    Args:
        descriptor: of the target whose storage is asked.
        here: the files of this machine that are read or written meanwhile: their faults are none of its.
    """
    try:
        yield
    except IsocenterError:
        raise
    except Exception as error:  # each file system has errors of its own
        if here is not None and (fault := local_fault(error, here)) is not None:
            raise fault from error
        scheme = descriptor.buckets["data"].partition("://")[0]
        raise storage_fault(error, descriptor.name, scheme) from error
