"""The model registry: immutable versions, moving aliases, approvals, cards. Each change is audited."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from isocenter.audit.actor import current_actor
from isocenter.audit.record import moment
from isocenter.audit.trail import AuditTrail
from isocenter.cards.completeness import missing_fields
from isocenter.cards.model_card import ModelCard
from isocenter.domain.artifact import Artifact
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.digest import digest_json
from isocenter.domain.model import Alias, AliasMove, Approval, ModelVersion
from isocenter.errors import InputError, IntegrityError, PolicyError
from isocenter.home import Home
from isocenter.registry import alias_records, card_records
from isocenter.registry.card_records import CardRevision
from isocenter.registry.lookup import VersionLookup
from isocenter.registry.mirror_records import MirrorRecord, mirrors_of, want_mirror
from isocenter.registry.reference import ModelReference, check_model_name, parse_reference
from isocenter.storage import schema
from isocenter.storage.artifacts import ArtifactStore
from isocenter.storage.database import Database

_LONGEST_REASON = 2_000


class ModelRegistry:
    """The models of one store.

    Args:
        home: where artifacts lie.
        database: where records are kept.
        trail: where each change is recorded, in the same transaction.
    """

    def __init__(self, home: Home, database: Database, trail: AuditTrail) -> None:
        self._database = database
        self._trail = trail
        self._artifacts = ArtifactStore(home)
        self._lookup = VersionLookup(self._artifacts)

    def register(
        self,
        name: str,
        artifact: Artifact,
        *,
        dataset_digest: str,
        run: str,
        metrics: Mapping[str, Any],
        card: ModelCard,
        actor: str | None = None,
        mirror_to: str | None = None,
    ) -> ModelVersion:
        """Make the next version of the model ``name`` from a published bundle.

        Registering the same bundle under the same name again gives the version that there is.

        Args:
            name: the model's name.
            artifact: from :meth:`ArtifactStore.publish`.
            dataset_digest: DatasetVersion that it was trained on.
            run: run id of the training.
            metrics: JSON-able numbers to show in lists.
            card: the card that is in the bundle; its revision 1.
            actor: who registers; None is the current actor.
            mirror_to: target whose own registry is to hold it too; None for none.

        Raises:
            InputError: the name can't name a model.
            NotFoundError: the artifact is not in the store.
        """
        check_model_name(name)
        self._artifacts.path(artifact.digest)
        who = actor or current_actor()
        with self._locked(name, create=True) as connection:
            known = self._lookup.with_digest(connection, name, artifact.digest)
            if known is not None:
                if mirror_to is not None:
                    want_mirror(self._database, connection, known, mirror_to)
                return known
            now = datetime.now(UTC)
            facts = {"artifact_digest": artifact.digest, "dataset_digest": dataset_digest, "run": run}
            told = {"metrics": dict(metrics), "created_by": who, "created_at": now}
            version = self._insert(connection, name, facts | told)
            card_records.add_revision(connection, version, 1, card, who, now)
            if mirror_to is not None:
                want_mirror(self._database, connection, version, mirror_to)
            details = {"artifact": artifact.digest, "dataset": dataset_digest, "run": run}
            details |= {"metrics": digest_json(dict(metrics)), "card": _digest(card)}
            self._audit(connection, "model.register", version, who, details, now)
        return version

    def mirror(self, version: ModelVersion, target: str) -> None:
        """Have ``version`` mirrored to ``target`` from now on (:mod:`isocenter.mirrors.delivery`)."""
        with self._locked(version.name) as connection:
            want_mirror(self._database, connection, version, target)
            now = datetime.now(UTC)
            self._audit(connection, "model.mirror", version, current_actor(), {"target": target}, now)

    def mirrors(self, version: ModelVersion) -> tuple[MirrorRecord, ...]:
        """Where ``version`` is mirrored or is to be, by target, and under which id there."""
        return mirrors_of(self._database, version)

    def get(self, reference: str) -> ModelVersion:
        """The version that ``reference`` names.

        Args:
            reference: ``cxr`` (the newest version), ``cxr:3``, ``cxr@champion``, or ``sha256:`` with at least
                8 digits of the bundle's digest.

        Raises:
            InputError: not a reference, or a digest's beginning that fits several.
            NotFoundError: no such version; the hint names what is near.
        """
        parsed = parse_reference(reference)
        with self._database.read() as connection:
            return self._lookup.find(connection, parsed)

    def list(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """All versions, or those of one model: by name, the newest first."""
        with self._database.read() as connection:
            return self._lookup.all(connection, name)

    def verify(self, version: ModelVersion) -> None:
        """Compare a version with what the audit trail says was registered, and its bundle with its digest.

        Raises:
            IntegrityError: the record was changed, or a file was changed, added or removed.
        """
        records = self._trail.list(1, action="model.register", object_=f"model:{version.reference}")
        details = records[0].as_json()["details"] if records else None
        if not isinstance(details, dict) or details.get("artifact") != version.artifact_digest:
            raise IntegrityError(
                f"The record of {version.reference} is not what the audit trail says was registered.",
                hint="Run `isocenter audit verify` and restore the records from a backup.",
            )
        self._artifacts.verify(version.artifact_digest)

    def set_alias(self, version: ModelVersion, alias: Alias, actor: str, reason: str) -> AliasMove | None:
        """Point ``alias`` at ``version``; None if it points there already.

        Raises:
            PolicyError: the alias is champion, which only :meth:`promote` moves.
        """
        if alias is Alias.CHAMPION:
            raise PolicyError("The champion is set by a promotion only.", hint="isocenter model promote")
        with self._locked(version.name) as connection:
            return self._move(connection, version, alias, actor, _checked(reason))

    def promote(self, reference: str, alias: Alias, *, actor: str, reason: str) -> Approval:
        """Approve that a version takes ``alias``, and move the alias there.

        The approval, the move and their audit record are kept together or not at all. A refused promotion
        is audited too.

        Args:
            reference: see :meth:`get`.
            alias: what to move.
            actor: who approves.
            reason: why; must say something.

        Raises:
            NotFoundError: no such version.
            PolicyError: there is no reason, or the card misses statements (the message names them).
            IntegrityError: the bundle is damaged.
        """
        version = self.get(reference)
        try:
            self._check_promotion(version, reason)
        except (PolicyError, IntegrityError) as error:
            self._audit_refusal(version, alias, actor, error)
            raise
        approval = Approval(version.name, version.number, alias, actor, reason.strip(), datetime.now(UTC))
        with self._locked(version.name) as connection:
            alias_records.record_approval(connection, approval)
            moved = alias_records.move_alias(
                self._database, connection, version, alias, actor, approval.reason, approval.at
            )
            details = {"alias": alias.value, "reason": approval.reason, "from": moved and moved.from_number}
            self._audit(connection, "model.promote", version, actor, details, approval.at)
        return approval

    def alias_history(self, name: str) -> tuple[AliasMove, ...]:
        """Each move of each alias of the model ``name``, the newest first."""
        with self._database.read() as connection:
            return alias_records.alias_moves(connection, name)

    def approvals(self, name: str) -> tuple[Approval, ...]:
        """Each approval for the model ``name``, the newest first."""
        with self._database.read() as connection:
            return alias_records.approvals(connection, name)

    def card(self, version: ModelVersion) -> ModelCard:
        """The newest card of ``version``."""
        return self.card_revisions(version)[0].card

    def card_revisions(self, version: ModelVersion) -> "tuple[CardRevision, ...]":
        """All revisions of the card of ``version``, the newest first."""
        with self._database.read() as connection:
            return card_records.revisions(connection, version)

    def update_card(self, version: ModelVersion, card: ModelCard, *, actor: str) -> CardRevision:
        """Keep ``card`` as the newest of ``version``; the bundle stays as it is.

        An equal card makes no new revision.
        """
        with self._locked(version.name) as connection:
            newest = card_records.revisions(connection, version)[0]
            if newest.card == card:
                return newest
            now = datetime.now(UTC)
            added = card_records.add_revision(connection, version, newest.revision + 1, card, actor, now)
            details = {"revision": added.revision, "missing": len(missing_fields(card))}
            self._audit(connection, "model.card", version, actor, {**details, "card": _digest(card)}, now)
        return added

    @contextmanager
    def _locked(self, name: str, *, create: bool = False) -> Iterator[Connection]:
        """A transaction that holds the model's row: numbers, aliases and cards change one after the other."""
        with self._database.write() as connection:
            if create:
                row = {"name": name, "created_at": datetime.now(UTC)}
                connection.execute(self._database.upsert(schema.models).values(row).on_conflict_do_nothing())
            query = select(schema.models.c.name).where(schema.models.c.name == name)
            connection.execute(query.with_for_update()).one()
            yield connection

    def _insert(self, connection: Connection, name: str, facts: Mapping[str, Any]) -> ModelVersion:
        number = _next_number(connection, name)
        row = {"model": name, "number": number, **facts}
        connection.execute(insert(schema.model_versions).values(row))
        return self._lookup.find(connection, ModelReference(name, number))

    def _move(
        self, connection: Connection, version: ModelVersion, alias: Alias, actor: str, reason: str
    ) -> AliasMove | None:
        now = datetime.now(UTC)
        move = alias_records.move_alias(self._database, connection, version, alias, actor, reason, now)
        if move is not None:
            details = {"alias": alias.value, "from": move.from_number, "reason": reason}
            self._audit(connection, "model.alias", version, actor, details, now)
        return move

    def _check_promotion(self, version: ModelVersion, reason: str) -> None:
        if not reason.strip():
            raise PolicyError("A promotion needs a reason.", hint='Add --reason "why this version".')
        _checked(reason)
        missing = missing_fields(self.card(version))
        if missing:
            names = "\n".join(f"  {name}" for name in missing)
            raise PolicyError(
                f"The card of {version.reference} misses {len(missing)} required fields:\n{names}",
                hint=f"isocenter model card {version.reference} --update card.yaml",
            )
        self.verify(version)

    def _audit_refusal(
        self, version: ModelVersion, alias: Alias, actor: str, error: PolicyError | IntegrityError
    ) -> None:
        details = {"alias": alias.value, "because": error.message[:500]}
        outcome = Outcome.DENIED if isinstance(error, PolicyError) else Outcome.FAILURE
        self._trail.append(AuditEvent(actor, "model.promote", f"model:{version.reference}", outcome, details))

    def _audit(
        self,
        connection: Connection,
        action: str,
        version: ModelVersion,
        actor: str,
        details: Mapping[str, Any],
        at: datetime,
    ) -> None:
        """Record a change, with all facts of its rows: :mod:`isocenter.audit.registry_check` compares them.

        Args:
            connection: the transaction of the change.
            action: dotted verb.
            version: what it is about.
            actor: who.
            details: columns of the rows.
            at: the moment in the rows.
        """
        told = {**details, "at": moment(at)}
        event = AuditEvent(actor, action, f"model:{version.reference}", Outcome.SUCCESS, told)
        self._trail.append(event, connection)


def _digest(card: ModelCard) -> str:
    return digest_json(card.model_dump(mode="json"))


def _next_number(connection: Connection, name: str) -> int:
    table = schema.model_versions.c
    newest = connection.execute(select(func.max(table.number)).where(table.model == name)).scalar()
    return (newest or 0) + 1


def _checked(reason: str) -> str:
    if len(reason) > _LONGEST_REASON:
        raise InputError(f"A reason has at most {_LONGEST_REASON} characters.")
    return reason.strip()
