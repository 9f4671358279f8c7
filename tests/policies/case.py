"""What a case of a rule is: a resource that keeps it, and settings that each break it."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

GONE = object()
"""In place of a setting: leave it out."""

Body = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A case of one rule.

    Args:
        rule: its file, without the ending: ``aws/kms_enabled``.
        kind: of the resource.
        good: body that keeps the rule; None where no resource of this kind may be.
        bad: setting -> value that breaks the rule, one at a time; "" stands for the whole body.
        beside: what the good resource needs beside it: kind -> body, in which "@" refers to the resource and
            "@KIND" to the neighbour of that kind; of a provider, the default one.
        bad_beside: what stands beside a resource that breaks the rule.
    """

    rule: str
    kind: str
    good: Body | None
    bad: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Body] = field(default_factory=dict)
    bad_beside: Mapping[str, Body] = field(default_factory=dict)

    def bad_bodies(self) -> Iterator[tuple[str, Body]]:
        """The broken setting and the body with it; the good body where only its neighbour is missing."""
        for path, value in self.bad.items():
            yield path, value if path == "" else changed(self.good or {}, path, value)
        if self.beside and not self.bad:
            yield "beside", copy.deepcopy(self.good or {})


def changed(body: Mapping[str, Any], path: str, value: Any) -> Body:
    """``body`` with ``value`` at the dotted ``path``; a number in it is an index."""
    made = copy.deepcopy(dict(body))
    *way, last = [int(step) if step.isdecimal() else step for step in path.split(".")]
    place: Any = made
    for step in way:
        place = place[step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return made


def referring(body: Mapping[str, Any], address: str) -> Body:
    """``body`` with a reference to ``address`` for each "@", to its neighbour for each "@KIND"."""
    name = address.partition(".")[2]
    text = re.sub(r'"@(\w+)"', rf'"${{\1.{name}_beside.id}}"', json.dumps(body))
    found: Body = json.loads(text.replace('"@"', json.dumps(f"${{{address}.id}}")))
    return found


def policy(*statements: Mapping[str, Any]) -> str:
    """The text of an AWS policy."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **others: Any) -> dict[str, Any]:
    """A statement that allows."""
    return {"Effect": "Allow", "Action": action, "Resource": resource, **others}
