"""The example deployments, read."""

from pathlib import Path

from isocenter.targets.settings import DeploymentSettings
from isocenter.targets.settings_file import find_settings, read_settings

DEPLOYMENTS = Path(__file__).parents[1] / "deployments"


def example(cloud: str) -> DeploymentSettings:
    """The example deployment on ``cloud``."""
    return read_settings(find_settings(DEPLOYMENTS, cloud=cloud))
