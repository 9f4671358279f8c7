"""Carry what is due to the mirrors: what the registry says, where a mirror doesn't hold it yet."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.audit.actor import current_actor
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.digest import digest_json
from isocenter.domain.model import ModelVersion
from isocenter.errors import IsocenterError, TransientFaultError
from isocenter.mirrors.base import Mirror, MirroredVersion, load_mirror
from isocenter.registry import mirror_records
from isocenter.registry.mirror_records import MirrorRecord
from isocenter.targets.catalogue import find_target
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from isocenter.audit.trail import AuditTrail
    from isocenter.home import Home
    from isocenter.registry.models import ModelRegistry
    from isocenter.storage.database import Database

_BRIEFLY_S = 3.0
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
Opener = Callable[[str, DeploymentDescriptor], Mirror | None]


@dataclass(frozen=True)
class Delivery:
    """How one version's mirror stands after a round.

    Args:
        record: as it was before.
        state: ``carried`` now, ``unchanged`` (also where the target has no registry), ``waiting`` for its
            next try, or ``failed``.
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
    briefly: bool = False,
    opener: Opener | None = None,
) -> Iterator[Delivery]:
    """Carry all that is due; a mirror that fails delays its own versions only.

    A target that can't be reached is not asked again in the same round. What was carried, and the first of
    several failures, is in the audit trail.

    Args:
        home: the store.
        database: holds the records.
        registry: says what mirrors should hold.
        target: only this one.
        at_once: don't wait out the time after a failure.
        briefly: give up after some seconds of a mirror's silence, or of bringing it a bundle.
        opener: makes the mirror of a target; None: :func:`~isocenter.mirrors.base.load_mirror`.
    """
    limit_s = _BRIEFLY_S if briefly else None
    carrier = _Carrier(home, database, opener or partial(load_mirror, timeout_s=limit_s), limit_s)
    away: dict[str, str] = {}
    for record in mirror_records.mirror_records(database, target):
        wanted = _wanted(registry, record)
        if record.carried == wanted.digest:
            yield Delivery(record, "unchanged")
        elif not at_once and _is_waiting(record):
            yield Delivery(record, "waiting", record.error or "")
        elif record.target in away:
            yield Delivery(record, "failed", away[record.target])
        else:
            delivery, can_be_reached = carrier.try_(record, wanted)
            if not can_be_reached:
                away[record.target] = delivery.error
            yield delivery


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


@dataclass(frozen=True)
class _Carrier:
    """Brings versions to their mirrors, one by one."""

    home: "Home"
    database: "Database"
    opener: Opener
    limit_s: float | None

    def try_(self, record: MirrorRecord, wanted: _Wanted) -> tuple[Delivery, bool]:
        """Carry one version; how that went, and whether its target could be reached."""
        try:
            target = find_target(self.home, record.target)
            descriptor = target.descriptor
            mirror = self.opener(target.backend, descriptor) if descriptor else None
            if mirror is None or descriptor is None:
                with self.database.write() as connection:
                    mirror_records.record_carried(connection, record, wanted.digest)
                return Delivery(record, "unchanged"), True
            provider_id = self._carry(record, wanted, mirror, descriptor)
        except IsocenterError as error:
            self._note_failure(record, error)
            return Delivery(record, "failed", error.message), not isinstance(error, TransientFaultError)
        told = {
            "id": provider_id,
            "artifact": wanted.version.artifact_digest,
            "aliases": sorted(wanted.aliases),
            "approved": wanted.approved,
        }
        with self.database.write() as connection:
            mirror_records.record_carried(connection, record, wanted.digest)
            self._trail.append(_event(record, Outcome.SUCCESS, told), connection)
        return Delivery(record, "carried"), True

    @property
    def _trail(self) -> "AuditTrail":
        from isocenter.audit.trail import AuditTrail

        return AuditTrail(self.home, self.database)

    def _note_failure(self, record: MirrorRecord, error: IsocenterError) -> None:
        """A mirror that stays down is tried for days: the first failure says it."""
        with self.database.write() as connection:
            mirror_records.record_failure(connection, record, error.message)
            if not record.attempts:
                told = {"id": record.provider_id, "error": error.code}
                self._trail.append(_event(record, Outcome.FAILURE, told), connection)

    def _carry(
        self, record: MirrorRecord, wanted: _Wanted, mirror: Mirror, descriptor: DeploymentDescriptor
    ) -> str:
        from isocenter.pipelines.staging import upload_artifact
        from isocenter.storage.artifacts import ArtifactStore

        version = wanted.version
        folder: Path = ArtifactStore(self.home).path(version.artifact_digest)
        uri = upload_artifact(folder, descriptor, self._trail, limit_s=self.limit_s)
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
        mirror_records.record_id(self.database, record, provider_id)
        if wanted.approved:  # a new version waits for its approval; that is no rejection
            mirror.set_approval(provider_id, True)
        mirror.set_aliases(provider_id, wanted.aliases)
        return provider_id


def _event(record: MirrorRecord, outcome: Outcome, details: Mapping[str, Any]) -> AuditEvent:
    told = {"target": record.target, **details}
    return AuditEvent(current_actor(), "model.carry", f"model:{record.reference}", outcome, told)
