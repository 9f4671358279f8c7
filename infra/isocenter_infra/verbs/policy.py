"""``make policy``: the policy scan of the synthesized stacks, recorded."""

import subprocess
import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "--stacks", type=click.Path(path_type=Path), required=True, help="Folder of synthesized stacks."
)
@click.option("--cloud", default="", help="Only stacks of this cloud.")
@click.option("--name", default="", help="Only this deployment's stacks.")
@click.option("--deployments", default="", help="Folder of settings files; empty: every stack is scanned.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--sarif", default="", help="Also write SARIF to this file.")
def command(stacks: Path, cloud: str, name: str, deployments: str, as_json: bool, sarif: str) -> None:
    """Scan, print what the scan says, and end as it ends: 0 nothing is open, 8 findings are open."""
    from isocenter.audit.entry import append_entry
    from isocenter.domain.audit_event import Outcome
    from isocenter.home import open_home
    from isocenter_infra.change.policy_scan import OPEN, scanner
    from isocenter_infra.verbs.audited import asked_about

    given = {"--cloud": cloud, "--name": name, "--deployments": deployments, "--sarif": sarif}
    options = [word for option, value in given.items() if value for word in (option, value)]
    home = open_home()
    done = subprocess.run(
        [*scanner(), "scan", str(stacks), *options, *(["--json"] if as_json else [])], check=False
    )
    outcome = {0: Outcome.SUCCESS, OPEN: Outcome.DENIED}.get(done.returncode, Outcome.FAILURE)
    append_entry(home, "deployment.policy", asked_about(cloud, name), {"exit_code": done.returncode}, outcome)
    sys.exit(done.returncode)
