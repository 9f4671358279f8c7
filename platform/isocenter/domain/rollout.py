"""Endpoints, and the changes of which ModelVersions they serve."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.domain.run import RunId
from isocenter.errors import InputError

_ENDPOINT_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_ALL = 100


@dataclass(frozen=True)
class Variant:
    """One ModelVersion behind an endpoint.

    Args:
        reference: ``name:number``.
        digest: of its bundle.
        uri: where the target reads the bundle.
        weight: percent of the requests that it answers.
        shadow: it answers nobody and gets copies of the requests.
    """

    reference: str
    digest: str
    uri: str
    weight: int = _ALL
    shadow: bool = False

    @property
    def name(self) -> str:
        """The reference as services allow names: lower-case letters, digits, hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", self.reference)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.reference.rpartition(":")[0]

    @property
    def number(self) -> int:
        """Number of the version."""
        return int(self.reference.rpartition(":")[2])


@dataclass(frozen=True)
class InstanceSize:
    """What one instance has, in neutral terms; a service gives its smallest machine that holds it.

    Args:
        cpus: cores; the serving program starts a worker for each.
        memory_gib: memory.
        gpu: neutral size (``l4``, ``a100-80``, ...); None for CPU only.
    """

    cpus: int = 2
    memory_gib: int = 4
    gpu: str | None = None


@dataclass(frozen=True)
class Scaling:
    """Bounds of the number of instances of each version."""

    min_instances: int = 1
    max_instances: int = 1


@dataclass(frozen=True)
class Capture:
    """What is kept of requests: features, never pixels or identifiers.

    Args:
        percent: of the requests.
        limit_mib: the oldest is dropped beyond this size.
    """

    percent: int = _ALL
    limit_mib: int = 256


