"""``isocenter run resume``: follow a job again after its client was killed."""

from functools import partial

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Example:
  isocenter run resume 01JCY4

The job went on while nobody followed it. When it has ended well, the pipeline command that started it takes
what it left: run it again."""
)
@click.argument("run")
@json_option
def command(run: str, as_json: bool) -> None:
    """Follow RUN (its id, or the beginning of it) to its end, and record a bad end.

    A good one is recorded with what it left, by the pipeline command."""
    from isocenter.backends.patient import PatientBackend
    from isocenter.errors import JobFailedError, NotFoundError
    from isocenter.home import open_home
    from isocenter.pipelines.job import await_end
    from isocenter.pipelines.live_run import backend_of, newest_handle
    from isocenter.registry.runs import RunRecords
    from isocenter.storage.database import open_database

    home = open_home()
    records = RunRecords(open_database(home))
    record = records.get(run)
    if not record.attempts:
        raise NotFoundError(f"Run {record.id} was never submitted.", hint="Run its pipeline command again.")
    say = partial(click.echo, err=True)
    backend, handle = PatientBackend(backend_of(home, record), say=say), newest_handle(record)
    for line in backend.logs(handle, follow=True):
        click.echo(line, err=as_json)
    status = await_end(backend, handle, say=say)
    if status.state.value != "succeeded":  # success is recorded with its outputs, by the pipeline
        records.set_status(record.id, status)
    if as_json:
        print_json({"id": record.id, "state": status.state, "reason": status.reason})
    else:
        click.echo(f"Run {record.id}: {status.state}.")
    if status.state.value == "failed":
        raise JobFailedError(f"Run {record.id} failed. {status.reason or 'It gave no reason.'}")
    if status.state.value == "cancelled":
        raise JobFailedError(f"Run {record.id} was cancelled.")
