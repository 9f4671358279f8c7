"""Finding model versions in the database, and saying what there is when one is not found."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from isocenter.domain.model import Alias, ModelVersion
from isocenter.errors import InputError, NotFoundError
from isocenter.registry.reference import ModelReference
from isocenter.storage import schema
from isocenter.storage.artifacts import ArtifactStore

_VERSION = schema.model_versions.c


class VersionLookup:
    """Reads model versions within a transaction.

    Args:
        store: says where bundles lie.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store

    def find(self, connection: Connection, reference: ModelReference) -> ModelVersion:
        """The version that ``reference`` names.

        Raises:
            NotFoundError: there is none; the hint names what is near.
            InputError: a digest's beginning fits several versions.
        """
        rows = connection.execute(self._query(connection, reference)).all()
        if not rows:
            raise _not_found(connection, reference)
        if len(rows) > 1:
            names = ", ".join(f"{row.model}:{row.number}" for row in rows)
            raise InputError(f"{reference.digest} fits several versions: {names}.", hint="Name one of them.")
        return self._versions(connection, rows)[0]

    def all(self, connection: Connection, name: str | None) -> tuple[ModelVersion, ...]:
        """All versions, or those of one model: by name, the newest first."""
        query = select(schema.model_versions).order_by(_VERSION.model, _VERSION.number.desc())
        if name is not None:
            query = query.where(_VERSION.model == name)
        return self._versions(connection, connection.execute(query).all())

    def with_digest(self, connection: Connection, name: str, digest: str) -> ModelVersion | None:
        """The version of the model ``name`` with this artifact; None if there is none."""
        query = select(schema.model_versions).where(
            _VERSION.model == name, _VERSION.artifact_digest == digest
        )
        rows = connection.execute(query).all()
        return self._versions(connection, rows)[0] if rows else None

    def _query(self, connection: Connection, reference: ModelReference) -> Select[Any]:
        query = select(schema.model_versions)
        if reference.digest:
            return query.where(_VERSION.artifact_digest.startswith(reference.digest)).limit(9)
        query = query.where(_VERSION.model == reference.name)
        if reference.alias is not None:
            pointed = select(schema.aliases.c.number).where(
                schema.aliases.c.model == reference.name, schema.aliases.c.alias == reference.alias.value
            )
            return query.where(_VERSION.number == pointed.scalar_subquery())
        if reference.number is not None:
            return query.where(_VERSION.number == reference.number)
        return query.order_by(_VERSION.number.desc()).limit(1)

    def _versions(self, connection: Connection, rows: Sequence[Row[Any]]) -> tuple[ModelVersion, ...]:
        table = schema.aliases.c
        names = {row.model for row in rows}
        found = connection.execute(select(schema.aliases).where(table.model.in_(names)).order_by(table.alias))
        aliases: dict[tuple[str, int], tuple[Alias, ...]] = {}
        for pointer in found:
            key = (pointer.model, pointer.number)
            aliases[key] = (*aliases.get(key, ()), Alias(pointer.alias))
        return tuple(self._version(row, aliases.get((row.model, row.number), ())) for row in rows)

    def _version(self, row: Row[Any], aliases: tuple[Alias, ...]) -> ModelVersion:
        return ModelVersion(
            name=row.model,
            number=row.number,
            artifact_digest=row.artifact_digest,
            artifact_uri=str(self._store.place(row.artifact_digest)),
            dataset_digest=row.dataset_digest,
            run=row.run,
            created_at=row.created_at,
            aliases=aliases,
            metrics=row.metrics,
            created_by=row.created_by,
        )


def _not_found(connection: Connection, reference: ModelReference) -> NotFoundError:
    if reference.digest:
        return NotFoundError(f"No model version with digest {reference.digest}.", hint=_LIST)
    numbers = connection.execute(
        select(_VERSION.number).where(_VERSION.model == reference.name).order_by(_VERSION.number)
    )
    known = [str(number) for number in numbers.scalars()]
    if not known:
        return _no_such_model(connection, reference.name)
    there = f"Its versions: {', '.join(known[-10:])}."
    if reference.alias is not None:
        return NotFoundError(f"Model {reference.name!r} has no {reference.alias.value}.", hint=there)
    return NotFoundError(f"Model {reference.name!r} has no version {reference.number}.", hint=there)


def _no_such_model(connection: Connection, name: str) -> NotFoundError:
    import difflib

    names = list(connection.execute(select(schema.models.c.name)).scalars())
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else _LIST
    return NotFoundError(f"No model {name!r}.", hint=hint)


_LIST = "isocenter model list shows those that there are."
