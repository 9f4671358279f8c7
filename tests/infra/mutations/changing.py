"""Make a mutation's change in a copy of a document."""

import copy
from typing import Any

from infra.mutations import REMOVED, Mutation

from isocenter_infra.parity.requirement import Requirement

Document = dict[str, Any]


def changed(document: Document, mutation: Mutation) -> tuple[Document, int]:
    """A copy with the change made, and to how many resources."""
    copied = copy.deepcopy(document)
    kind = Requirement(mutation.control, mutation.kind, path=mutation.path)
    found = kind.select(copied)
    for address, body in found.items():
        if not mutation.setting:
            del copied["resource"][mutation.kind][address.removeprefix(f"{mutation.kind}.")]
        else:
            set_at(body, mutation.setting.split("."), mutation.value)
    return copied, len(found)


def set_at(body: Any, path: list[str], value: Any) -> None:
    """Set, or take away, the value at ``path``."""
    head, *rest = path
    if isinstance(body, list) and not head.isdecimal():
        for item in body:
            set_at(item, path, value)
    elif isinstance(body, list):
        if rest:
            set_at(body[int(head)], rest, value)
        else:
            body[int(head)] = value
    elif rest:
        set_at(body[head], rest, value)
    elif value is REMOVED:
        del body[head]
    else:
        body[head] = value


def named(mutation: Mutation) -> str:
    """For lists: control, place, setting, value."""
    value = "removed" if mutation.value is REMOVED else str(mutation.value)[:30]
    return f"{mutation.control}-{mutation.path}-{mutation.setting or 'resource'}-{value}"


def spoil(body: dict[str, Any], requirement: Requirement) -> None:
    """Take away what ``requirement`` asks for; where it must not be there, put something in."""
    *inner, last = (part for part in requirement.setting.split(".") if part not in ("*", "0"))
    here: Any = body
    for part in inner:
        here = here[0] if isinstance(here, list) else here
        here = here.setdefault(part, {})
    here = here[0] if isinstance(here, list) else here
    if requirement.must.holds(None):
        here[last] = "Owner"
    else:
        del here[last]
