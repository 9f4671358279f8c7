"""Which program applies changes: terraform or tofu, whichever is there."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from isocenter.errors import EnvironmentFaultError

# The first versions that take arguments without storing them; both lock a state in S3 without a table.
LEAST_VERSION = (1, 11)
_LEAST = ".".join(str(part) for part in LEAST_VERSION)


@dataclass(frozen=True)
class Terraform:
    """A program that speaks Terraform's language.

    Args:
        path: of the program.
        product: ``terraform`` or ``tofu``.
        version: e.g. ``1.11.4``.
    """

    path: str
    product: str
    version: str


def find_terraform(environ: Mapping[str, str]) -> Terraform:
    """``$ISOCENTER_TERRAFORM``, terraform or tofu, in this order.

    Raises:
        EnvironmentFaultError: there is none, or it is too old.
    """
    names = [environ["ISOCENTER_TERRAFORM"]] if environ.get("ISOCENTER_TERRAFORM") else ["terraform", "tofu"]
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        raise EnvironmentFaultError(
            f"Neither terraform nor tofu is on the PATH; {_LEAST} or newer is needed.",
            hint="Install OpenTofu (https://opentofu.org/docs/intro/install) or Terraform, or set"
            " ISOCENTER_TERRAFORM to the program.",
        )
    said = subprocess.run(
        [path, "version", "-json"], capture_output=True, text=True, env=environment(environ), check=False
    ).stdout
    try:
        version = json.loads(said)["terraform_version"]
    except (ValueError, KeyError) as error:
        raise EnvironmentFaultError(f"{path} doesn't answer as Terraform does.") from error
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2]) < LEAST_VERSION:
        raise EnvironmentFaultError(
            f"{path} is version {version}; {_LEAST} or newer is needed.",
            hint="Install a newer one, or set ISOCENTER_TERRAFORM to it.",
        )
    return Terraform(path, "tofu" if Path(path).name.startswith("tofu") else "terraform", version)


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that a run gets: no questions, no calls home, no configuration file that isn't there."""
    kept = dict(os.environ if environ is None else environ)
    configuration = kept.get("TF_CLI_CONFIG_FILE")
    if configuration and not Path(configuration).exists():
        del kept["TF_CLI_CONFIG_FILE"]
    # Each run reads the provider's table of a whole cloud several times over: to collect garbage less often
    # spares a quarter of a plan's processor time, for a third more memory.
    kept.setdefault("GOGC", "400")
    return kept | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
