"""Where Terraform works for an intent: the real cloud, or an emulator on this machine."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import open_home
from isocenter.targets.settings import Cloud
from isocenter_infra.change.intent import Intent
from isocenter_infra.terraform.binary import environment, find_terraform
from isocenter_infra.terraform.plugins import find_provider
from isocenter_infra.terraform.workspace import Workspace


@dataclass(frozen=True)
class Surroundings:
    """What an intent's document becomes, and where Terraform works on it.

    Args:
        document: to plan.
        workspace: where.
        left_out: what an emulator can't hold, with reasons.
        endpoints: of the emulator, for the descriptor.
    """

    document: Mapping[str, Any]
    workspace: Workspace
    left_out: Mapping[str, str]
    endpoints: Mapping[str, str]


def surroundings(intent: Intent, document: Mapping[str, Any], notice: Callable[[str], None]) -> Surroundings:
    """Find Terraform, and where ``intent`` is emulated, start the emulator and reduce ``document`` to it.

    Raises:
        EnvironmentFaultError: Terraform is missing, or the provider or the emulator.
        InputError: the cloud has no emulator.
    """
    terraform = find_terraform(os.environ)
    if not intent.emulate:
        installed = find_provider("aws", os.environ) if os.environ.get("TF_PLUGIN_DIR") else None
        return Surroundings(document, Workspace(intent.folder, terraform, environment(), installed), {}, {})
    if intent.settings.cloud is not Cloud.AWS:
        raise InputError(
            f"There is no emulator that Terraform's {intent.settings.cloud} provider can be applied to.",
            hint="For GCP and Azure: make synth and make policy show what can be shown without an account.",
        )
    return _emulated(intent, document, notice)


def _emulated(intent: Intent, document: Mapping[str, Any], notice: Callable[[str], None]) -> Surroundings:
    from isocenter_infra.emulator.aws import CREDENTIALS, emulated_document
    from isocenter_infra.emulator.server import ensure_server

    home = open_home()
    provider = find_provider("aws", os.environ, home.root / "provider-aws")
    if provider is None:
        raise EnvironmentFaultError(
            "The AWS provider is not on this machine.",
            hint="Set TF_PLUGIN_DIR to a folder that holds it (registry.terraform.io/hashicorp/aws/...).",
        )
    endpoint = ensure_server(home, notice)
    reduced, left_out = emulated_document(document, endpoint, provider.version)
    environ = environment() | CREDENTIALS
    environ.pop("AWS_PROFILE", None)
    workspace = Workspace(intent.folder, find_terraform(os.environ), environ, provider)
    return Surroundings(reduced, workspace, left_out, {"aws": endpoint})
