"""Environment variables of a request, as each service writes them."""

from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.policy.rule import JobRequest

# Field -> how variables stand in it: a mapping, or a list of name and value.
_MAPPINGS = ("Environment", "environment_variables", "environment")
_LIST = "env"


def variables(job: JobRequest) -> Iterator[tuple[str, str, str]]:
    """Place, name and literal value of each; those that refer to a secret have no literal value."""
    for place, part in job.parts:
        for field in _MAPPINGS:
            given = part.get(field)
            for name, value in given.items() if isinstance(given, Mapping) else ():
                if isinstance(value, str):
                    yield f"{place}.{field}.{name}".lstrip("."), str(name), value
        yield from _listed(part.get(_LIST), f"{place}.{_LIST}".lstrip("."))


def _listed(given: Any, place: str) -> Iterator[tuple[str, str, str]]:
    for number, each in enumerate(given if isinstance(given, list) else ()):
        if isinstance(each, Mapping) and isinstance(each.get("value"), str):
            yield f"{place}.{number}", str(each.get("name")), each["value"]
