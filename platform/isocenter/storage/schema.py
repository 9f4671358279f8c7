"""The tables of the records database. ``migrations/`` makes exactly these; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA_REVISION = "0003"
"""The Alembic revision that this code reads and writes."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; comes back with its time zone on every database."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC for the database; a naive one is a defect."""
        if value is not None and value.tzinfo is None:
            raise ValueError("a moment without a time zone can't be stored")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give the moment its zone back (SQLite drops it)."""
        if not isinstance(value, datetime):
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_NAME = String(128)
_DIGEST = String(71)
_RUN_ID = String(26)
_HASH = String(64)
# On SQLite only INTEGER is the row's own number; BIGINT would be a second index to write.
_ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")

runs = Table(
    "runs",
    metadata,
    Column("id", _RUN_ID, primary_key=True),
    Column("name", _NAME, nullable=False),
    Column("target", _NAME, nullable=False),
    Column("backend", _NAME, nullable=False),
    Column("state", String(16), nullable=False),
    Column("exit_code", Integer),
    Column("reason", Text),
    Column("step_key", _NAME, index=True),
    Column("submission_digest", _DIGEST, nullable=False),
    Column("job", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
)

attempts = Table(
    "attempts",
    metadata,
    Column("run", _RUN_ID, ForeignKey("runs.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("backend", _NAME, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
)

run_outputs = Table(
    "run_outputs",
    metadata,
    Column("run", _RUN_ID, ForeignKey("runs.id"), primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("digest", _DIGEST, nullable=False),
    Column("media_type", _NAME, nullable=False),
    Column("uri", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
)

step_results = Table(
    "step_results",
    metadata,
    Column("key", _NAME, primary_key=True),
    Column("step", _NAME, nullable=False),
    Column("outputs", JSON, nullable=False),
    Column("run", _RUN_ID),
    Column("created_at", UtcDateTime, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", _NAME, ForeignKey("models.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("artifact_digest", _DIGEST, nullable=False, index=True),
    Column("dataset_digest", _DIGEST, nullable=False),
    Column("run", _RUN_ID, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("created_by", _NAME, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint("model", "artifact_digest"),
)


def _version_key() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["model", "number"], ["model_versions.model", "model_versions.number"])


card_revisions = Table(
    "card_revisions",
    metadata,
    Column("model", _NAME, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("card", JSON, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _version_key(),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model", _NAME, primary_key=True),
    Column("alias", String(16), primary_key=True),
    Column("number", Integer, nullable=False),
    _version_key(),
)

alias_moves = Table(
    "alias_moves",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", _NAME, nullable=False, index=True),
    Column("alias", String(16), nullable=False),
    Column("from_number", Integer),
    Column("number", Integer, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _version_key(),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", _NAME, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("alias", String(16), nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    _version_key(),
)

# Where a version is to be mirrored, and how far that got: what is due is the difference from the registry.
model_mirrors = Table(
    "model_mirrors",
    metadata,
    Column("model", _NAME, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("target", _NAME, primary_key=True),
    Column("provider_id", Text),
    Column("carried", _DIGEST),
    Column("attempts", Integer, nullable=False),
    Column("error", Text),
    Column("tried_at", UtcDateTime),
    _version_key(),
)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("target", _NAME, nullable=False),
    Column("alias", String(16)),
    Column("created_at", UtcDateTime, nullable=False),
)

# The history of all endpoints, also of those that are no more: so no key to the table above.
rollouts = Table(
    "rollouts",
    metadata,
    Column("id", _RUN_ID, primary_key=True),
    Column("endpoint", _NAME, nullable=False, index=True),
    Column("target", _NAME, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("request", JSON, nullable=False),
    Column("gates", JSON),
    Column("promotes", Boolean, nullable=False),
    Column("back_to", _RUN_ID),
    Column("submission_digest", _DIGEST, nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", Text),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

# What is hashed is rebuilt from these columns, so nothing is kept twice. Moments are text: their bytes count.
audit_records = Table(
    "audit_records",
    metadata,
    Column("sequence", _ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),
    Column("actor", _NAME, nullable=False),
    Column("action", _NAME, nullable=False),
    Column("object", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("details", Text, nullable=False),
    Column("previous_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
)

# One row: the newest signed tree head and the compact range from which the next root is computed.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("tree_size", BigInteger, nullable=False),
    Column("root_hash", _HASH, nullable=False),
    Column("record_hash", _HASH, nullable=False),
    Column("compact_range", Text, nullable=False),
    Column("at", String(27), nullable=False),
    Column("key_id", _HASH, nullable=False),
    Column("signature", String(128), nullable=False),
)
