"""Hold the requirements of a cloud against a synthesized document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from isocenter_infra.parity.controls import CONTROLS
from isocenter_infra.parity.requirement import Requirement

_TABLES = {"aws", "azure", "gcp"}


@dataclass(frozen=True)
class Gap:
    """A control that isn't true.

    Args:
        control: its number.
        address: of the resource; empty where there is none.
        sentence: what is missing.
        source: file and line in our sources that made the resource.
    """

    control: int
    address: str
    sentence: str
    source: str = ""


def requirements(cloud: str) -> Sequence[Requirement]:
    """The table of ``cloud``, one of aws, gcp, azure."""
    table: Sequence[Requirement] = import_module(f"isocenter_infra.parity.{cloud}").REQUIREMENTS
    return table


def check_parity(cloud: str, document: Mapping[str, Any]) -> tuple[Gap, ...]:
    """The gaps in ``document``; none when each of the 35 controls is true.

    Args:
        cloud: aws, gcp or azure; on-premises has no such table.
        document: Terraform's JSON of the whole stack.
    """
    if cloud not in _TABLES:
        return ()
    table = requirements(cloud)
    stated = {requirement.control for requirement in table}
    unstated = [Gap(c.number, "", f"{c.title}: no requirement.") for c in CONTROLS if c.number not in stated]
    return (*unstated, *(gap for requirement in table for gap in _gaps(requirement, document)))


def _gaps(requirement: Requirement, document: Mapping[str, Any]) -> Iterator[Gap]:
    found = requirement.select(document)
    what = f"{requirement.kind} at {requirement.path}" if requirement.path != "*" else requirement.kind
    if len(found) < requirement.least:
        wanted = f"{requirement.least} {what}" if requirement.least > 1 else what
        yield Gap(requirement.control, "", f"There must be {wanted}; {len(found)} found.")
        return
    missed = {address: body for address, body in found.items() if not requirement.is_met(body)}
    if requirement.any_of and len(missed) < len(found):
        return
    for address, body in missed.items():
        source = body.get("//", {}).get("metadata", {}).get("source", "")
        sentence = f"{requirement.setting} must {requirement.must.words}."
        yield Gap(requirement.control, address, sentence, source)
