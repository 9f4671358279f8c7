"""``isocenter run logs``: what a job said."""

from functools import partial

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Examples:
  isocenter run logs 01JCY4
  isocenter run logs 01JCY4 --follow"""
)
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
@click.option("--attempt", type=click.IntRange(1), help="Which attempt.  [default: the newest]")
@json_option
def command(run: str, follow: bool, attempt: int | None, as_json: bool) -> None:
    """Print the log of RUN (its id, or the beginning of it): text, and progress as JSON lines.

    Ctrl-C ends following; it does not stop the job (`isocenter run cancel` does).
    """
    from isocenter.backends.patient import PatientBackend
    from isocenter.errors import NotFoundError
    from isocenter.home import open_home
    from isocenter.pipelines.live_run import backend_of
    from isocenter.registry.runs import RunRecords
    from isocenter.storage.database import open_database

    home = open_home()
    record = RunRecords(open_database(home)).get(run)
    chosen = [a for a in record.attempts if attempt in (None, a.number)]
    if not chosen:
        raise NotFoundError(f"Run {record.id} has {len(record.attempts)} attempts.")
    backend = PatientBackend(backend_of(home, record), say=partial(click.echo, err=True))
    lines = backend.logs(chosen[-1].handle(record.id), follow=follow)
    if as_json:
        print_json({"run": record.id, "attempt": chosen[-1].number, "lines": list(lines)})
        return
    for line in lines:
        click.echo(line)
