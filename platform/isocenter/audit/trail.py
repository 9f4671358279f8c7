"""The audit trail: every record chained to the one before, all of them under one signed tree head.

An append costs O(log n): the head's row holds the compact range from which the next root is computed. The
head is signed in the same transaction as the record, and only after the head before it was found genuine, so
that what was changed behind our back is never signed over.
"""

from pathlib import Path

from sqlalchemy import Connection, insert, select

from isocenter.audit.findings import VerifyResult
from isocenter.audit.head_file import append_head, ends_with_head, read_heads
from isocenter.audit.merkle import leaf_hash
from isocenter.audit.record import FIRST_PREVIOUS_HASH, AuditRecord, chain, moment, utc_now
from isocenter.audit.signed_head import SignedHead, sign_head
from isocenter.audit.signing_key import SigningKey, load_signing_key
from isocenter.audit.stored_head import StoredHead, heads_file, read_head, write_head
from isocenter.domain.audit_event import AuditEvent
from isocenter.errors import IntegrityError
from isocenter.home import Home
from isocenter.storage import schema
from isocenter.storage.database import Database, after_commit

_INSERT = insert(schema.audit_records)
_HINT = "Run `isocenter audit verify`; nothing can be recorded until the trail is restored from a backup."


class AuditTrail:
    """Appends to, reads and verifies the trail of one store.

    Args:
        home: holds the signing key and the file of signed heads.
        database: holds the records.
    """

    def __init__(self, home: Home, database: Database) -> None:
        self._home = home
        self._database = database
        self._key: SigningKey | None = None

    def append(self, event: AuditEvent, connection: Connection | None = None) -> int:
        """Record ``event``, chained and signed.

        Args:
            event: what happened.
            connection: a transaction of :meth:`Database.write` that the record joins: both are kept or
                neither. Append last in it, so that other writers wait only shortly. None: one of its own.

        Returns:
            The record's sequence number: 1, 2, 3 ... without gaps.

        Raises:
            InputError: the event holds what a record can't (see :func:`isocenter.audit.record.chain`).
            IntegrityError: the head before was tampered with.
            EnvironmentFaultError: the signing key is missing.
        """
        if connection is not None:
            return self._append(event, connection)
        with self._database.write() as own:
            return self._append(event, own)

    def check(self) -> None:
        """Raise what an append would: for what can't be taken back, and is recorded once it has been done.

        Raises:
            IntegrityError, EnvironmentFaultError: see :meth:`append`.
        """
        with self._database.read() as connection:
            stored = read_head(connection)
        self._refuse_forgery(stored, self._signing_key(first=stored.head is None))

    def sign_head(self) -> SignedHead | None:
        """The newest signed head, made sure to be in ``HOME/audit/heads.jsonl``; None for an empty trail."""
        with self._database.read() as connection:
            head = read_head(connection).head
        if head is not None and not ends_with_head(heads_file(self._home), head):
            append_head(heads_file(self._home), head)
        return head

    def list(
        self, limit: int = 50, *, action: str | None = None, object_: str | None = None
    ) -> "tuple[AuditRecord, ...]":
        """The newest records first, at most ``limit``; only those of one action or object where given."""
        table = schema.audit_records.c
        query = select(schema.audit_records).order_by(table.sequence.desc()).limit(limit)
        if action is not None:
            query = query.where(table.action == action)
        if object_ is not None:
            query = query.where(table.object == object_)
        with self._database.read() as connection:
            return tuple(AuditRecord(**row._asdict()) for row in connection.execute(query))

    def verify(self, exported_heads: Path | None = None, public_key: Path | None = None) -> VerifyResult:
        """Check all records, the chain, every signed head that is known, and the registry's rows by them.

        Args:
            exported_heads: ``heads.jsonl`` of an earlier export: today's trail must still begin with it.
            public_key: ``signing.pub`` of that export; None takes this store's own.

        Raises:
            InputError: one of the files can't be read.
        """
        from isocenter.audit.verification import verify_trail

        return verify_trail(self._home, self._database, exported_heads, public_key)

    def export(self, directory: Path) -> int:
        """Write ``records.jsonl``, ``heads.jsonl`` and ``signing.pub`` to ``directory``, to keep elsewhere.

        Returns:
            The number of records.

        Raises:
            InputError: ``directory`` can't be written.
        """
        from isocenter.audit.export import export_trail

        self.sign_head()
        return export_trail(self._home, self._database, directory)

    def _append(self, event: AuditEvent, connection: Connection) -> int:
        stored = read_head(connection, lock=True)
        key = self._signing_key(first=stored.head is None)
        self._refuse_forgery(stored, key)
        previous_hash = stored.head.record_hash if stored.head else FIRST_PREVIOUS_HASH
        record = chain(event, stored.tree.size + 1, previous_hash)
        tree = stored.tree.append(leaf_hash(record.canonical()))
        head = sign_head(key, tree.size, tree.root().hex(), record.hash, moment(utc_now()))
        connection.execute(_INSERT, record.__dict__)
        write_head(connection, StoredHead(head, tree))
        after_commit(connection, lambda: append_head(heads_file(self._home), head))
        return record.sequence

    def _signing_key(self, *, first: bool) -> SigningKey:
        if self._key is None:
            self._key = load_signing_key(self._home, create=first)
        return self._key

    def _refuse_forgery(self, stored: StoredHead, key: SigningKey) -> None:
        if stored.head is None:
            known = heads_file(self._home)
            if known.exists() and read_heads(known)[0]:
                raise IntegrityError("The audit trail is empty, but signed heads exist for it.", hint=_HINT)
        elif stored.head.key_id != key.public.key_id:
            raise IntegrityError(
                "The audit trail's head was signed with another key than this machine's.",
                hint="Machines that share a trail share one key: set ISOCENTER_AUDIT_KEY_FILE.",
            )
        elif not stored.is_consistent or not stored.head.is_signed_by(key.public):
            raise IntegrityError("The head of the audit trail was changed.", hint=_HINT)
