"""``isocenter model show``: one version, whole."""

from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from isocenter.domain.model import ModelVersion
    from isocenter.errors import IsocenterError
    from isocenter.registry.models import ModelRegistry


@click.command(
    epilog="""\b
Examples:
  isocenter model show cxr             (the newest version)
  isocenter model show cxr:3
  isocenter model show cxr@champion --json"""
)
@click.argument("reference")
@json_option
def command(reference: str, as_json: bool) -> None:
    """Show a version's metrics, lineage, aliases, approvals, mirrors and what its card misses.

    Reads the bundle's files: if one was changed since it was registered, it says so (exit code 6).
    REFERENCE is NAME (its newest version), NAME:3, NAME@champion or the beginning of a digest (sha256:...).
    """
    from isocenter.home import open_home
    from isocenter.registry.opening import open_registry

    registry = open_registry(open_home())
    version = registry.get(reference)
    damage = _damage(registry, version)
    found = _collect(registry, version) | {"damage": damage and damage.message}
    if as_json:
        print_json(found)
    else:
        _print(version, found)
    if damage is None:
        return
    if as_json:
        raise SystemExit(damage.exit_code)
    raise damage


def _damage(registry: "ModelRegistry", version: "ModelVersion") -> "IsocenterError | None":
    """What is wrong with the version's record or bundle; None if they are as they were registered."""
    from isocenter.errors import IntegrityError, NotFoundError

    try:
        registry.verify(version)
    except (IntegrityError, NotFoundError) as error:
        return error
    return None


def _collect(registry: "ModelRegistry", version: "ModelVersion") -> dict[str, Any]:
    from dataclasses import asdict

    from isocenter.cards.completeness import missing_fields
    from isocenter.cli.model.version_json import version_json

    revisions = registry.card_revisions(version)
    approvals = [asdict(item) for item in registry.approvals(version.name) if item.number == version.number]
    moves = [asdict(move) for move in registry.alias_history(version.name)]
    return {
        **version_json(version),
        "card_revision": revisions[0].revision,
        "card_missing": missing_fields(revisions[0].card),
        "mirrors": [
            {"target": each.target, "id": each.provider_id, "error": each.error}
            for each in registry.mirrors(version)
        ],
        "approvals": [_dated(item) for item in approvals],
        "alias_history": [
            _dated(move) for move in moves if version.number in (move["number"], move["from_number"])
        ],
    }


def _dated(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "at": record["at"].isoformat(timespec="seconds")}


def _print(version: "ModelVersion", found: dict[str, Any]) -> None:
    from isocenter.cli.model.version_json import metric_text

    missing = found["card_missing"]
    card = f"revision {found['card_revision']}, " + (f"{len(missing)} missing" if missing else "complete")
    facts = (
        ("aliases", ", ".join(found["aliases"])),
        ("registered", f"{found['created_at']} by {version.created_by}"),
        ("bundle", version.artifact_digest),
        ("files", version.artifact_uri),
        ("dataset", version.dataset_digest),
        ("run", version.run),
        ("card", card),
    )
    print_table(version.reference, ("", ""), facts)
    metrics = [(name, metric_text(value)) for name, value in version.metrics.items()]
    _print_if("Metrics on test images", ("metric", "value (95 % interval)"), metrics)
    mirrors = [tuple(mirror.values()) for mirror in found["mirrors"]]
    _print_if("Mirrors", ("target", "known there as", "why it waits"), mirrors)
    approvals = [(item["at"], item["alias"], item["actor"], item["reason"]) for item in found["approvals"]]
    _print_if("Approvals", ("at (UTC)", "alias", "by", "reason"), approvals)
    moves = [
        (move["at"], move["alias"], move["from_number"], move["number"], move["actor"], move["reason"])
        for move in found["alias_history"]
    ]
    _print_if("Alias moves", ("at (UTC)", "alias", "from", "to", "by", "reason"), moves)


def _print_if(title: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    if rows:
        print_table(title, columns, rows)
