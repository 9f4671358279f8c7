"""``isocenter run cancel``: stop a job at a checkpoint."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json

if TYPE_CHECKING:
    from isocenter.domain.run import JobStatus
    from isocenter.home import Home
    from isocenter.pipelines.live_run import LiveRun
    from isocenter.registry.runs import Run


@click.command(
    epilog="""\b
Example:
  isocenter run cancel 01JCY4

The pipeline command that started the run, given again, continues from the checkpoint."""
)
@click.argument("run")
@click.option("--no-wait", is_flag=True, help="Return at once instead of when the job has stopped.")
@json_option
def command(run: str, no_wait: bool, as_json: bool) -> None:
    """Stop RUN (its id, or the beginning of it): SIGTERM, time to save a checkpoint, then SIGKILL."""
    from isocenter.home import open_home
    from isocenter.pipelines.live_run import look
    from isocenter.registry.runs import RunRecords
    from isocenter.storage.database import open_database

    home = open_home()
    database = open_database(home)
    live = look(home, RunRecords(database).get(run))
    ended = live.status.state.is_final
    if not ended:
        live = _cancel(home, live.run, wait=not no_wait)
    if as_json:
        print_json({"id": live.run.id, "state": live.status.state, "had_ended": ended})
    else:
        click.echo(f"Run {live.run.id} {'had ended before' if ended else 'is'}: {live.status.state}.")


def _cancel(home: "Home", run: "Run", *, wait: bool) -> "LiveRun":
    from isocenter.audit import AuditTrail, current_actor
    from isocenter.domain.audit_event import AuditEvent
    from isocenter.domain.run import JobState, JobStatus
    from isocenter.pipelines.live_run import LiveRun, backend_of, look, newest_handle
    from isocenter.registry.runs import RunRecords
    from isocenter.storage.database import open_database

    database = open_database(home)
    AuditTrail(home, database).append(AuditEvent(current_actor(), "run.cancel", f"run:{run.id}"))
    if not run.attempts:  # no service knows it; a pipeline that is about to submit it looks first
        ended = JobStatus(JobState.CANCELLED, reason="Cancelled before it was submitted.")
        RunRecords(database).set_status(run.id, ended)
        return LiveRun(RunRecords(database).get(run.id), ended)
    backend_of(home, run).cancel(newest_handle(run))
    live = LiveRun(run, _end(home, run)) if wait else look(home, run)
    if live.status.state.is_final:
        RunRecords(database).set_status(run.id, live.status)
    return live


def _end(home: "Home", run: "Run") -> "JobStatus":
    """How the run ended, once it has. A job that its service doesn't have any more needs no stopping."""
    from isocenter.domain.run import JobState
    from isocenter.pipelines.job import await_end
    from isocenter.pipelines.live_run import backend_of, newest_handle

    status = await_end(backend_of(home, run), newest_handle(run), say=partial(click.echo, err=True))
    if not status.missing:
        return status
    click.echo(status.reason, err=True)
    return replace(status, state=JobState.CANCELLED)
