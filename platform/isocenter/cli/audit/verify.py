"""``isocenter audit verify``: check the whole trail."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json
from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.audit.findings import VerifyResult


@click.command(
    epilog="""\b
Examples:
  isocenter audit verify
  isocenter audit verify --heads /mnt/usb/heads.jsonl --public-key /mnt/usb/signing.pub
  isocenter audit verify --export /mnt/usb --public-key known.pub     (without this store)"""
)
@click.option("--heads", type=INPUT_PATH, help="heads.jsonl of an earlier export, kept off this machine.")
@click.option("--public-key", type=INPUT_PATH, help="signing.pub of that export; else this store's own.")
@click.option(
    "--export", "directory", type=INPUT_PATH, help="Check an exported directory instead of this store."
)
@json_option
def command(heads: Path | None, public_key: Path | None, directory: Path | None, as_json: bool) -> None:
    """Check every audit record, the chain, every signed head, and the registry by them.

    Finds edited, removed, inserted and reordered records and a cut end, and names the first bad record (exit
    code 6); likewise versions, cards, aliases, approvals, endpoints and their history that are not what the
    records say. With --heads
    it also finds that somebody who had the signing key rewrote the trail since then.
    """
    if directory is not None and heads is not None:
        raise click.UsageError("Choose one of --heads and --export.")
    result = _verify_store(heads, public_key) if directory is None else _verify_export(directory, public_key)
    if as_json:
        _print_json(result)
    else:
        _print(result)
    if not result.ok:
        from isocenter.errors import IntegrityError

        raise SystemExit(IntegrityError.exit_code)


def _verify_store(heads: Path | None, public_key: Path | None) -> "VerifyResult":
    from isocenter.audit.trail import AuditTrail
    from isocenter.home import open_home
    from isocenter.storage.database import open_database

    home = open_home()
    return AuditTrail(home, open_database(home)).verify(heads, public_key)


def _verify_export(directory: Path, public_key: Path | None) -> "VerifyResult":
    from isocenter.audit.verification import verify_export

    return verify_export(directory, public_key)


def _print_json(result: "VerifyResult") -> None:
    print_json(
        {
            "ok": result.ok,
            "records": result.records,
            "heads": result.heads,
            "root_hash": result.root_hash,
            "first_bad": result.first_bad,
            "problems": [problem.__dict__ for problem in result.problems],
            "warnings": list(result.warnings),
        }
    )


def _print(result: "VerifyResult") -> None:
    for warning in result.warnings:
        click.echo(click.style("Warning: ", fg="yellow") + warning, err=True)
    if result.ok:
        click.echo(f"The audit trail is whole: {result.records} records, {result.heads} signed heads.")
        return
    if result.trail_is_whole:
        click.echo(click.style("The registry was tampered with. ", fg="red", bold=True), nl=False)
        click.echo(f"The audit trail is whole ({result.records} records) and says otherwise.")
        _print_problems(result)
        return
    first = "can't be told" if result.first_bad is None else f"is {result.first_bad}"
    click.echo(click.style("The audit trail was tampered with. ", fg="red", bold=True), nl=False)
    click.echo(f"The first bad record {first}.")
    _print_problems(result)


def _print_problems(result: "VerifyResult") -> None:
    for problem in result.problems:
        click.echo(f"  {problem.fault}: {problem.message}")
