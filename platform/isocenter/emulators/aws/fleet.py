"""The instances of one endpoint configuration: started, looked after, asked, ended."""

import secrets
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.buckets import Transfer
from isocenter.emulators.aws.clients import Clients
from isocenter.emulators.aws.serving_instance import ServingInstance, pump_to
from isocenter.servers.router.choice import WeightedChoice

_MOST_LAUNCHES = 3
"""SageMaker starts a container again until its time is over; here the third end is the last."""
_POLL_S = 0.1
_DEFAULT_START_S = 240


class FleetError(Exception):
    """A fleet that doesn't come up; the message is the service's."""


@dataclass(frozen=True)
class ServingSurroundings:
    """What all fleets share.

    Args:
        clients: of the account.
        program: what stands for the image's entry point.
        stop_grace_s: from SIGTERM to SIGKILL.
        mark: by which all serving processes of this emulator are known.
    """

    clients: Clients
    program: Sequence[str]
    stop_grace_s: float
    mark: str


class Group:
    """The instances of one variant.

    Args:
        endpoint: its name.
        region: where.
        variant: of the configuration.
        model: as CreateModel made it.
        surroundings: what all share.
        folder: of this group alone.
    """

    def __init__(
        self,
        endpoint: str,
        region: str,
        variant: Mapping[str, Any],
        model: Mapping[str, Any],
        surroundings: ServingSurroundings,
        folder: Path,
    ) -> None:
        self.name = str(variant["VariantName"])
        self.weight = float(variant.get("InitialVariantWeight", 1.0))
        self.count = int(variant["InitialInstanceCount"])
        self.image = str(model["PrimaryContainer"]["Image"])
        self._endpoint, self._region, self._variant = endpoint, region, variant
        self._container: Mapping[str, Any] = model["PrimaryContainer"]
        self._surroundings, self._folder = surroundings, folder
        self.instances: list[ServingInstance] = []

    def fetch(self) -> None:
        """Copy the model's files.

        Raises:
            FleetError: there are none.
        """
        target = self._folder / "model"
        target.mkdir(parents=True)
        uri = self._container["ModelDataSource"]["S3DataSource"]["S3Uri"]
        transfer = Transfer(self._surroundings.clients.client("s3", self._region))
        if not transfer.download(uri, target):
            raise FleetError(f"Could not find model data at {uri}.")

    def grow(self) -> list[ServingInstance]:
        """Start as many instances as are missing; these."""
        logs = self._surroundings.clients.client("logs", self._region)
        made = []
        for _ in range(self.count - len(self.instances)):
            number = f"i-{secrets.token_hex(8)}"
            pump = pump_to(logs, f"/aws/sagemaker/Endpoints/{self._endpoint}", f"{self.name}/{number}")
            instance = ServingInstance(
                self._folder / number,
                self._surroundings.program,
                self._container.get("Environment", {}),
                self._folder / "model",
                self._surroundings.mark,
                pump,
            )
            instance.start()
            made.append(instance)
        return made

    def wait(self, made: Sequence[ServingInstance], abandoned: threading.Event) -> None:
        """Return when all of ``made`` are healthy.

        Raises:
            FleetError: one doesn't become so.
        """
        limit = self._variant.get("ContainerStartupHealthCheckTimeoutInSeconds", _DEFAULT_START_S)
        deadline = time.monotonic() + limit
        while not all(instance.is_healthy() for instance in made):
            for instance in made:
                if not instance.is_alive and instance.launches < _MOST_LAUNCHES:
                    instance.start()
            hopeless = any(not each.is_alive and each.launches >= _MOST_LAUNCHES for each in made)
            if hopeless or abandoned.is_set() or time.monotonic() > deadline:
                raise FleetError(
                    f"The primary container for production variant {self.name} did not pass the ping health"
                    " check. Please check CloudWatch logs for this endpoint."
                )
            time.sleep(_POLL_S)

    def shrink(self) -> list[ServingInstance]:
        """Take the instances that are too many out of the traffic; these."""
        kept, gone = self.instances[: self.count], self.instances[self.count :]
        self.instances = kept
        return gone

    def pick(self) -> ServingInstance | None:
        """The instance with the fewest requests under way; None where none runs."""
        alive = [instance for instance in self.instances if instance.is_alive]
        return min(alive, key=lambda each: each.in_flight, default=None)


