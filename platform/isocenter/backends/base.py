"""The one interface through which jobs reach a service, and loading its implementations by name.

Waiting, retrying, resuming, registering and auditing live above this interface, once
(:mod:`isocenter.pipelines`). Every implementation passes ``tests/backends/``.
"""

import enum
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, cast, runtime_checkable

from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobStatus, RunId
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import EnvironmentFaultError, InputError, NotFoundError
from isocenter.home import Home

ENTRY_POINTS = "isocenter.backends"

# Named here as well, because reading the metadata of every installed package costs more than the rest
# of a trivial step.
_BUILT_IN: Mapping[str, str] = {
    "azureml": "isocenter.backends.azureml:AzureMLBackend",
    "local": "isocenter.backends.local:LocalBackend",
    "sagemaker": "isocenter.backends.sagemaker:SageMakerBackend",
    "vertex": "isocenter.backends.vertex:VertexBackend",
}

# Backend name -> the extra of the package `isocenter` that brings it.
# Backend -> the package without which it can't ask its service.
_SDKS: Mapping[str, str] = {
    "azureml": "azure-ai-ml",
    "kubernetes": "kubernetes",
    "sagemaker": "boto3",
    "vertex": "google-cloud-aiplatform",
}
INSTALL_EXTRAS: Mapping[str, str] = {
    "azureml": "azure",
    "kubernetes": "kubernetes",
    "sagemaker": "aws",
    "vertex": "gcp",
}


class Capability(enum.StrEnum):
    """What a service can do beyond running one container on one machine to its end."""

    FOLLOW_LOGS = "follow-logs"
    GPU = "gpu"
    IMAGE = "image"
    MULTIPLE_NODES = "multiple-nodes"
    SPOT = "spot"
    TIME_LIMIT = "time-limit"


@runtime_checkable
class Backend(Protocol):
    """The adapter that talks to one service."""

    @property
    def name(self) -> str:
        """Name of the backend, as in a target."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What its service can do."""
        ...

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """The exact request that ``submit`` would send. Pure: no network, credentials, clock or disk.

        Raises:
            InputError: the service can't run such a job; the message says why.
        """
        ...

    def submit(self, submission: Submission) -> JobHandle:
        """Start the job, or find it: idempotent on the run id.

        While the run's newest attempt goes on or has succeeded, that attempt's handle comes back and
        nothing is started. After a failure or a cancellation the next attempt starts, with the
        checkpoints of the one before.

        Raises:
            InputError: the run was submitted before with another request.
            EnvironmentFaultError: the service can't be reached or the machine lacks something.
        """
        ...

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is. UNKNOWN, never an exception, when that can't be told; its reason says why, and
        ``missing`` that the service has no such job.
        """
        ...

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """The job's output, line by line without line ends; ``follow`` goes on until the job ends.

        Raises:
            TransientFaultError: the service can't be asked; with ``follow``, the next line may be asked for
                all the same (:class:`~isocenter.backends.following.Following`).
        """
        ...

    def cancel(self, handle: JobHandle) -> None:
        """Ask the job to stop at a checkpoint and return at once. Idempotent; no error if it has ended."""
        ...

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """What a job that succeeded left: ``model`` and ``output``, where not empty.

        Raises:
            JobFailedError: the job has not succeeded.
        """
        ...


class BackendFactory(Protocol):
    """How a backend is opened: with the store and the settings of one target."""

    def __call__(self, home: Home, settings: Mapping[str, Any]) -> Backend:
        """The backend for one target."""
        ...


def load_backend(name: str, home: Home, settings: Mapping[str, Any] | None = None) -> Backend:
    """Open the backend called ``name``.

    Args:
        name: as in a target: ``local``, ``kubernetes``, ``sagemaker``, ``vertex``, ``azureml``, or whatever
            an installed package offers under the entry point group ``isocenter.backends``.
        home: the store.
        settings: the target's settings in the backend's terms.

    Raises:
        EnvironmentFaultError: a known backend whose packages are not installed; the hint says what to do.
        NotFoundError: nobody offers such a backend.
    """
    location = _BUILT_IN.get(name) or _entry_points().get(name)
    if location is None or not _has_its_packages(name):
        raise _not_installed(name)
    module, _, attribute = location.partition(":")
    try:
        factory = cast(BackendFactory, getattr(importlib.import_module(module), attribute))
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The backend {name!r} can't be loaded: the package {error.name or 'it needs'!r} is missing.",
            hint=install_hint(name),
        ) from error
    return factory(home, settings or {})


def available_backends() -> tuple[str, ...]:
    """Names of the backends that are installed, sorted."""
    return tuple(sorted(name for name in {*_BUILT_IN, *_entry_points()} if _has_its_packages(name)))


def install_hint(name: str) -> str:
    """The command that installs backend ``name``; empty when it comes with no extra."""
    extra = INSTALL_EXTRAS.get(name)
    return f"pip install 'isocenter[{extra}]'" if extra else ""


def refuse_unsupported(job: TrainingJob, backend: str, capabilities: frozenset[Capability]) -> None:
    """Raise if ``job`` asks for something that ``capabilities`` lack.

    Raises:
        InputError: names the first thing that the backend can't do.
    """
    compute = job.compute
    wanted = {
        Capability.IMAGE: job.image is not None,
        Capability.GPU: compute.gpu_count > 0,
        Capability.MULTIPLE_NODES: compute.nodes > 1,
        Capability.SPOT: compute.spot,
        Capability.TIME_LIMIT: compute.max_runtime_s is not None,
    }
    for capability, is_wanted in wanted.items():
        if is_wanted and capability not in capabilities:
            raise InputError(
                f"The job {job.name!r} asks for {capability.value}, which the backend {backend!r} can't do."
            )


def _entry_points() -> Mapping[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}


def _has_its_packages(name: str) -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return name not in _SDKS or bool(version(_SDKS[name]))
    except PackageNotFoundError:
        return False


def _not_installed(name: str) -> InputError | EnvironmentFaultError:
    if name in INSTALL_EXTRAS:
        return EnvironmentFaultError(f"The backend {name!r} is not installed.", hint=install_hint(name))
    return NotFoundError(
        f"There is no backend {name!r}.", hint=f"Installed: {', '.join(available_backends())}."
    )
