"""The one interface through which rollouts reach a service, and loading its implementations by name.

The order of steps, gates, resuming, approvals, history and auditing live above this interface, once
(:mod:`isocenter.rollouts`). Every implementation passes ``tests/servers/``.
"""

import enum
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast, runtime_checkable

from isocenter.backends.base import INSTALL_EXTRAS, install_hint
from isocenter.domain.rollout import Endpoint, Observation, Rollout
from isocenter.domain.submission import Submission
from isocenter.errors import EnvironmentFaultError, InputError, NotFoundError
from isocenter.home import Home

ENTRY_POINTS = "isocenter.servers"

# Named here as well, because reading the metadata of every installed package takes long.
_BUILT_IN: Mapping[str, str] = {
    "azureml": "isocenter.servers.azureml:AzureMLServer",
    "kubernetes": "isocenter.servers.kubernetes:KubernetesServer",
    "local": "isocenter.servers.local:LocalServer",
    "sagemaker": "isocenter.servers.sagemaker:SageMakerServer",
    "vertex": "isocenter.servers.vertex:VertexServer",
}


class Capability(enum.StrEnum):
    """What a service can do beyond answering with one version on a fixed number of instances."""

    ABSTENTION = "abstention"
    """It tells how many requests got no decision."""
    AUTOSCALING = "autoscaling"
    COMPARISON = "comparison"
    """It tells how the scores of two versions differ on the same requests."""
    GPU = "gpu"
    IMAGE = "image"
    SHADOW = "shadow"
    SPLIT = "split"


@runtime_checkable
class Server(Protocol):
    """The adapter that talks to one service."""

    @property
    def name(self) -> str:
        """Name of the server, which is its backend's."""
        ...

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What its service can do."""
        ...

    def plan(self, rollout: Rollout) -> Submission:
        """The exact request that ``apply`` would send. Pure: no network, credentials, clock or disk.

        Raises:
            InputError: the service can't serve so; the message says why.
        """
        ...

    def apply(self, submission: Submission) -> Endpoint:
        """Take the next steps toward what ``submission`` asks for, and say where the endpoint is then.

        UPDATING until it is there. Calling it again is how it is waited for, and how a rollout that was
        interrupted at any call goes on: what is done is found, never done twice. The versions that answered
        before go on answering until the new ones are ready; a version that is taken away ends after its last
        request. FAILED where a new version can't be made ready: nothing changes for callers then.

        Raises:
            InputError: the service refuses the request.
            EnvironmentFaultError: the service can't be reached or the machine lacks something.
        """
        ...

    def describe(self, name: str) -> Endpoint | None:
        """What is there now; None if there is no such endpoint. UNKNOWN when that can't be told."""
        ...

    def observe(self, name: str) -> Mapping[str, Observation]:
        """What each version (by reference) did since the present split of the traffic began."""
        ...

    def logs(self, name: str, reference: str | None = None, *, follow: bool = False) -> Iterator[str]:
        """Lines of the log of one version, or of all; ``follow`` goes on while the endpoint is there."""
        ...

    def delete(self, name: str) -> None:
        """Begin to end the endpoint, after its last requests. Idempotent; once gone, it is not described."""
        ...


class ServerFactory(Protocol):
    """How a server is opened: with the store and the settings of one target."""

    def __call__(self, home: Home, settings: Mapping[str, Any]) -> Server:
        """The server for one target."""
        ...


def load_server(name: str, home: Home, settings: Mapping[str, Any] | None = None) -> Server:
    """Open the server called ``name``.

    Args:
        name: the target's backend, or whatever an installed package offers under the entry point group
            ``isocenter.servers``.
        home: the store.
        settings: the target's settings in the backend's terms.

    Raises:
        EnvironmentFaultError: a known server whose packages are not installed; the hint says what to do.
        NotFoundError: nobody offers such a server.
    """
    location = _BUILT_IN.get(name) or _entry_points().get(name)
    if location is None:
        raise NotFoundError(
            f"Nothing serves models on {name!r}.", hint=f"There are: {', '.join(available_servers())}."
        )
    module, _, attribute = location.partition(":")
    try:
        factory = cast(ServerFactory, getattr(importlib.import_module(module), attribute))
        return factory(home, settings or {})
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The server {name!r} can't be loaded: the package {error.name or 'it needs'!r} is missing.",
            hint=install_hint(name) if name in INSTALL_EXTRAS else "make setup",
        ) from error


def available_servers() -> tuple[str, ...]:
    """Names of the servers that there are, sorted."""
    return tuple(sorted({*_BUILT_IN, *_entry_points()}))


def refuse_unsupported(rollout: Rollout, server: str, capabilities: frozenset[Capability]) -> None:
    """Raise if ``rollout`` asks for something that ``capabilities`` lack.

    Raises:
        InputError: names the first thing that the server can't do.
    """
    wanted = {
        Capability.IMAGE: rollout.image is not None,
        Capability.GPU: rollout.size.gpu is not None,
        Capability.AUTOSCALING: rollout.scaling.max_instances > rollout.scaling.min_instances,
        Capability.SHADOW: any(variant.shadow for variant in rollout.variants),
        Capability.SPLIT: len(rollout.answering) > 1,
    }
    for capability, is_wanted in wanted.items():
        if is_wanted and capability not in capabilities:
            raise InputError(
                f"The rollout of {rollout.endpoint!r} asks for {capability.value}, which the server"
                f" {server!r} can't do."
            )


def _entry_points() -> Mapping[str, str]:
    from importlib.metadata import entry_points

    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
