"""IAM policy documents as text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Principals = Mapping[str, str | Sequence[str]] | Literal["*"]


@dataclass(frozen=True)
class Statement:
    """One statement (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html)."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str] = ()
    principals: Principals | None = None
    effect: Literal["Allow", "Deny"] = "Allow"
    condition: Mapping[str, Mapping[str, str | Sequence[str]]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The statement in IAM's words; empty elements are left out."""
        body = {
            "Sid": self.sid,
            "Effect": self.effect,
            "Principal": {"AWS": "*"} if self.principals == "*" else self.principals,
            "Action": list(self.actions),
            "Resource": self.resources[0] if len(self.resources) == 1 else list(self.resources),
            "Condition": {name: dict(test) for name, test in self.condition.items()},
        }
        return {key: value for key, value in body.items() if value}


def policy_document(*statements: Statement) -> str:
    """The JSON text of a policy of ``statements``."""
    body = {"Version": "2012-10-17", "Statement": [statement.as_dict() for statement in statements]}
    return json.dumps(body, sort_keys=True)


def trusting(service: str, account: str) -> str:
    """A trust policy for an AWS service that acts for ``account`` only (no confused deputy)."""
    return policy_document(
        Statement(
            "Assume",
            ["sts:AssumeRole"],
            principals={"Service": f"{service}.amazonaws.com"},
            condition={"StringEquals": {"aws:SourceAccount": account}},
        )
    )
