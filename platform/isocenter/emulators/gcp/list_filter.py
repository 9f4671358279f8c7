"""The part of Google's filter language (https://google.aip.dev/160) that the backend uses: terms and AND."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from isocenter.emulators.gcp.service_error import ServiceError

_TERM = re.compile(r'\s*([A-Za-z_][\w.-]*)\s*(>=|<=|!=|=|:|>|<)\s*("(?:[^"\\]|\\.)*"|[^\s"]+)\s*')


@dataclass(frozen=True)
class Term:
    """``field operator value``, e.g. ``display_name:"train-*"``."""

    field: str
    operator: str
    value: str

    def holds(self, found: str) -> bool:
        """Whether a field's value fits."""
        match self.operator:
            case "=":
                return found == self.value
            case "!=":
                return found != self.value
            case ":":
                return fnmatch.fnmatchcase(found, self.value)
            case ">=":
                return found >= self.value
            case ">":
                return found > self.value
            case "<=":
                return found <= self.value
            case _:
                return found < self.value


def parse_filter(text: str) -> tuple[Term, ...]:
    """The terms, all of which must hold.

    Raises:
        ServiceError: it can't be parsed, or has an OR, NOT or parenthesis, which aren't emulated.
    """
    terms, at = [], 0
    if not text.strip():
        return ()
    if re.search(r"(^|\s)(OR|NOT)\s|[()]", re.sub(r'"[^"]*"', "", text)):
        raise ServiceError(501, "The emulator knows AND only in filters.")
    while True:
        match = _TERM.match(text, at)
        if match is None:
            raise ServiceError(400, f"Invalid filter: {text[:200]}")
        value = re.sub(r"\\(.)", r"\1", match[3][1:-1]) if match[3].startswith('"') else match[3]
        terms.append(Term(match[1], match[2], value))
        at = match.end()
        if at == len(text):
            return tuple(terms)
        if not text.startswith("AND ", at):
            raise ServiceError(400, f"Invalid filter: {text[:200]}")
        at += len("AND ")


def matches(terms: Iterable[Term], value: Callable[[str], str]) -> bool:
    """Whether all terms hold.

    Args:
        terms: from :func:`parse_filter`.
        value: a field's value by its name; raises ServiceError for fields that can't be filtered on.
    """
    return all(term.holds(value(term.field)) for term in terms)
