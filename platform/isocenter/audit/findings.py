"""What a verification of the trail found."""

import enum
from dataclasses import dataclass


class Fault(enum.StrEnum):
    """What is wrong."""

    EDITED = "edited"
    MISSING = "missing"
    REWRITTEN = "rewritten"
    UNSIGNED = "unsigned"
    HEAD = "head"
    SIGNATURE = "signature"
    REGISTRY = "registry"


@dataclass(frozen=True)
class Problem:
    """One finding.

    Args:
        fault: what is wrong.
        sequence: the first record that is wrong; None if it can't be told.
        message: one sentence for a person.
    """

    fault: Fault
    sequence: int | None
    message: str


@dataclass(frozen=True)
class VerifyResult:
    """All findings.

    Args:
        records: how many records there are.
        heads: how many genuine signed heads they were compared with.
        root_hash: Merkle root of the records up to the first bad one, in hexadecimal.
        problems: what is wrong; none when the trail is whole.
        warnings: what is odd but proves nothing, e.g. an unreadable line in the file of heads.
    """

    records: int
    heads: int
    root_hash: str
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def trail_is_whole(self) -> bool:
        """Whether the trail itself is; what is wrong then is a row that it speaks of."""
        return all(problem.fault is Fault.REGISTRY for problem in self.problems)

    @property
    def first_bad(self) -> int | None:
        """Sequence number of the first bad record; None if there is none or it can't be told."""
        return min((p.sequence for p in self.problems if p.sequence is not None), default=None)
