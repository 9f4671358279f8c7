"""An emulated cloud as a target: its deployment descriptor, where descriptors lie."""

from pathlib import Path
from urllib.parse import urlsplit

from isocenter.errors import IsocenterError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes
from isocenter.targets.catalogue import deployments_folder
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.probe import EMULATED


def emulated_name(cloud: str) -> str:
    """Name of the target that ``isocenter emulate CLOUD`` makes."""
    return f"{cloud}{EMULATED}"


def emulated_labels(name: str) -> dict[str, str]:
    """Labels of the emulated target ``name``: the keys that a deployment's resources have."""
    return {
        "application": "isocenter",
        "deployment": name,
        "environment": "emulated",
        "owner": "emulated",
        "data-classification": "synthetic",
    }


def descriptor_path(home: Home, cloud: str) -> Path:
    """Where the descriptor of the emulated ``cloud`` lies, or will."""
    return deployments_folder(home).absolute() / f"{emulated_name(cloud)}.json"


def write_descriptor(home: Home, cloud: str, descriptor: DeploymentDescriptor) -> Path:
    """Make the emulated cloud a target from now on; an older one of that name is replaced.

    The file stays when the emulator ends: the next one takes the same port, and runs go on.
    """
    path = descriptor_path(home, cloud)
    write_bytes(path, (descriptor.model_dump_json(indent=2) + "\n").encode())
    return path


def known_port(home: Home, cloud: str) -> int:
    """The port of the last emulator of this kind; 0 if there was none."""
    try:
        descriptor = load_descriptor(descriptor_path(home, cloud))
    except IsocenterError:
        return 0
    if not descriptor.emulated:
        return 0
    return urlsplit(descriptor.endpoints.get(descriptor.provider, "")).port or 0
