"""A step: named work that is known by what goes into it, and done once for each such input."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.domain.digest import digest_json
from isocenter.domain.run import RunId, new_run_id
from isocenter.errors import IsocenterError
from isocenter.lineage import LineageDataset

Outputs = Mapping[str, Any]
"""What a step gives: a JSON object, kept in the step cache."""

Results = Mapping[str, Outputs]
"""Outputs of the steps before, by name."""


@dataclass(frozen=True)
class Subject:
    """What a step did, in the terms of audit and lineage.

    Args:
        object: e.g. ``dataset:sha256:...``.
        details: JSON-able facts without patient data.
        reads: what was read.
        writes: what was made.
        facets: facts for lineage: ``parameters``, ``code``, ``environment``, ``seeds``.
    """

    object: str
    details: Mapping[str, Any] = field(default_factory=dict)
    reads: tuple[LineageDataset, ...] = ()
    writes: tuple[LineageDataset, ...] = ()
    facets: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Execution:
    """What a step's action is given.

    Args:
        key: digest of the step's inputs.
        run: names this execution; for a job, the run to start or to continue.
        results: outputs of the steps before.
    """

    key: str
    run: RunId
    results: Results


def _always(_: Outputs) -> bool:
    return True


def _new_run(_: str, __: Results) -> RunId:
    return new_run_id()


def _nothing(_: Execution, __: Outputs) -> None:
    return None


def _no_details(_: IsocenterError) -> Mapping[str, Any]:
    return {}


def _no_subject(_: Results, __: Outputs) -> Subject:
    return Subject("step")


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Args:
        name: a verb, e.g. ``train``.
        inputs: everything that decides what the step gives, as JSON; its digest is the step's key.
        action: does the work.
        still_there: whether what cached outputs point to exists still; raises IntegrityError where it does
            and was changed.
        run: the run id for a key: a new one, or that of a job to continue.
        subject: what was done, for audit and lineage.
        settle: called once the outputs are cached.
        failure_details: what audit should know of a failure, without patient data.
    """

    name: str
    inputs: Callable[[Results], Mapping[str, Any]]
    action: Callable[[Execution], Outputs]
    still_there: Callable[[Outputs], bool] = _always
    run: Callable[[str, Results], RunId] = _new_run
    subject: Callable[[Results, Outputs], Subject] = _no_subject
    settle: Callable[[Execution, Outputs], None] = _nothing
    failure_details: Callable[[IsocenterError], Mapping[str, Any]] = _no_details

    def key(self, results: Results) -> str:
        """Digest of the step's name and inputs."""
        return digest_json({"step": self.name, "inputs": dict(self.inputs(results))})


class StepState(enum.StrEnum):
    """How a step came by its outputs."""

    DONE = "done"
    CACHED = "cached"


@dataclass(frozen=True)
class StepResult:
    """A step that ended well.

    Args:
        name: the step's name.
        key: digest of its inputs.
        state: done now, or cached.
        seconds: wall-clock time it took.
        outputs: what it gave.
    """

    name: str
    key: str
    state: StepState
    seconds: float
    outputs: Outputs
