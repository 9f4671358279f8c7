"""Changes to a training plan from the command line: ``--set network.name=resnet18``."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


def override(plan: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A copy of ``plan`` with each ``dotted.field=value`` of ``settings``; values are read as YAML.

    Raises:
        click.BadParameter: a setting has no ``=`` or goes through something that is no mapping.
    """
    import copy

    import yaml

    changed = copy.deepcopy(dict(plan))
    for setting in settings:
        path, sign, text = setting.partition("=")
        if not sign or not path:
            raise click.BadParameter(f"{setting!r} is not FIELD=VALUE", param_hint="--set")
        *parents, last = path.split(".")
        try:
            _descend(changed, parents, setting)[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise click.BadParameter(f"the value in {setting!r} is not YAML", param_hint="--set") from error
    return changed


def _descend(value: dict[str, Any], parents: Sequence[str], setting: str) -> dict[str, Any]:
    for name in parents:
        inner = value.setdefault(name, {})
        if not isinstance(inner, dict):
            raise click.BadParameter(f"{name!r} in {setting!r} has no fields", param_hint="--set")
        value = inner
    return value
