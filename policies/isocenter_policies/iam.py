"""AWS policy documents, as far as rules ask about them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isocenter_policies.rule import Body


@dataclass(frozen=True)
class Statement:
    """One statement; actions and condition keys in lower case, as AWS compares them."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    principals: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def any_action(self) -> bool:
        """It is about every action of every service."""
        return "*" in self.actions

    @property
    def any_resource(self) -> bool:
        """It is about every resource."""
        return "*" in self.resources

    @property
    def anyone(self) -> bool:
        """It is about every principal in the world."""
        return "*" in self.principals

    def condition(self, key: str) -> tuple[str, ...]:
        """The values that the condition ``key`` is compared with, by whatever operator."""
        return tuple(v for _, name, values in self.conditions if name == key.lower() for v in values)


def statements(body: Body, path: str) -> list[Statement]:
    """The statements of the policy documents at ``path``. What is no policy's text gives none."""
    return [_statement(found) for text in body.texts(path) for found in _parse(text)]


def _parse(text: str) -> list[Mapping[str, Any]]:
    try:
        found = json.loads(text).get("Statement", [])
    except (ValueError, AttributeError):
        return []
    return [item for item in (found if isinstance(found, list) else [found]) if isinstance(item, Mapping)]


def _statement(found: Mapping[str, Any]) -> Statement:
    principal = found.get("Principal", {})
    named = principal.values() if isinstance(principal, Mapping) else [principal]
    return Statement(
        allows=found.get("Effect") == "Allow",
        actions=tuple(
            action.lower() for action in _texts(found.get("Action", "*" if "NotAction" in found else []))
        ),
        resources=_texts(found.get("Resource", "*" if "NotResource" in found else [])),
        principals=tuple(text for value in named for text in _texts(value)),
        conditions=tuple(
            (operator.lower(), key.lower(), _texts(values))
            for operator, tests in found.get("Condition", {}).items()
            for key, values in tests.items()
        ),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)