class Fleet:
    """All groups of one configuration.

    Args:
        endpoint: its name.
        region: where.
        config: as CreateEndpointConfig made it.
        models: by name.
        surroundings: what all share.
        folder: of this fleet alone.
        counts: variant -> instances, where they are kept from the fleet before.
    """

    def __init__(
        self,
        endpoint: str,
        region: str,
        config: Mapping[str, Any],
        models: Mapping[str, Mapping[str, Any]],
        surroundings: ServingSurroundings,
        folder: Path,
        counts: Mapping[str, int],
    ) -> None:
        self.config, self._surroundings, self._folder = config, surroundings, folder
        self._abandoned = threading.Event()

        def groups(kind: str) -> dict[str, Group]:
            made = {}
            for number, variant in enumerate(config.get(kind, ())):
                place = folder / f"{kind[0].lower()}{number}"
                known = models[variant["ModelName"]]
                group = Group(endpoint, region, variant, known, surroundings, place)
                group.count = counts.get(group.name, group.count)
                made[group.name] = group
            return made

        self.groups = groups("ProductionVariants")
        self.shadows = groups("ShadowProductionVariants")
        self._choice = WeightedChoice({})
        self._lock = threading.Lock()

    def start(self) -> None:
        """Return when all instances are healthy.

        Raises:
            FleetError: one doesn't become so; all are ended then.
        """
        try:
            started = []
            for group in self._all():
                group.fetch()
                started.append((group, group.grow()))
                group.instances = started[-1][1]
            for group, made in started:
                group.wait(made, self._abandoned)
        except BaseException:
            self.stop()
            raise
        self.split({group.name: group.weight for group in self.groups.values()})
        threading.Thread(target=self._look_after, daemon=True).start()

    def split(self, weights: Mapping[str, float]) -> None:
        """Divide the traffic."""
        with self._lock:
            for name, weight in weights.items():
                self.groups[name].weight = weight
            # In thousandths: weights may be fractions.
            parts = {name: round(group.weight * 1000) for name, group in self.groups.items()}
            self._choice = WeightedChoice(parts)

    def scale(self, counts: Mapping[str, int]) -> None:
        """Start and end instances.

        Raises:
            FleetError: new ones don't come up; the old ones stay.
        """
        for name, count in counts.items():
            group = self.groups[name]
            before, group.count = group.count, count
            made = group.grow()
            try:
                group.wait(made, self._abandoned)
            except FleetError:
                group.count = before
                _stop(made, 0)
                raise
            group.instances = [*group.instances, *made]
            _stop(group.shrink(), self._surroundings.stop_grace_s)

    def choose(self, wanted: str = "") -> Group | None:
        """The variant that the next request goes to; None if there is no such."""
        if wanted:
            return self.groups.get(wanted)
        with self._lock:
            name = self._choice.next()
        return self.groups[name] if name else None

    def stop(self, grace_s: float | None = None) -> None:
        """End all instances after their last requests."""
        self._abandoned.set()
        grace = self._surroundings.stop_grace_s if grace_s is None else grace_s
        _stop([instance for group in self._all() for instance in group.instances], grace)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _all(self) -> list[Group]:
        return [*self.groups.values(), *self.shadows.values()]

    def _look_after(self) -> None:
        """Start containers again that have ended."""
        while not self._abandoned.wait(_POLL_S):
            for group in self._all():
                for instance in group.instances:
                    if not instance.is_alive and not self._abandoned.is_set():
                        instance.start()


def _stop(instances: Sequence[ServingInstance], grace_s: float) -> None:
    """End all at once; returns when they have ended."""
    threads = [threading.Thread(target=instance.stop, args=(grace_s,)) for instance in instances]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
