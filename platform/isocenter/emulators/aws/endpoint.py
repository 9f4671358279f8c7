"""One endpoint of the emulated SageMaker: its fleet, and the changes of it."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from isocenter.emulators.aws.clients import ACCOUNT
from isocenter.emulators.aws.fleet import Fleet, FleetError, Group
from isocenter.emulators.aws.service_error import invalid

_AT_WORK = ("Creating", "Updating", "Deleting")
_ANSWERS = ("InService", "Updating")


class Endpoint:
    """One endpoint; each change goes on in a thread of its own.

    Args:
        name: its name.
        region: where.
        tags: key -> value.
        build: makes the fleet of a configuration, with the instance counts that it keeps.
        forget: called when it has been deleted.
    """

    def __init__(
        self,
        name: str,
        region: str,
        tags: dict[str, str],
        build: Callable[[str, Mapping[str, int]], Fleet],
        forget: Callable[[], None],
    ) -> None:
        self.name, self.tags = name, tags
        self.arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:endpoint/{name}"
        self.config, self._pending, self._failure = "", "", ""
        self.status = "Creating"
        self.created = self._modified = time.time()
        self._build, self._forget = build, forget
        self._lock = threading.Lock()
        self._fleet: Fleet | None = None
        self._next: Fleet | None = None

    def create(self, config: str) -> None:
        """As CreateEndpoint."""
        self.config = config
        self._begin("Creating", lambda: self._start(self._build(config, {})))

    def update(self, config: str, keeps_counts: bool) -> None:
        """As UpdateEndpoint.

        Raises:
            ServiceError: it can't be changed now.
        """
        self._refuse_unless_in_service()
        assert self._fleet is not None  # noqa: S101 - it is in service
        counts = {n: g.count for n, g in self._fleet.groups.items()} if keeps_counts else {}
        fleet = self._build(config, counts)
        self._pending = config
        self._begin("Updating", lambda: self._exchange(config, fleet))

    def reweigh(self, weights: Mapping[str, float], counts: Mapping[str, int]) -> None:
        """As UpdateEndpointWeightsAndCapacities.

        Raises:
            ServiceError: it can't be changed now, or has no such variant.
        """
        self._refuse_unless_in_service()
        assert self._fleet is not None  # noqa: S101 - it is in service
        for name in {*weights, *counts}:
            if name not in self._fleet.groups:
                raise invalid(f'Could not find variant "{name}" of endpoint "{self.arn}".')
        fleet = self._fleet
        self._begin("Updating", lambda: self._rescale(fleet, weights, counts))

    def delete(self) -> None:
        """As DeleteEndpoint.

        Raises:
            ServiceError: it can't be changed now.
        """
        if self.status in _AT_WORK:
            raise invalid(f'Cannot delete in-progress endpoint "{self.arn}".')
        self._begin("Deleting", self._end)

    def close(self) -> None:
        """End its processes now."""
        for fleet in (self._fleet, self._next):
            if fleet is not None:
                fleet.stop(0)

    def choose(self, variant: str) -> tuple[Fleet, Group] | None:
        """The fleet that answers and the variant that the next request goes to."""
        with self._lock:
            fleet = self._fleet if self.status in _ANSWERS else None
        group = None if fleet is None else fleet.choose(variant)
        return None if fleet is None or group is None else (fleet, group)

    def has_variant(self, name: str) -> bool:
        """Whether a variant of that name answers."""
        return self._fleet is not None and name in self._fleet.groups

    def summary(self) -> dict[str, Any]:
        """As ListEndpoints."""
        return {
            "EndpointName": self.name,
            "EndpointArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self._modified,
            "EndpointStatus": self.status,
        }

    def describe(self) -> dict[str, Any]:
        """As DescribeEndpoint."""
        with self._lock:
            described = {**self.summary(), "EndpointConfigName": self.config}
            if self._fleet is not None:
                described |= _variants(self._fleet)
                described |= _captures(self._fleet.config)
            if self._pending:
                described["PendingDeploymentSummary"] = {"EndpointConfigName": self._pending}
            if self._failure:
                described["FailureReason"] = self._failure
            return described

    def _begin(self, status: str, change: Callable[[], None]) -> None:
        with self._lock:
            self.status, self._failure, self._modified = status, "", time.time()
        threading.Thread(target=change, daemon=True).start()

    def _enter(self, status: str, failure: str = "") -> None:
        with self._lock:
            self.status, self._failure, self._pending = status, failure, ""
            self._modified = time.time()

    def _start(self, fleet: Fleet) -> None:
        self._next = fleet
        failure = _started(fleet)
        if failure:
            self._enter("Failed", failure)
            return
        self._fleet = fleet
        self._enter("InService")

    def _exchange(self, config: str, fleet: Fleet) -> None:
        """Another fleet in place of this one, or this one on as before."""
        self._next = fleet
        failure = _started(fleet)
        if failure:
            self._enter("InService", failure)
            return
        with self._lock:
            old, self._fleet, self.config = self._fleet, fleet, config
        self._enter("InService")
        if old is not None:
            old.stop()

    def _rescale(self, fleet: Fleet, weights: Mapping[str, float], counts: Mapping[str, int]) -> None:
        try:
            fleet.scale(counts)
            fleet.split(weights)
        except FleetError as error:
            self._enter("InService", str(error))
        else:
            self._enter("InService")

    def _end(self) -> None:
        if self._fleet is not None:
            self._fleet.stop()
        self._forget()

    def _refuse_unless_in_service(self) -> None:
        if self.status == "Failed":
            raise invalid(f'Cannot update failed endpoint "{self.arn}". Delete it.')
        if self.status != "InService":
            raise invalid(f'Cannot update in-progress endpoint "{self.arn}".')


def _started(fleet: Fleet) -> str:
    """Start it; why it doesn't come up."""
    try:
        fleet.start()
    except FleetError as error:
        return str(error)
    except Exception as error:  # whatever it is, the change has an end and says so
        return f"{type(error).__name__}: {error}"
    return ""


def _variants(fleet: Fleet) -> dict[str, Any]:
    kinds = {"ProductionVariants": fleet.groups, "ShadowProductionVariants": fleet.shadows}
    return {kind: [_variant(group) for group in groups.values()] for kind, groups in kinds.items() if groups}


def _variant(group: Group) -> dict[str, Any]:
    return {
        "VariantName": group.name,
        "DeployedImages": [{"SpecifiedImage": group.image, "ResolvedImage": group.image}],
        "CurrentWeight": group.weight,
        "DesiredWeight": group.weight,
        "CurrentInstanceCount": len(group.instances),
        "DesiredInstanceCount": group.count,
    }


def _captures(config: Mapping[str, Any]) -> dict[str, Any]:
    asked = config.get("DataCaptureConfig")
    if not asked:
        return {}
    is_on = bool(asked.get("EnableCapture"))
    told = {
        "EnableCapture": is_on,
        "CaptureStatus": "Started" if is_on else "Stopped",
        "CurrentSamplingPercentage": asked["InitialSamplingPercentage"],
        "DestinationS3Uri": asked["DestinationS3Uri"],
        "KmsKeyId": asked.get("KmsKeyId", ""),
    }
    return {"DataCaptureConfig": told}
