"""Verifying a trail: gather the signed heads that are genuine, then hold the records against them.

Three kinds of evidence, each stronger than the one before: the records' own hashes (against whoever edits a
row), the chain (whoever edits a row and its hash), the signed heads (whoever rewrites everything but has no
signing key). Heads that were exported earlier hold even against someone who has the key.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from isocenter.audit.chain_check import Walk, walk_records
from isocenter.audit.endpoint_check import endpoint_problems
from isocenter.audit.export_files import HEADS, PUBLIC_KEY, RECORDS
from isocenter.audit.findings import Fault, Problem, VerifyResult
from isocenter.audit.head_file import read_heads
from isocenter.audit.record import AuditRecord, from_json
from isocenter.audit.registry_check import registry_problems
from isocenter.audit.signed_head import SignedHead
from isocenter.audit.signing_key import PublicKey, own_public_key, read_public_key
from isocenter.audit.stored_head import heads_file, read_head
from isocenter.errors import InputError, IntegrityError
from isocenter.home import Home
from isocenter.storage import schema
from isocenter.storage.database import Database

_BATCH = 1000


@dataclass(frozen=True)
class _Heads:
    genuine: tuple[SignedHead, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    def __add__(self, other: "_Heads") -> "_Heads":
        return _Heads(
            self.genuine + other.genuine, self.problems + other.problems, self.warnings + other.warnings
        )


def verify_trail(
    home: Home, database: Database, exported_heads: Path | None = None, public_key: Path | None = None
) -> VerifyResult:
    """Check the trail of a store, and the registry by it; see :meth:`.trail.AuditTrail.verify`."""
    key = read_public_key(public_key) if public_key else own_public_key(home)
    # Files before the database: what is in them was committed, so the snapshot holds its records.
    own = heads_file(home)
    heads = _from_file(own, key, "this store's file of heads") if own.exists() else _Heads()
    if exported_heads:
        heads += _from_file(exported_heads, key, "the exported heads")
    with database.read() as connection:
        heads += _from_database(connection, key)
        walk = walk_records(stored_records(connection), heads.genuine)
        # A trail that was tampered with proves nothing about the registry.
        is_whole = not walk.problem and not heads.problems
        registry = (*registry_problems(connection), *endpoint_problems(connection)) if is_whole else ()
    if walk.count and key is None:
        text = "There is no public key to check signatures with."
        heads += _Heads(problems=(Problem(Fault.SIGNATURE, None, text),))
    return _result(walk, heads + _Heads(problems=registry))


def verify_export(directory: Path, public_key: Path | None = None) -> VerifyResult:
    """Check what :func:`isocenter.audit.export.export_trail` wrote, without any store.

    Args:
        directory: holds ``records.jsonl``, ``heads.jsonl`` and ``signing.pub``.
        public_key: the key that the trail is known to be signed with; None believes the one in the directory.

    Raises:
        InputError: a file can't be read.
    """
    key = read_public_key(public_key or directory / PUBLIC_KEY)
    heads = _from_file(directory / HEADS, key, "the export's heads")
    return _result(walk_records(_exported_records(directory / RECORDS), heads.genuine), heads)


def stored_records(connection: Connection) -> Iterator[AuditRecord]:
    """All records by number, read in batches."""
    query = select(schema.audit_records).order_by(schema.audit_records.c.sequence)
    for row in connection.execution_options(yield_per=_BATCH).execute(query):
        yield AuditRecord(**row._asdict())


def _exported_records(path: Path) -> Iterator[AuditRecord]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"The records in {path} can't be read: {error.strerror}.") from error
    for number, line in enumerate(lines, 1):
        try:
            yield from_json(json.loads(line))
        except (ValueError, RecursionError):
            yield AuditRecord(number, *[""] * 7)  # matches no hash, so it is found as edited


def _result(walk: Walk, heads: _Heads) -> VerifyResult:
    problems = (*([walk.problem] if walk.problem else []), *heads.problems)
    return VerifyResult(walk.count, len(set(heads.genuine)), walk.tree.root().hex(), problems, heads.warnings)


def _from_file(path: Path, key: PublicKey | None, name: str) -> _Heads:
    found, unreadable = read_heads(path)
    warnings = (f"{unreadable} lines of {name} can't be read.",) if unreadable else ()
    return _weigh(found, key, name) + _Heads(warnings=warnings)


def _from_database(connection: Connection, key: PublicKey | None) -> _Heads:
    try:
        stored = read_head(connection)
    except IntegrityError as error:
        return _Heads(problems=(Problem(Fault.HEAD, None, error.message),))
    if not stored.is_consistent:
        text = "The database's head does not agree with the tree that is kept beside it."
        return _Heads(problems=(Problem(Fault.HEAD, None, text),))
    if stored.head is None:
        return _unsigned_records(connection)
    return _weigh([stored.head], key, "the database's head")


def _unsigned_records(connection: Connection) -> _Heads:
    first = connection.execute(select(schema.audit_records.c.sequence).limit(1)).first()
    text = "There are records, but the database's head says that there are none."
    return _Heads(problems=(Problem(Fault.HEAD, None, text),)) if first else _Heads()


def _weigh(heads: Sequence[SignedHead], key: PublicKey | None, name: str) -> _Heads:
    if key is None:
        return _Heads()
    genuine = tuple(head for head in heads if head.is_signed_by(key))
    forged = len(heads) - len(genuine)
    if not forged:
        return _Heads(genuine)
    text = f"{forged} of {len(heads)} signatures in {name} were not made with this trail's key."
    return _Heads(genuine, (Problem(Fault.SIGNATURE, None, text),))
