"""A pack: which rules count, which control each keeps, and which paragraph of the law that control serves."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from isocenter_policies.errors import UnreadableError
from isocenter_policies.rule import SEVERITIES, Severity

# `jobs` are rules of the platform for what it sends: listed here for the law's sake, and asked there.
_CONTROL_KEYS = {"title", "citations", "why", "severity", "rules", "jobs"}


@dataclass(frozen=True)
class Control:
    """A parity control as a pack sees it.

    Args:
        number: in PARITY.md.
        title: what is true.
        citations: paragraphs that it serves; none for one that is only operational.
        why: what goes wrong otherwise; said of built-in rules, which don't say it themselves.
        severity: of its built-in rules.
    """

    number: int
    title: str
    citations: tuple[str, ...]
    why: str
    severity: Severity


@dataclass(frozen=True)
class Pack:
    """A list of rules.

    Args:
        name: of the pack.
        title: in words.
        controls: rule -> the control that it keeps.
    """

    name: str
    title: str
    controls: Mapping[str, Control]


def read_pack(path: Path) -> Pack:
    """Read the pack at ``path``.

    Raises:
        UnreadableError: it is no pack, or lists a rule twice.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        numbered = dict(content["controls"])
        controls = {
            rule: control for number, body in numbered.items() for rule, control in _listed(number, body)
        }
        if len(controls) != sum(len(body["rules"]) for body in numbered.values()):
            raise ValueError("a rule is listed twice")
        return Pack(path.stem, str(content["title"]), controls)
    except OSError as error:
        raise UnreadableError(f"The pack {path} can't be read: {error.strerror}.") from error
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(
            f"{path} is no pack: {error}.", hint="See policies/packs/hipaa.yaml."
        ) from error


def _listed(number: int, body: Mapping[str, Any]) -> Iterator[tuple[str, Control]]:
    if unknown := set(body) - _CONTROL_KEYS:
        raise ValueError(f"control {number} has the unknown key {min(unknown)!r}")
    if body["severity"] not in SEVERITIES:
        raise ValueError(f"control {number}: severity must be one of {', '.join(SEVERITIES)}")
    citations = tuple(str(citation) for citation in body["citations"])
    control = Control(int(number), str(body["title"]), citations, str(body["why"]), body["severity"])
    for rule in body["rules"]:
        yield str(rule), control
