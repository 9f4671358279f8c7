"""Walking the records from the first: each against its own hash, the one before, and the signed heads."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from isocenter.audit.findings import Fault, Problem
from isocenter.audit.merkle import CompactRange, leaf_hash
from isocenter.audit.record import FIRST_PREVIOUS_HASH, AuditRecord
from isocenter.audit.signed_head import SignedHead
from isocenter.domain.digest import canonical_json

_HeadsBySize = Mapping[int, Sequence[SignedHead]]


@dataclass(frozen=True)
class Walk:
    """How far the records are right, and the first that is not.

    Args:
        tree: over the records that are right.
        last_hash: ``hash`` of the last of them.
        agreed: size of the largest signed head that they match.
        problem: what is wrong with the next record; None when all are right.
        count: records seen, right or not.
    """

    tree: CompactRange = field(default_factory=CompactRange)
    last_hash: str = FIRST_PREVIOUS_HASH
    agreed: int = 0
    problem: Problem | None = None
    count: int = 0


def walk_records(records: Iterable[AuditRecord], heads: Iterable[SignedHead]) -> Walk:
    """Check records against hash, chain and heads.

    Args:
        records: all records, sorted by number; their fields may hold anything.
        heads: heads whose signatures are good, of any size and in any order.
    """
    by_size: dict[int, list[SignedHead]] = {}
    for head in heads:
        by_size.setdefault(head.tree_size, []).append(head)
    walk = Walk()
    for record in records:
        if walk.problem is None:
            walk = _step(walk, record, by_size)
        walk = replace(walk, count=walk.count + 1)
    return walk if walk.problem else replace(walk, problem=_end(walk, by_size))


def _step(walk: Walk, record: AuditRecord, heads: _HeadsBySize) -> Walk:
    expected = walk.tree.size + 1
    problem = _own_problem(record, expected) or _link_problem(walk, record, expected)
    if problem:
        return replace(walk, problem=problem)
    tree = walk.tree.append(leaf_hash(record.canonical()))
    signed = heads.get(expected, ())
    if any(head.root_hash != tree.root().hex() for head in signed):
        return replace(walk, problem=_rewritten(walk.agreed + 1, expected))
    agreed = expected if signed else walk.agreed
    return replace(walk, tree=tree, last_hash=record.hash, agreed=agreed)


def _own_problem(record: AuditRecord, expected: int) -> Problem | None:
    if type(record.sequence) is int and record.sequence > expected:
        return Problem(Fault.MISSING, expected, f"Record {expected} is missing.")
    if not _is_intact(record, expected):
        return Problem(Fault.EDITED, expected, f"Record {expected} does not match its own hash.")
    return None


def _is_intact(record: AuditRecord, expected: int) -> bool:
    texts = [value for name, value in record.__dict__.items() if name != "sequence"]
    if record.sequence != expected or not all(isinstance(value, str) for value in texts):
        return False
    try:
        normal = canonical_json(json.loads(record.details)).decode() == record.details
        return normal and record.computed_hash() == record.hash
    except (ValueError, RecursionError):
        return False


def _link_problem(walk: Walk, record: AuditRecord, expected: int) -> Problem | None:
    if record.previous_hash == walk.last_hash:
        return None
    # A signed head over the record before proves that one right: then it is this one that is wrong.
    before = expected - 1
    culprit = expected if walk.agreed >= before else before
    return Problem(
        Fault.REWRITTEN, culprit, f"Record {before} is not the one that record {expected} was chained to."
    )


def _rewritten(first: int, last: int) -> Problem:
    if first == last:
        return Problem(Fault.REWRITTEN, first, f"Record {first} is not the one that was signed.")
    text = f"Records {first} to {last} are not the ones that were signed; {first} is the earliest it can be."
    return Problem(Fault.REWRITTEN, first, text)


def _end(walk: Walk, heads: _HeadsBySize) -> Problem | None:
    signed, size = max(heads, default=0), walk.tree.size
    if signed > size:
        text = f"Records {size + 1} to {signed} were signed and are missing."
        return Problem(Fault.MISSING, size + 1, text)
    if heads and signed < size:
        text = f"Records {signed + 1} to {size} are covered by no signed head."
        return Problem(Fault.UNSIGNED, signed + 1, text)
    return None
