"""``isocenter model card``: print a version's model card, or complete it."""

from pathlib import Path

import click

from isocenter.cli.output import json_option, print_json
from isocenter.cli.paths import INPUT_PATH


@click.command(
    epilog="""\b
Examples:
  isocenter model card --template > card.yaml
  isocenter model card cxr:3 --missing
  isocenter model card cxr:3 --update card.yaml
  isocenter model card cxr@champion --markdown > card.md"""
)
@click.argument("reference", required=False)
@click.option("--markdown", is_flag=True, help="Print Markdown (the default).")
@click.option("--missing", is_flag=True, help="Print only the required fields that are still empty.")
@click.option("--template", is_flag=True, help="Print a card file to fill in, each field explained.")
@click.option(
    "--update",
    type=INPUT_PATH,
    help="Keep a new revision with the texts in this YAML file; the bundle never changes.",
)
@json_option
def command(
    reference: str | None, markdown: bool, missing: bool, template: bool, update: Path | None, as_json: bool
) -> None:
    """Print the model card of REFERENCE, or keep a new revision of it.

    REFERENCE is NAME (its newest version), NAME:3, NAME@champion or the beginning of a digest (sha256:...).
    """
    if template:
        _print_template(as_json)
        return
    if reference is None:
        raise click.UsageError("Name a model version, or ask for --template.")
    if markdown and as_json:
        raise click.UsageError("Choose one of --markdown and --json.")
    if update is not None:
        _update(reference, update, as_json)
        return
    _print_card(reference, missing, as_json)


def _print_template(as_json: bool) -> None:
    from isocenter.cards.template import template

    if as_json:
        print_json({"template": template()})
    else:
        click.echo(template(), nl=False)


def _print_card(reference: str, missing: bool, as_json: bool) -> None:
    from isocenter.cards.completeness import missing_fields
    from isocenter.cards.markdown import to_markdown
    from isocenter.home import open_home
    from isocenter.registry.opening import open_registry

    registry = open_registry(open_home())
    version = registry.get(reference)
    card = registry.card(version)
    if missing:
        names = missing_fields(card)
        if as_json:
            print_json({"reference": version.reference, "missing": names})
        else:
            click.echo("\n".join(names) or f"The card of {version.reference} is complete.")
    elif as_json:
        print_json(card.model_dump(mode="json"))
    else:
        click.echo(to_markdown(card), nl=False)


def _update(reference: str, file: Path, as_json: bool) -> None:
    from isocenter.audit.actor import current_actor
    from isocenter.cards.completeness import missing_fields
    from isocenter.cards.filling import read_card_file, revise_card
    from isocenter.home import open_home
    from isocenter.registry.opening import open_registry

    fields = read_card_file(file)
    registry = open_registry(open_home())
    version = registry.get(reference)
    before = registry.card_revisions(version)[0]
    after = registry.update_card(version, revise_card(before.card, fields), actor=current_actor())
    missing = missing_fields(after.card)
    if as_json:
        changed = after.revision != before.revision
        print_json(
            {
                "reference": version.reference,
                "revision": after.revision,
                "changed": changed,
                "missing": missing,
            }
        )
        return
    done = "is kept" if after.revision != before.revision else "stays: nothing in it changes"
    click.echo(f"Revision {after.revision} of the card of {version.reference} {done}.")
    if missing:
        click.echo("Still missing:\n" + "\n".join(f"  {name}" for name in missing))
