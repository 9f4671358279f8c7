"""Where the newest head is kept: one row in the database, and a growing file of heads beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, update

from isocenter.audit.merkle import CompactRange
from isocenter.audit.signed_head import SignedHead, head_from_json
from isocenter.errors import IntegrityError
from isocenter.home import Home
from isocenter.storage import schema

_THE_ROW = select(schema.audit_head).where(schema.audit_head.c.id == 1)
_THE_ROW_LOCKED = _THE_ROW.with_for_update()
_UPDATE = update(schema.audit_head).where(schema.audit_head.c.id == 1)


@dataclass(frozen=True)
class StoredHead:
    """The row, taken apart.

    Args:
        head: the newest signed head; None while nothing was recorded.
        tree: what the next root is computed from. It folds to the head's root, or somebody changed it.
    """

    head: SignedHead | None
    tree: CompactRange

    @property
    def is_consistent(self) -> bool:
        """Whether tree and head agree; says nothing about the signature."""
        if self.head is None:
            return self.tree.size == 0
        return self.tree.size == self.head.tree_size and self.tree.root().hex() == self.head.root_hash


def heads_file(home: Home) -> Path:
    """The file of all heads that were signed from this store."""
    return home.audit / "heads.jsonl"


def read_head(connection: Connection, *, lock: bool = False) -> StoredHead:
    """The stored head.

    Args:
        connection: a transaction.
        lock: hold the row to the transaction's end, so that appends come one after the other.

    Raises:
        IntegrityError: the row was removed or holds what we never write.
    """
    row = connection.execute(_THE_ROW_LOCKED if lock else _THE_ROW).one_or_none()
    try:
        return _parse(row)
    except (ValueError, TypeError, AttributeError) as error:
        raise IntegrityError(
            "The head of the audit trail was removed or damaged.",
            hint="Restore the records database from a backup.",
        ) from error


def write_head(connection: Connection, stored: StoredHead) -> None:
    """Replace the stored head, within the transaction of ``connection``."""
    if stored.head is None:
        raise ValueError("a trail never becomes empty again")
    hashes = " ".join(item.hex() for item in stored.tree.hashes)
    connection.execute(_UPDATE, {**stored.head.__dict__, "compact_range": hashes})


def _parse(row: Row[Any] | None) -> StoredHead:
    if row is None:
        raise ValueError("no row")
    fields = {name: value for name, value in row._asdict().items() if name not in ("id", "compact_range")}
    head = head_from_json(fields)
    hashes = tuple(bytes.fromhex(item) for item in row.compact_range.split())
    return StoredHead(head if head.tree_size else None, CompactRange(head.tree_size, hashes))
