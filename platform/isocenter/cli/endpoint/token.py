"""``isocenter endpoint token``: a token of the development issuer."""

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Examples:
  curl -H "Authorization: Bearer $(isocenter endpoint token chest)" -H "Content-Type: application/dicom" \\
       --data-binary @chest1.dcm http://127.0.0.1:PORT/v1/predict
  isocenter endpoint token chest --scope explain --scope predict --for 8h --subject viewer
  isocenter endpoint token chest --revoke-all

For endpoints on this machine; elsewhere your identity provider issues them. Whoever has a token can use it
until it expires: keep it out of files and logs."""
)
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(("predict", "explain", "admin")),
    default=("predict",),
    show_default=True,
    help="What it allows; can be repeated.",
)
@click.option("--for", "lifetime", default="1h", show_default=True, help="How long it is good, at most 24h.")
@click.option("--subject", help="Whom it is for.  [default: you]")
@click.option("--rotate", is_flag=True, help="Sign with a new key; older tokens stay good.")
@click.option("--revoke-all", is_flag=True, help="Refuse every older token, of all endpoints of this store.")
@json_option
def command(
    name: str,
    scopes: tuple[str, ...],
    lifetime: str,
    subject: str | None,
    rotate: bool,
    revoke_all: bool,
    as_json: bool,
) -> None:
    """Print a token that the local endpoint NAME takes."""
    from isocenter.audit.actor import current_actor
    from isocenter.audit.entry import append_entry
    from isocenter.domain.compute_words import parse_duration
    from isocenter.home import open_home
    from isocenter.issuer import Grant, issue_token, open_issuer_keys
    from isocenter.issuer.signing_keys import revoke_issuer_keys, rotate_issuer_keys
    from isocenter.issuer.token import endpoint_audience
    from isocenter.rollouts.opening import open_records

    home = open_home()
    open_records(home).require(name)
    change = revoke_issuer_keys if revoke_all else rotate_issuer_keys if rotate else open_issuer_keys
    keys = change(home)
    grant = Grant(
        subject or current_actor(), endpoint_audience(name), scopes, lifetime_s=parse_duration(lifetime)
    )
    token, token_id = issue_token(keys, grant)
    details = {
        "token": token_id,
        "subject": grant.subject,
        "scopes": list(grant.scopes),
        "lifetime_s": grant.lifetime_s,
        "keys": "revoked" if revoke_all else "rotated" if rotate else "kept",
    }
    append_entry(home, "endpoint.token", f"endpoint:{name}", details)
    if as_json:
        print_json({"endpoint": name, "access_token": token, "token_type": "Bearer", **details})
    else:
        click.echo(token)
