"""``isocenter target init``: a commented settings file for a new deployment."""

from pathlib import Path

import click


@click.command(
    epilog="""\b
Examples:
  isocenter target init --cloud gcp --name gcp-dev
  isocenter target init --cloud aws --name aws-prod --deployments deployments

Then edit the file, and `make plan CLOUD=gcp`."""
)
@click.option(
    "--cloud", required=True, type=click.Choice(["aws", "gcp", "azure", "onprem"]), help="Which cloud."
)
@click.option("--name", default="", help="Of the deployment.  [default: CLOUD-dev]")
@click.option(
    "--deployments",
    type=click.Path(path_type=Path),
    default=Path("deployments"),
    show_default=True,
    help="Folder of settings files.",
)
def command(cloud: str, name: str, deployments: Path) -> None:
    """Write deployments/NAME.yaml: every setting, what it means, and its default."""
    from isocenter.audit.recorded import recorded
    from isocenter.targets.settings_file import check_name

    chosen = name or f"{cloud}-dev"
    with recorded("target.init", f"cloud:{cloud}") as record:
        check_name(chosen)
        record.about = f"deployment:{chosen}"
        path = _write(cloud, chosen, deployments)
    click.echo(f"Wrote {path}. Edit it, then: make plan CLOUD={cloud} NAME={chosen}")


def _write(cloud: str, chosen: str, deployments: Path) -> Path:
    from isocenter.errors import InputError
    from isocenter.storage.atomic import write_bytes
    from isocenter.targets.settings import Cloud
    from isocenter.targets.template import settings_template

    path = deployments / f"{chosen}.yaml"
    if path.exists():
        raise InputError(f"{path} is there already.", hint="Choose another --name, or edit that file.")
    try:
        deployments.mkdir(parents=True, exist_ok=True)
        write_bytes(path, settings_template(Cloud(cloud), chosen).encode())
    except OSError as error:
        if deployments.is_file():
            raise InputError(f"{deployments} is a file, not a folder.") from error
        raise InputError(
            f"{path} can't be written: {error.strerror}.", hint="Name a folder with --deployments."
        ) from error
    return path
