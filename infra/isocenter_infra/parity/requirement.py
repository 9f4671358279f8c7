"""What must be set on a kind of resource for a control to be true."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True)
class Predicate:
    """A test of a value, and its words for a finding: "must be ..."."""

    words: str
    holds: Callable[[Any], bool]


_PRESENT = Predicate("be set", lambda v: v not in (None, "", [], {}))


def present() -> Predicate:
    """Something is set."""
    return _PRESENT


def equals(expected: Any) -> Predicate:
    """The value is ``expected``, type and all."""
    return Predicate(f"be {json.dumps(expected)}", lambda v: v == expected and type(v) is type(expected))


def one_of(*expected: Any) -> Predicate:
    """The value is one of ``expected``."""
    return Predicate(f"be one of {json.dumps(expected)}", lambda v: v in expected)


def at_least(least: float) -> Predicate:
    """The value is a number, or its digits as text, of ``least`` or more."""
    return Predicate(f"be {least:g} or more", lambda v: _number(v) is not None and (_number(v) or 0) >= least)


def at_most(most: float) -> Predicate:
    """The value is a number, or its digits as text, of ``most`` or less."""
    return Predicate(f"be {most:g} or less", lambda v: _number(v) is not None and (_number(v) or 0) <= most)


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(str(value).removesuffix("s"))  # durations are written 7776000s
    except ValueError:
        return None


def matches(pattern: str) -> Predicate:
    """The whole text matches the regular expression."""
    found = re.compile(pattern).fullmatch
    return Predicate(f"match {pattern}", lambda v: isinstance(v, str) and found(v) is not None)


def refers_to(kind: str) -> Predicate:
    """The value is a reference to a resource of type ``kind`` in the same stack."""
    return Predicate(f"refer to a {kind}", lambda v: isinstance(v, str) and v.startswith(f"${{{kind}."))


def contains(*items: Any) -> Predicate:
    """The list (or text) holds each of ``items``."""
    return Predicate(
        f"contain {json.dumps(items)}",
        lambda v: isinstance(v, list | str) and all(item in v for item in items),
    )


def lacks(*items: Any) -> Predicate:
    """The list (or text) is there and holds none of ``items``."""
    return Predicate(
        f"not contain {json.dumps(items)}",
        lambda v: isinstance(v, list | str) and not any(item in v for item in items),
    )


def says(text: str) -> Predicate:
    """One of the sentences holds ``text``."""
    return Predicate(
        f"say {text!r}", lambda v: isinstance(v, list) and any(text in sentence for sentence in v)
    )


def bounded() -> Predicate:
    """Each endpoint of the settings, of which there may be none, has one instance at least and a limit."""

    def holds(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            1 <= each.get("min_instances", 0) <= each.get("max_instances", 0) for each in value.values()
        )

    return Predicate("give each endpoint from one instance up to a limit", holds)


def absent() -> Predicate:
    """Nothing is set, or an empty list."""
    return Predicate("not be set", lambda v: v in (None, [], {}))


def statement(**wanted: Any) -> Predicate:
    """The text is an IAM policy with a statement that has each of the ``wanted`` elements.

    Args:
        wanted: element name (``Effect``, ``Action``, ``Condition`` ...) and its value; a list must hold each
            item of the wanted list, a mapping each entry of the wanted mapping.
    """

    def holds(value: Any) -> bool:
        try:
            statements = json.loads(value)["Statement"]
        except (TypeError, ValueError, KeyError):
            return False
        return any(_includes(found, wanted) for found in statements)

    return Predicate(f"hold a statement with {json.dumps(wanted, sort_keys=True)}", holds)


def _includes(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(_includes(found.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        several = found if isinstance(found, list) else [found]
        return all(item in several for item in wanted)
    return bool(found == wanted)


@dataclass(frozen=True)
class Requirement:
    """A setting that makes (a part of) a control true.

    Args:
        control: number of the control.
        kind: Terraform resource type, ``terraform.backend`` for the state's place, or ``output`` for what the
            stack tells the platform layer to do.
        setting: dotted path into the resource's body, ``*`` for each item of a list (``rule.*.mode``); empty:
            that the resource is there.
        must: what holds of the value; for ``*``, of each item, of which there must be one.
        path: which resources, as a pattern on the construct path without the stack's name.
        least: how many such resources there must be at the least.
        any_of: it is enough that one of the resources holds it.
    """

    control: int
    kind: str
    setting: str = ""
    must: Predicate = _PRESENT
    path: str = "*"
    least: int = 1
    any_of: bool = False

    def select(self, document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
        """The resources that this is about: address -> body."""
        if self.kind == "terraform.backend":
            return {f"terraform.backend.{k}": v for k, v in document["terraform"].get("backend", {}).items()}
        if self.kind == "output":
            return {f"output.{name}": body for name, body in document.get("output", {}).items()}
        bodies = document.get("resource", {}).get(self.kind, {})
        return {f"{self.kind}.{name}": body for name, body in bodies.items() if self._is_meant(body)}

    def _is_meant(self, body: Mapping[str, Any]) -> bool:
        place = body.get("//", {}).get("metadata", {}).get("path", "")
        return fnmatchcase(place.partition("/")[2], self.path)

    def is_met(self, body: Mapping[str, Any]) -> bool:
        """Whether the setting in ``body`` is as it must be."""
        if not self.setting:
            return True
        values = list(values_at(body, self.setting.split(".")))
        return bool(values) and all(self.must.holds(value) for value in values)


def values_at(value: Any, path: Sequence[str]) -> Iterator[Any]:
    """The values at ``path``; None where something on the way is missing, nothing for an empty list at ``*``.

    A block that Terraform's JSON writes as a list of one is passed through without an index.
    """
    if not path:
        yield value
        return
    head, *rest = path
    if head == "*":
        for item in value if isinstance(value, list) else []:
            yield from values_at(item, rest)
        return
    if isinstance(value, list) and not head.isdecimal() and len(value) == 1:
        value = value[0]
    if isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        yield from values_at(value[int(head)], rest)
    elif isinstance(value, Mapping) and head in value:
        yield from values_at(value[head], rest)
    else:
        yield None
