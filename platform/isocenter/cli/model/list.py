"""``isocenter model list``: registered versions."""

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command(
    epilog="""\b
Examples:
  isocenter model list
  isocenter model list cxr --json"""
)
@click.argument("name", required=False)
@json_option
def command(name: str | None, as_json: bool) -> None:
    """List the registered versions, or those of the model NAME: by name, the newest first."""
    from isocenter.cli.model.version_json import metric_text, version_json
    from isocenter.home import open_home
    from isocenter.registry.opening import open_registry

    registry = open_registry(open_home())
    versions = registry.list(name)
    if name is not None and not versions:
        registry.get(name)  # says that there is none, and what is near
    if as_json:
        print_json([version_json(version) for version in versions])
        return
    if not versions:
        click.echo("No models yet. `isocenter pipeline run` registers one.")
        return
    rows = (
        (
            version.reference,
            ", ".join(version.aliases),
            metric_text(version.metrics.get("auroc")),
            version.created_at.strftime("%Y-%m-%d %H:%M:%S"),
            version.created_by,
            version.artifact_digest[:19],
        )
        for version in versions
    )
    columns = ("version", "aliases", "AUROC (95 % interval)", "registered (UTC)", "by", "digest")
    print_table("Models", columns, rows)
