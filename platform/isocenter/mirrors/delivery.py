"""Carry what is due to the mirrors: what the registry says, where a mirror doesn't hold it yet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.domain.digest import digest_json
from isocenter.domain.model import ModelVersion
from isocenter.errors import IsocenterError
from isocenter.mirrors.base import Mirror, MirroredVersion, load_mirror
from isocenter.registry import mirror_records
from isocenter.registry.mirror_records import MirrorRecord
from isocenter.targets.catalogue import find_target
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.registry.models import ModelRegistry
    from isocenter.storage.database import Database

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
Opener = Callable[[str, DeploymentDescriptor], Mirror | None]


@dataclass(frozen=True)
class Delivery:
    """How one version's mirror stands after a round.

    Args:
        record: as it was before.
        state: ``carried`` now, ``unchanged``, ``waiting`` for its next try, or ``failed``.
        error: why it failed.
    """

    record: MirrorRecord
    state: str
    error: str = ""


@dataclass(frozen=True)
class _Wanted:
    """What a mirror should hold of a version."""

    version: ModelVersion
    aliases: frozenset[str]
    approved: bool

    @property
    def digest(self) -> str:
        return digest_json(
            {
                "artifact": self.version.artifact_digest,
                "aliases": sorted(self.aliases),
                "approved": self.approved,
            }
        )


def deliver(
    home: "Home",
    database: "Database",
    registry: "ModelRegistry",
    *,
    target: str | None = None,
    at_once: bool = False,
    opener: Opener = load_mirror,
) -> Iterator[Delivery]:
    """Carry all that is due; a mirror that fails delays its own versions only.

    Args:
        home: the store.
        database: holds the records.
        registry: says what mirrors should hold.
        target: only this one.
        at_once: don't wait out the time after a failure.
        opener: makes the mirror of a target.
    """
    for record in mirror_records.mirror_records(database, target):
        wanted = _wanted(registry, record)
        if record.carried == wanted.digest:
            yield Delivery(record, "unchanged")
        elif not at_once and _is_waiting(record):
            yield Delivery(record, "waiting", record.error or "")
        else:
            yield _try(home, database, record, wanted, opener)


def _wanted(registry: "ModelRegistry", record: MirrorRecord) -> _Wanted:
    version = registry.get(record.reference)
    given = [each for each in registry.approvals(record.model) if each.number == record.number]
    return _Wanted(
        version,
        frozenset(str(alias) for alias in version.aliases),
        approved=bool(given),
    )


def _is_waiting(record: MirrorRecord) -> bool:
    if not record.attempts or record.tried_at is None:
        return False
    wait = min(_FIRST_WAIT * 2 ** (record.attempts - 1), _LONGEST_WAIT)
    return bool(datetime.now(UTC) < record.tried_at + wait)


def _try(
    home: "Home", database: "Database", record: MirrorRecord, wanted: _Wanted, opener: Opener
) -> Delivery:
    try:
        target = find_target(home, record.target)
        descriptor = target.descriptor
        mirror = opener(target.backend, descriptor) if descriptor else None
        if mirror is not None and descriptor is not None:
            _carry(home, database, record, wanted, mirror, descriptor)
    except IsocenterError as error:
        mirror_records.record_failure(database, record, error.message)
        return Delivery(record, "failed", error.message)
    mirror_records.record_carried(database, record, wanted.digest)
    return Delivery(record, "carried")


def _carry(
    home: "Home",
    database: "Database",
    record: MirrorRecord,
    wanted: _Wanted,
    mirror: Mirror,
    descriptor: DeploymentDescriptor,
) -> None:
    from isocenter.pipelines.staging import upload_artifact
    from isocenter.storage.artifacts import ArtifactStore

    version = wanted.version
    folder: Path = ArtifactStore(home).path(version.artifact_digest)
    uri = upload_artifact(folder, descriptor)
    numbers = {name: value["value"] for name, value in version.metrics.items() if isinstance(value, dict)}
    provider_id = mirror.register(
        MirroredVersion(
            version.name,
            version.number,
            version.artifact_digest,
            uri,
            {name: float(number) for name, number in numbers.items() if number is not None},
            {**descriptor.labels, "dataset": version.dataset_digest, "run": version.run},
        )
    )
    mirror_records.record_id(database, record, provider_id)
    if wanted.approved:  # a new version waits for its approval; that is no rejection
        mirror.set_approval(provider_id, True)
    mirror.set_aliases(provider_id, wanted.aliases)
