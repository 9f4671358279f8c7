"""Options that every verb shares."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from isocenter.errors import InputError
from isocenter.targets.settings import Cloud
from isocenter.targets.settings_file import find_settings, read_settings
from isocenter_infra.change.intent import Intent

_Function = TypeVar("_Function", bound=Callable[..., Any])
LOCAL = "local"
_OPTIONS = (
    click.option("--cloud", type=click.Choice([*map(str, Cloud), LOCAL]), default="", help="Which cloud."),
    click.option("--name", default="", help="Deployment; needed where several are on one cloud."),
    click.option(
        "--deployments",
        type=click.Path(path_type=Path),
        default=Path("deployments"),
        show_default=True,
        help="Folder of settings files and descriptors.",
    ),
    click.option(
        "--outdir",
        type=click.Path(path_type=Path),
        default=Path("infra/cdktf.out"),
        show_default=True,
        help="Folder of synthesized documents and plans.",
    ),
)
emulate_option: Callable[[_Function], _Function] = click.option(
    "--emulate", is_flag=True, help="Against an emulated cloud on this machine (AWS)."
)


def deployment_options(function: _Function) -> _Function:
    """Which deployment, and where its files lie."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_intent(cloud: str, name: str, deployments: Path, outdir: Path, *, emulate: bool = False) -> Intent:
    """What the options say.

    Raises:
        NotFoundError: no such deployment.
        InputError: its settings file is wrong, more than one is meant, or it is this machine's own store.
    """
    if cloud == LOCAL:
        raise InputError(
            "The target local is a folder on this machine: no Terraform is needed, nothing is there to plan.",
            hint="make deploy CLOUD=local makes it.",
        )
    notice = partial(click.echo, err=True)
    settings = read_settings(find_settings(deployments, name=name, cloud=cloud, notice=notice))
    return Intent(settings, deployments, outdir, emulate)
