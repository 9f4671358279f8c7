"""A pipeline on a target, ready to run: what the verbs share."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.pipelines.observer import Observer
    from isocenter.pipelines.runner import Runner
    from isocenter.pipelines.training import TrainingPipeline
    from isocenter.pipelines.training_request import TrainingRequest
    from isocenter.targets import Target


def open_pipeline(
    home: "Home", place: "Target", request: "TrainingRequest", observer: "Observer"
) -> "TrainingPipeline":
    """The pipeline for ``request``, whose jobs run on ``place`` and in its image where they name none.

    Raises:
        EnvironmentFaultError: the target's backend is not installed, or the database can't be reached.
    """
    from isocenter.backends import load_backend
    from isocenter.backends.patient import PatientBackend
    from isocenter.pipelines.job import JobLauncher
    from isocenter.pipelines.job_identity import naming_its_image
    from isocenter.pipelines.records import open_records
    from isocenter.pipelines.training import TrainingPipeline

    records = open_records(home)
    backend = PatientBackend(load_backend(place.backend, home, place.settings), say=observer.outage)
    launcher = JobLauncher(backend, place.name, records, observer, place.descriptor)
    return TrainingPipeline(naming_its_image(request, place.settings), records, launcher, observer)


def try_plan_here(pipeline: "TrainingPipeline", place: "Target") -> None:
    """Find out what is wrong with the plan here, where its job would run on ``place``, a rented machine.

    Of this machine only whether it has what the job asks for: its job tells of the plan as early.

    Raises:
        InputError: the plan can't be trained, or not with that.
    """
    import click

    from isocenter.domain.run import new_run_id
    from isocenter.domain.training_job import TrainingJob
    from isocenter.pipelines.plan_trial import try_plan

    request = pipeline.request
    if place.descriptor is None:
        job = TrainingJob("train", ("train",), image=request.image, compute=request.compute)
        pipeline.launcher.plan(job, new_run_id())
        return
    if why := try_plan(request.plan, request.compute, pipeline.records.cache):
        click.echo(f"Note: the plan was not tried before its job begins. {why}", err=True)


@contextmanager
def watched_pipeline(
    home: "Home", place: "Target", request: "TrainingRequest"
) -> "Iterator[tuple[TrainingPipeline, Runner]]":
    """The same with its runner, shown on the terminal while it runs."""
    from isocenter.pipelines.runner import Runner
    from isocenter.pipelines.training import PIPELINE

    with _observer() as observer:
        pipeline = open_pipeline(home, place, request, observer)
        yield pipeline, Runner(pipeline.records, observer, PIPELINE)


def _observer() -> "AbstractContextManager[Observer]":
    if not sys.stderr.isatty():  # a bar's library takes long to load, and nobody would see one
        from isocenter.cli.pipeline.lines import LineObserver

        return nullcontext(LineObserver())
    from isocenter.cli.output import progress_console
    from isocenter.cli.pipeline.watching import TerminalObserver

    return TerminalObserver(progress_console())
