"""Whether a file is in a bucket, asked of each cloud's emulated storage without what carries files."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator

from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files
from isocenter.targets.quick_look import is_surely_there

NEEDS = {
    "aws": ("moto", "obstore"),
    "azure": ("azure.storage.blob",),
    "gcp": ("gcp_storage_emulator",),
    "kubernetes": ("moto", "obstore", "kubernetes_validate"),
}
MARK = "complete/datasets/ab"


@pytest.fixture(scope="module", params=sorted(NEEDS))
def target(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DeploymentDescriptor]:
    cloud = request.param
    for package in NEEDS[cloud]:
        pytest.importorskip(package, reason=f"LACKS: {package}; make setup EXTRAS={cloud},{cloud}-emulator")
    with emulator(cloud, tmp_path_factory.mktemp(cloud) / "store", ["/bin/true"]) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    """A hospital's own object store: real as far as Isocenter knows, so its credentials come by the chain."""
    for package in NEEDS["aws"]:
        pytest.importorskip(package, reason=f"LACKS: {package}; make setup EXTRAS=aws,aws-emulator")
    with emulator("aws", tmp_path_factory.mktemp("site") / "store", ["/bin/true"]) as printed:
        emulated = load_descriptor(Path(printed["descriptor"]))
        uri = f"{emulated.buckets['data']}/{MARK}"
        target_files(emulated, uri).pipe_file(uri, b"")
        yield DeploymentDescriptor(
            name="hospital",
            provider="onprem",
            backend="kubernetes",
            buckets=emulated.buckets,
            endpoints={"object-store": emulated.endpoints["aws"]},
        )


def test_it_tells_what_is_there_from_what_is_not(target: DeploymentDescriptor) -> None:
    uri = f"{target.buckets['data']}/{MARK}"
    assert not is_surely_there(target, uri)
    target_files(target, uri).pipe_file(uri, b"")
    assert is_surely_there(target, uri)
    assert not is_surely_there(target, uri[:-1])
    assert not is_surely_there(target, f"{uri}/more")


def test_storage_that_does_not_answer_is_left_to_the_file_system(target: DeploymentDescriptor) -> None:
    nobody = dict.fromkeys(target.endpoints, "http://127.0.0.1:9/devstoreaccount1")
    gone = target.model_copy(update={"endpoints": nobody})
    assert not is_surely_there(gone, f"{target.buckets['data']}/{MARK}")


def test_a_mounted_share_is_left_to_the_file_system(target: DeploymentDescriptor, tmp_path: Path) -> None:
    assert not is_surely_there(target, f"file://{tmp_path}")


def test_credentials_are_those_of_a_profile(
    site: DeploymentDescriptor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{site.buckets['data']}/{MARK}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert not is_surely_there(site, uri), "nobody gave credentials"
    (tmp_path / "credentials").write_text(
        "[hospital]\naws_access_key_id = emulated\naws_secret_access_key = emulated\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "hospital")
    assert is_surely_there(site, uri)