@dataclass(frozen=True)
class Rollout:
    """Which ModelVersions an endpoint is to serve, and with which split of the traffic.

    Args:
        id: ULID; later ones replace earlier ones.
        endpoint: its name.
        target: where it is.
        variants: what it is to serve; the percents of those that answer add up to 100.
        image: serving image by digest; None runs in this Python environment (``local`` only).
        size: of one instance.
        scaling: how many instances.
        capture: what is kept of requests.
        labels: tags that a service shows; never patient data.
        residency: zone that images must not leave; None for no restriction.

    Raises:
        InputError: no endpoint can be like that; the message names the field.
    """

    id: RunId
    endpoint: str
    target: str
    variants: tuple[Variant, ...]
    image: str | None = None
    size: InstanceSize = field(default_factory=InstanceSize)
    scaling: Scaling = field(default_factory=Scaling)
    capture: Capture = field(default_factory=Capture)
    labels: Mapping[str, str] = field(default_factory=dict)
    residency: str | None = None

    def __post_init__(self) -> None:
        """Refuse what no endpoint can be."""
        check_endpoint_name(self.endpoint)
        _check_variants(self.variants)
        _check_bounds(self)

    @property
    def answering(self) -> tuple[Variant, ...]:
        """The variants whose answers callers get."""
        return tuple(variant for variant in self.variants if not variant.shadow)

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields, from which :func:`rollout_from_json` makes an equal one."""
        from dataclasses import asdict

        return {**asdict(self), "variants": [asdict(v) for v in self.variants], "labels": dict(self.labels)}

    def serves_like(self, other: "Rollout") -> bool:
        """Whether both ask for the same, under whatever id."""
        return self == replace(other, id=self.id)


class EndpointState(enum.StrEnum):
    """Where an endpoint is. UNKNOWN means that the service could not be asked."""

    UPDATING = "updating"
    READY = "ready"
    FAILED = "failed"
    """The newest rollout was not reached and what answered before goes on; or it was, and a version of it
    does not get ready again."""
    STOPPED = "stopped"
    """It is there and answers nobody, e.g. after a restart of the machine."""
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ServedVariant:
    """A version behind an endpoint as it is now.

    Args:
        reference: ``name:number``.
        digest: of its bundle.
        weight: percent of the requests that it answers now.
        shadow: whether it gets copies only.
        state: in a word: ``starting``, ``ready``, ``draining``, ``failed``.
        instances: how many are up.
    """

    reference: str
    digest: str
    weight: int
    shadow: bool
    state: str
    instances: int


@dataclass(frozen=True)
class Endpoint:
    """What is there now.

    Args:
        name: of the endpoint.
        state: where it is.
        rollout: id of the newest rollout that it was asked for.
        url: where predictions are asked for; empty before there is any.
        variants: what is behind it.
        reason: why it failed or waits, in a paragraph without patient data.
    """

    name: str
    state: EndpointState
    rollout: RunId
    url: str = ""
    variants: tuple[ServedVariant, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Comparison:
    """Answers of two versions to the same requests.

    Args:
        pairs: how many requests both scored.
        mean_shift: mean of the absolute differences of the scores; None without pairs.
        changed: pairs whose decision differs.
    """

    pairs: int = 0
    mean_shift: float | None = None
    changed: int = 0


@dataclass(frozen=True)
class Observation:
    """What one version did since the present split of the traffic began.

    Args:
        requests: that it answered, or should have; without those that it refused by a status of 400 to 499,
            which says something about the caller.
        errors: of these, with a status of 500 or above or no answer at all.
        abstained: of these, without a decision.
        p99_s: 99th percentile of its latency in seconds; None without requests.
        comparison: against the version that answered the same requests.
    """

    requests: int = 0
    errors: int = 0
    abstained: int = 0
    p99_s: float | None = None
    comparison: Comparison = field(default_factory=Comparison)


def is_refusal(status: int) -> bool:
    """Whether an HTTP status says something about the caller, and so nothing about the version."""
    return 400 <= status < 500


def check_endpoint_name(name: str) -> str:
    """``name`` if an endpoint may be called so on every target.

    Raises:
        InputError: it may not.
    """
    if not _ENDPOINT_NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} can't name an endpoint.",
            hint="2 to 32 lower-case letters, digits and hyphens, a letter first, no hyphen last.",
        )
    return name


def rollout_from_json(value: Mapping[str, Any]) -> Rollout:
    """The rollout of :meth:`Rollout.as_json`."""
    parts = {
        "variants": tuple(Variant(**variant) for variant in value["variants"]),
        "size": InstanceSize(**value["size"]),
        "scaling": Scaling(**value["scaling"]),
        "capture": Capture(**value["capture"]),
    }
    return Rollout(**{**value, **parts})


def _check_variants(variants: tuple[Variant, ...]) -> None:
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise InputError(f"A version is behind the endpoint twice: {', '.join(sorted(names))}.")
    for variant in variants:
        if variant.shadow and variant.weight:
            raise InputError(f"{variant.reference} is a shadow: its weight is 0, not {variant.weight}.")
        if not variant.shadow and not 0 < variant.weight <= _ALL:
            raise InputError(f"{variant.reference} has the weight {variant.weight}; it must be 1 to 100.")
    total = sum(variant.weight for variant in variants)
    if total != _ALL:
        raise InputError(f"The weights add up to {total}, not 100.")


def _check_bounds(rollout: Rollout) -> None:
    bounds = {
        "size.cpus": (1, rollout.size.cpus, 256),
        "size.memory_gib": (1, rollout.size.memory_gib, 4096),
        "scaling.min_instances": (1, rollout.scaling.min_instances, rollout.scaling.max_instances),
        "capture.percent": (0, rollout.capture.percent, _ALL),
        "capture.limit_mib": (1, rollout.capture.limit_mib, 1 << 20),
    }
    for name, (least, value, most) in bounds.items():
        if not least <= value <= most:
            raise InputError(
                f"{name} of endpoint {rollout.endpoint} is {value}; it must be {least} to {most}."
            )
