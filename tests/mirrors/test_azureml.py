"""ModelVersions as models of an Azure ML workspace, by azure-ai-ml against the emulated Azure."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from isocenter.backends.azureml_client import open_client
from isocenter.errors import EnvironmentFaultError, InputError, PolicyError, TransientFaultError
from isocenter.mirrors.azureml import AzureMLMirror, model_fields, model_name
from isocenter.mirrors.base import Mirror, MirroredVersion, load_mirror
from isocenter.targets.descriptor import DeploymentDescriptor

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from azure_needs import needs_azure
from emulated import no_faults

# The SDK's way of reading YAML is outdated; that is its makers' affair.
pytestmark = pytest.mark.filterwarnings("ignore:The `context` parameter is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    needs_azure()
    from isocenter.emulators.azure.emulator import AzureEmulator

    emulator = AzureEmulator(tmp_path_factory.mktemp("azure"), ["/bin/true"])
    yield emulator.start("azure-emulated", 0)
    emulator.close()


@pytest.fixture
def target(running: DeploymentDescriptor) -> Iterator[DeploymentDescriptor]:
    yield running
    no_faults(running.endpoints["azure"])


@pytest.fixture
def mirror(target: DeploymentDescriptor) -> AzureMLMirror:
    return AzureMLMirror(target)


def version(number: int, target: DeploymentDescriptor, **changes: Any) -> MirroredVersion:
    values: dict[str, Any] = {
        "name": "chest-xray",
        "number": number,
        "digest": "sha256:" + f"{number:02d}" * 32,
        "artifact_uri": f"{target.buckets['models']}/artifacts/{number}",
        "metrics": {"auroc": 0.958, "sensitivity": 0.9},
        "labels": {"dataset": "sha256:" + "ab" * 32, "run": "01JCZZ", "empty": ""},
    }
    return MirroredVersion(**(values | changes))


def shown(target: DeploymentDescriptor, number: int) -> Any:
    """The version as a client of the workspace sees it."""
    return open_client(target).models.get("chest-xray", str(number))


def test_the_mirror_is_found_by_its_backend(target: DeploymentDescriptor) -> None:
    assert isinstance(load_mirror("azureml", target), Mirror)


def test_a_version_is_registered_once(mirror: AzureMLMirror, target: DeploymentDescriptor) -> None:
    found = {mirror.register(version(1, target)), mirror.register(version(1, target))}
    assert len(found) == 1
    model = shown(target, 1)
    assert {model.id} == found
    assert model.id.endswith("/workspaces/emulated/models/chest-xray/versions/1")
    assert model.path.endswith("/datastores/isocenter_models/paths/artifacts/1")
    assert model.type == "custom_model"
    assert model.properties == {
        "isocenter-version": "1",
        "isocenter-digest": version(1, target).digest,
        "metric-auroc": "0.958",
        "metric-sensitivity": "0.9",
    }
    labels = {"dataset": "sha256:" + "ab" * 32, "run": "01JCZZ", "isocenter-approved": "no"}
    assert model.tags == {**target.labels, **labels}
    assert mirror.register(version(2, target)) not in found


def test_another_model_under_the_same_number_is_refused(
    mirror: AzureMLMirror, target: DeploymentDescriptor
) -> None:
    mirror.register(version(1, target))
    with pytest.raises(InputError, match="is another model"):
        mirror.register(version(1, target, digest="sha256:" + "ff" * 32))


def test_a_registration_whose_answer_was_lost_is_found(
    mirror: AzureMLMirror, target: DeploymentDescriptor
) -> None:
    fault(target, method="PUT", path="/models/", drop="after")
    with pytest.raises(TransientFaultError):
        mirror.register(version(6, target))
    assert mirror.register(version(6, target)) == shown(target, 6).id


def test_approval(mirror: AzureMLMirror, target: DeploymentDescriptor) -> None:
    model = mirror.register(version(3, target))
    mirror.set_approval(model, True)
    tags = shown(target, 3).tags
    assert tags["isocenter-approved"] == "yes"
    assert tags["run"] == "01JCZZ", "other tags stay"
    for _ in range(2):
        mirror.set_approval(model, False)
        assert shown(target, 3).tags["isocenter-approved"] == "no"


def test_a_reason_that_an_earlier_version_sent_is_taken_back(
    mirror: AzureMLMirror, target: DeploymentDescriptor
) -> None:
    model = mirror.register(version(8, target))
    sent = shown(target, 8)
    sent.tags = {**sent.tags, "isocenter-approval-reason": "Because of Mrs. X."}
    open_client(target).models.create_or_update(sent)
    mirror.set_approval(model, True)
    assert "isocenter-approval-reason" not in shown(target, 8).tags


def aliases(target: DeploymentDescriptor, number: int) -> set[str]:
    begin = "isocenter-alias-"
    return {tag.removeprefix(begin) for tag in shown(target, number).tags if tag.startswith(begin)}


def test_an_alias_is_one_versions(mirror: AzureMLMirror, target: DeploymentDescriptor) -> None:
    old, new = mirror.register(version(4, target)), mirror.register(version(5, target))
    mirror.set_aliases(old, frozenset({"champion", "shadow"}))
    assert (aliases(target, 4), aliases(target, 5)) == ({"champion", "shadow"}, set())
    # What somebody has put away in the studio loses its alias too.
    open_client(target).models.archive("chest-xray", "4")
    for _ in range(2):
        mirror.set_aliases(new, frozenset({"champion"}))
        assert (aliases(target, 4), aliases(target, 5)) == ({"shadow"}, {"champion"})
    mirror.set_aliases(old, frozenset())
    assert (aliases(target, 4), aliases(target, 5)) == (set(), {"champion"})


def test_what_is_no_version_of_the_workspace_is_refused(mirror: AzureMLMirror) -> None:
    for wrong in ("projects/p/models/1@2", "/workspaces/other/models/chest-xray/versions/1"):
        with pytest.raises(InputError, match="is no model in the workspace"):
            mirror.set_aliases(wrong, frozenset())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, TransientFaultError),
        (503, TransientFaultError),
        (403, PolicyError),
        (401, EnvironmentFaultError),
    ],
)
def test_refusals_in_the_users_terms(
    mirror: AzureMLMirror, target: DeploymentDescriptor, status: int, kind: type[Exception]
) -> None:
    fault(target, method="PUT", path="/models/", status=status)
    with pytest.raises(kind):
        mirror.register(version(7, target))


def test_a_registry_that_is_down_is_asked_again_later(target: DeploymentDescriptor) -> None:
    away = target.model_copy(update={"endpoints": {"azure": "http://127.0.0.1:9"}})
    with pytest.raises(TransientFaultError):
        AzureMLMirror(away).register(version(1, away))


def test_names_and_places(running: DeploymentDescriptor) -> None:
    assert [model_name(name) for name in ("a.b_c-1", "thorax/ünd", "-x")] == ["a.b_c-1", "thorax--nd", "m-x"]
    with pytest.raises(InputError, match="s3://"):
        model_fields(version(1, running, artifact_uri="s3://bucket/x"), running)


def fault(target: DeploymentDescriptor, **wanted: Any) -> None:
    """Ask the emulator for a fault (:mod:`isocenter.emulators.web_server`)."""
    address = f"{target.endpoints['azure']}/emulator/faults"
    with urlopen(Request(address, json.dumps(wanted).encode(), method="POST"), timeout=10):
        pass
