"""The neutral pipeline: steps, what each needs, when it runs, how often it is tried, what decides it."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.domain.training_job import TrainingJob

DATASET = "dataset"
EXECUTION = "execution"
PROGRAM_WAIT_S = 120
"""Seconds between SIGTERM and SIGKILL when a step's time is up: time for a checkpoint."""


class Place(enum.StrEnum):
    """Where a step's work is done."""

    SITE = "site"
    """On the machine that holds the DICOM."""
    TRAINING = "training"
    """In the training container."""
    PLATFORM = "platform"
    """In a small container, by the platform's own program."""


class When(enum.StrEnum):
    """When a step runs, once the steps that it needs have ended."""

    ALL_SUCCEEDED = "all-succeeded"
    GATE_PASSED = "gate-passed"
    """As above, and one of them is the gate, which fails (exit code 4) when the model misses a rule."""


@dataclass(frozen=True)
class Parameter:
    """A value that may be another in each execution.

    Args:
        name: lower-case.
        description: one sentence.
        default: None where it must be given.
    """

    name: str
    description: str
    default: str | None = None


@dataclass(frozen=True)
class Source:
    """Where an input comes from: an output of a step that is needed, or else a parameter."""

    name: str
    step: str | None = None


@dataclass(frozen=True)
class Retry:
    """Further tries after a failure that may pass.

    Args:
        times: how many; 0 for none.
        wait_s: before the first of them.
        factor: each wait is so many times the one before.
    """

    times: int = 0
    wait_s: int = 30
    factor: float = 2.0


@dataclass(frozen=True)
class PipelineStep:
    """One step.

    Args:
        name: a verb; the same in every format.
        place: where its work is done.
        needs: steps that must have ended well.
        when: see :class:`When`.
        retry: see :class:`Retry`.
        timeout_s: seconds after which it is stopped; None for no limit.
        cache_key: digest of all that decides its result but the parameters' values; that of each step that
            it needs is in it.
        cached: whether a service may take an earlier result of the same key and parameters.
        inputs: channel -> source.
        outputs: what it leaves.
        job: of a step in the training container, without inputs.
        options: of a step of the platform's program: option name -> JSON-able value.
    """

    name: str
    place: Place
    needs: tuple[str, ...] = ()
    when: When = When.ALL_SUCCEEDED
    retry: Retry = Retry()
    timeout_s: int | None = None
    cache_key: str = ""
    cached: bool = True
    inputs: Mapping[str, Source] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    job: TrainingJob | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def training_job(self) -> TrainingJob:
        """The job of a step in the training container."""
        assert self.job is not None  # noqa: S101 - of such a step only
        return self.job


@dataclass(frozen=True)
class PipelineSpec:
    """A pipeline, written once for every format.

    Args:
        name: of the pipeline; lower-case letters, digits and hyphens, at most 63.
        description: one sentence.
        steps: in an order in which they can run.
        parameters: of an execution in a service; steps at the site have none.
        request: the TrainingRequest as JSON, for steps that are run from it at the site.
        labels: tags.
    """

    name: str
    description: str
    steps: tuple[PipelineStep, ...]
    parameters: tuple[Parameter, ...]
    request: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)

    def step(self, name: str) -> PipelineStep:
        """The step called ``name``; it must be there."""
        return next(step for step in self.steps if step.name == name)

    @property
    def in_service(self) -> tuple[PipelineStep, ...]:
        """The steps that a service runs: those at the site are done before, and are needed no more."""
        there = [step for step in self.steps if step.place is not Place.SITE]
        names = {step.name for step in there}
        return tuple(_only_needing(step, names) for step in there)


def _only_needing(step: PipelineStep, names: set[str]) -> PipelineStep:
    from dataclasses import replace

    return replace(step, needs=tuple(name for name in step.needs if name in names))
