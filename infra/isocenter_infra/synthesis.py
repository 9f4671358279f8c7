"""From settings to Terraform's JSON: ``cdk.tf.json``, with the place in our sources of each resource."""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from isocenter.domain.digest import digest_bytes
from isocenter.errors import EnvironmentFaultError
from isocenter.storage.atomic import write_bytes
from isocenter.targets.settings import Cloud
from isocenter_infra.bindings.kernel import prepare_bindings
from isocenter_infra.bindings.submodules import used_submodules
from isocenter_infra.deployment import Deployment

FILE_NAME = "cdk.tf.json"
# The first versions that take arguments without storing them; both lock a state in S3 without a table.
_TARGETS = {"terraform": ">=1.11.0", "opentofu": ">=1.11.0"}
# Names of a cloud's stack: the deployment itself, and the bucket that holds its Terraform state.
STACKS = {
    ("main", Cloud.AWS): ("isocenter_infra.aws.stack", "AwsStack"),
    ("main", Cloud.GCP): ("isocenter_infra.gcp.stack", "GcpStack"),
    ("main", Cloud.AZURE): ("isocenter_infra.azure.stack", "AzureStack"),
    ("main", Cloud.ONPREM): ("isocenter_infra.onprem.stack", "OnpremStack"),
    ("state", Cloud.AWS): ("isocenter_infra.aws.state", "AwsState"),
    ("state", Cloud.GCP): ("isocenter_infra.gcp.state", "GcpState"),
    ("state", Cloud.AZURE): ("isocenter_infra.azure.state", "AzureState"),
    ("state", Cloud.ONPREM): ("isocenter_infra.onprem.state", "OnpremState"),
}


def as_text(document: Mapping[str, Any]) -> bytes:
    """A document as it is written; equal ones give equal bytes."""
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def stack_submodules(cloud: Cloud) -> Mapping[str, tuple[str, ...]]:
    """Submodules of the bindings that a cloud's stacks use, by provider."""
    here = Path(__file__).parent
    # What the clouds share is operators of a cluster, which a hospital's brings itself.
    shared = () if cloud is Cloud.ONPREM else here.glob("*.py")
    return used_submodules([*shared, *(here / cloud).glob("*.py")])


@dataclass(frozen=True)
class Synthesis:
    """What a synthesis made.

    Args:
        stack: name of the stack.
        document: Terraform's JSON.
    """

    stack: str
    document: dict[str, Any]

    @property
    def text(self) -> bytes:
        """The document as it is written: the same settings and code give the same bytes."""
        return as_text(self.document)

    @property
    def digest(self) -> str:
        """Digest of the text."""
        return digest_bytes(self.text)

    def write(self, outdir: Path) -> Path:
        """Write ``stacks/<stack>/cdk.tf.json`` under ``outdir`` and return its path."""
        path = outdir / "stacks" / self.stack / FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, self.text)
        return path


def synthesize(
    deployment: Deployment,
    notice: Callable[[str], None],
    *,
    stack: str = "main",
    whole_bindings: bool = False,
) -> Synthesis:
    """Make the Terraform JSON of ``deployment``. No cloud, no credentials, no network.

    Args:
        deployment: what to provision.
        notice: is told what takes long.
        stack: ``main``, or ``state`` for the bucket of the Terraform state.
        whole_bindings: load the providers' bindings whole: slower, and the same bytes.

    Raises:
        EnvironmentFaultError: the bindings or Node.js are missing.
    """
    module_name, class_name = STACKS[stack, deployment.settings.cloud]
    used = stack_submodules(deployment.settings.cloud)
    _require_bindings(deployment.settings.cloud, used)
    prepare_bindings(used, notice, whole=whole_bindings)
    from isocenter_infra.bindings.construct_source import watched_constructs

    with watched_constructs() as watched, tempfile.TemporaryDirectory() as outdir:
        from cdktn import App

        app = App(outdir=outdir, context={"targetVersions": _TARGETS})
        made = getattr(import_module(module_name), class_name)(app, deployment)
        app.synth()
        name = made.node.id
        document = json.loads((Path(outdir) / "stacks" / name / FILE_NAME).read_bytes())
        places = watched.by_path()
    for metadata in _metadata(document):
        metadata["source"] = places.get(metadata["path"], "")
    return Synthesis(name, document)


def _require_bindings(cloud: Cloud, providers: Iterable[str]) -> None:
    missing = [name for name in providers if find_spec(f"cdktn_provider_{name}") is None]
    if missing or find_spec("cdktn") is None:
        raise EnvironmentFaultError(
            f"The bindings of {', '.join(missing) or 'cdktn'} are not installed.",
            hint=f"make synth CLOUD={cloud} installs them; or pip install 'isocenter-infra[{cloud}]'.",
        )


def _metadata(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The metadata of each resource and data source."""
    for kind in ("resource", "data"):
        for named in document.get(kind, {}).values():
            for body in named.values():
                yield body["//"]["metadata"]
