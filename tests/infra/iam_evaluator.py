"""Whether IAM would allow a request, written from the documentation of policy evaluation alone.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Values = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class Asked:
    """One action on one resource, as a service asks IAM about it."""

    action: str
    resource: str = "*"
    keys: Values = field(default_factory=dict)


class RolePolicy:
    """The policy of a role, from its JSON text."""

    def __init__(self, text: str) -> None:
        self.statements: Sequence[Mapping[str, Any]] = json.loads(text)["Statement"]

    def allows(self, asked: Asked) -> bool:
        """A statement allows it and none denies it."""
        effects = {each["Effect"] for each in self.statements if _is_about(each, asked)}
        return effects == {"Allow"}

    def actions(self, *sids: str) -> set[str]:
        """What the statements ``sids`` are about."""
        return {action for each in self.statements if each["Sid"] in sids for action in each["Action"]}


def _is_about(statement: Mapping[str, Any], asked: Asked) -> bool:
    tests = statement.get("Condition", {})
    return (
        any(fnmatchcase(asked.action.lower(), pattern.lower()) for pattern in statement["Action"])
        and any(fnmatchcase(asked.resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(
            _holds(operator, asked.keys.get(key), _listed(wanted))
            for operator, keys in tests.items()
            for key, wanted in keys.items()
        )
    )


def _holds(operator: str, value: str | Sequence[str] | None, wanted: Sequence[str]) -> bool:
    match operator:
        case "StringEquals":
            return value in wanted
        case "StringNotEquals":
            return value not in wanted
        case "BoolIfExists":
            return value is None or value in wanted
        case "Null":
            return wanted == [str(value is None).lower()]
        case "ForAnyValue:StringNotEquals":
            return any(each not in wanted for each in value or ())
    raise ValueError(operator)


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value
