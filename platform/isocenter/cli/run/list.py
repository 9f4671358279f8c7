"""``isocenter run list``: executions of jobs, newest first."""

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command(
    epilog="""\b
Examples:
  isocenter run list
  isocenter run list --limit 100 --json"""
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
def command(limit: int, as_json: bool) -> None:
    """List the runs of this store, newest first, with their state now."""
    from isocenter.home import open_home
    from isocenter.pipelines.live_run import Watch, last_line
    from isocenter.registry.runs import RunRecords
    from isocenter.storage.database import open_database

    home = open_home()
    watch = Watch(home)
    found = [watch.look(run) for run in RunRecords(open_database(home)).list(limit)]
    if as_json:
        print_json(
            [
                {
                    "id": live.run.id,
                    "name": live.run.name,
                    "target": live.run.target,
                    "state": live.status.state,
                    "attempts": len(live.run.attempts),
                    "created_at": live.run.created_at.isoformat(),
                    "reason": live.status.reason,
                }
                for live in found
            ]
        )
        return
    if not found:
        click.echo("No runs yet. `isocenter pipeline run` starts some.")
        return
    rows = (
        (
            live.run.id,
            live.run.name,
            live.run.target,
            live.status.state,
            len(live.run.attempts),
            live.run.created_at.strftime("%Y-%m-%d %H:%M:%S"),
            last_line(live.status.reason),
        )
        for live in found
    )
    print_table("Runs", ("run", "job", "target", "state", "attempts", "begun (UTC)", "reason"), rows)
