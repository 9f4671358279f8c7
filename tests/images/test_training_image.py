"""The training image, built as users build it and run as each service runs it: one set, one bundle.

Buildah builds it on a Debian that mmdebstrap makes here, in a store of the test's own; nothing of it stays.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from image_building import Buildah, Container
from service_contracts import (
    PARAMETERS,
    SERVICES,
    TORCHRUN,
    TORCHRUN_ENVIRONMENT,
    Job,
    dicom_dataset,
    gcs_service,
    s3_service,
    wait_for_step,
)

from isocenter.domain.digest import digest_tree
from isocenter_training.signals import STOPPED_EXIT_CODE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REPOSITORY = Path(__file__).parents[2]
_MIDDLE = 12
# One with directories, one with an object store; test_services.py stops the program under every service.
_STOPPED = ("sagemaker", "vertex")
_ADDRESSES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX")


@pytest.fixture(scope="module")
def image(buildah: Buildah, base: str) -> str:
    """What ``make image`` made: its id."""
    return buildah.make_image("training", base)


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> Container:
    return buildah.container(image)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dicom_dataset(tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def job(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Job]]:
    """Makes the job for a service; object stores run beside it."""
    with s3_service() as s3, gcs_service(tmp_path_factory.mktemp("gcs")) as gcs:

        def make(service: str) -> Job:
            root = tmp_path_factory.mktemp("run-" + service)
            return Job(root, dataset, PARAMETERS, in_image=True, s3=s3, gcs=gcs)

        yield make


@pytest.fixture(scope="module")
def by_torchrun(container: Container, job: Callable[[str], Job]) -> str:
    """Digest of the bundle that two processes of torchrun leave, never stopped."""
    start = job("torchrun").on("local")
    command = [container.entry_point[0], *TORCHRUN, *container.entry_point[1:]]
    told = replace(start, environment={**start.environment, **TORCHRUN_ENVIRONMENT})
    with container.started(told, command) as process:
        code, errors = process.wait(200)
    assert code == 0, errors
    assert "process 0 of 2" in errors
    return digest_tree(start.model())


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_leaves_the_bundle_of_torchrun(
    service: str, container: Container, job: Callable[[str], Job], by_torchrun: str
) -> None:
    start = job(service).on(service)
    if service in _STOPPED:
        with container.started(start) as process:
            wait_for_step(process.client, _MIDDLE)
            process.signal(signal.SIGTERM)
            code, errors = process.wait()
        assert code == STOPPED_EXIT_CODE, errors
    with container.started(start) as process:
        code, errors = process.wait()
    assert code == 0, errors
    assert f"Service: {service} (" in errors
    assert ("Continuing from the checkpoint" in errors) == (service in _STOPPED)
    assert digest_tree(start.model()) == by_torchrun


def test_image_says_what_it_is_and_is_not_root(buildah: Buildah, base: str, image: str) -> None:
    facts = json.loads(buildah("inspect", "--type", "image", image.removeprefix("sha256:")))
    config = facts["OCIv1"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/isocenter/bin/python", "-m", "isocenter_training"]
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
    commit = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    assert labels["revision"] == _said(*commit)
    created = int(_said("git", "log", "-1", "--format=%ct"))
    assert labels["created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    assert facts["OCIv1"]["created"] == labels["created"]
    assert (labels["title"], labels["variant"], labels["name"]) == ("isocenter-training", "cpu", base)


def test_packages_are_pinned_and_listed(container: Container) -> None:
    listed = json.loads((container.root / "usr/share/isocenter/packages.cdx.json").read_text())
    versions = {each["name"]: each["version"] for each in listed["components"]}
    assert versions["torch"] == "2.13.0+cpu"
    rows = re.findall(r"^([\w.-]+)==([\w.+!-]+)", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    for name, version in rows:
        assert versions.get(name, version).startswith(version), name
    assert not (container.root / "opt/isocenter/bin/pip").exists()


def test_nothing_of_the_build_is_left(buildah: Buildah, image: str, container: Container) -> None:
    for path in ("source", "cache", "tools", "wheels", "run/secrets/index", "run/secrets/ca", "root/.cache"):
        assert not (container.root / path).exists(), path
    addresses = {os.environ[name] for name in _ADDRESSES if os.environ.get(name)}
    record = buildah("inspect", "--type", "image", image.removeprefix("sha256:"))
    for address in addresses:
        assert address not in record
        folders = [str(container.root / name) for name in ("opt/isocenter", "usr/share/isocenter", "etc")]
        found = subprocess.run(
            ["grep", "-rlIF", "--exclude=*.py", "-e", address, *folders],
            capture_output=True,
            text=True,
        )
        assert not found.stdout, address


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
