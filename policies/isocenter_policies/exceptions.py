"""Exceptions from rules: reviewed data, each with an owner, a reason and an end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from isocenter_policies.errors import UnreadableError

_KEYS = {"rule", "resource", "stack", "owner", "reason", "until"}


@dataclass(frozen=True)
class RuleException:
    """One exception.

    Args:
        rule: id of the rule that it is from.
        resource: pattern of Terraform addresses, ``aws_s3_bucket.storage_logs_*``.
        owner: who answers for it.
        reason: why the rule can't be kept there.
        until: last day that it holds; None where that is missing.
        stack: ``main``, or ``state`` for the stack of Terraform's own state.
        line: in the file.
    """

    rule: str
    resource: str
    owner: str
    reason: str
    until: date | None
    stack: str
    line: int

    @property
    def kind(self) -> str:
        """Resource type, or a pattern of it."""
        return self.resource.partition(".")[0]

    def fault(self, today: date) -> str:
        """Why it doesn't hold; empty when it does."""
        if not self.owner or not self.reason:
            return f"has no {'owner' if not self.owner else 'reason'}"
        if self.until is None:
            return "has no end date"
        return f"ended on {self.until}" if self.until < today else ""

    def covers(self, rule: str, address: str, stack: str) -> bool:
        """Whether it is about this finding."""
        return self.rule == rule and self.stack == stack and fnmatchcase(address, self.resource)


def read_exceptions(path: Path) -> tuple[RuleException, ...]:
    """Read the exceptions in the file at ``path``.

    Raises:
        UnreadableError: it is no list of exceptions.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        return tuple(_exceptions(root))
    except OSError as error:
        raise UnreadableError(f"The exceptions {path} can't be read: {error.strerror}.") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError(f"{path} is no list of exceptions: {error}.") from error


def _exceptions(root: yaml.Node | None) -> Iterator[RuleException]:
    if root is None:
        return
    if not isinstance(root, yaml.SequenceNode):
        raise ValueError("it must be a list")
    for node in root.value:
        content = yaml.constructor.SafeConstructor().construct_document(node)
        yield _exception(content, node.start_mark.line + 1)


def _exception(content: Any, line: int) -> RuleException:
    if not isinstance(content, dict) or not {"rule", "resource"} <= set(content):
        raise ValueError(f"line {line}: an exception needs at least a rule and a resource")
    if unknown := set(content) - _KEYS:
        raise ValueError(f"line {line}: unknown key {min(unknown)!r}; there are {', '.join(sorted(_KEYS))}")
    until = content.get("until")
    if until is not None and not isinstance(until, date):
        raise ValueError(f"line {line}: until must be a date such as 2027-06-30")
    return RuleException(
        rule=str(content["rule"]),
        resource=str(content["resource"]),
        owner=str(content.get("owner") or "").strip(),
        reason=" ".join(str(content.get("reason") or "").split()),
        until=until,
        stack=str(content.get("stack", "main")),
        line=line,
    )
