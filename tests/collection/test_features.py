"""Captured features on their way to a target's bucket: S3 as moto answers it, and a mounted share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("moto", reason="LACKS: moto; pip install 'isocenter[aws-emulator]'")

sys.path.insert(0, str(Path(__file__).parents[1] / "emulators"))
from emulated import emulator

from isocenter.collection import Collected, collect
from isocenter.collection.features import features_place
from isocenter.errors import TransientFaultError
from isocenter.home import Home
from isocenter.targets.descriptor import DeploymentDescriptor, load_descriptor
from isocenter.targets.file_system import target_files
from isocenter.targets.target import LOCAL, Target


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentDescriptor]:
    with emulator("aws", tmp_path_factory.mktemp("aws") / "store", ["/bin/true"]) as printed:
        yield load_descriptor(Path(printed["descriptor"]))


@pytest.fixture(params=["s3", "share"])
def descriptor(request: pytest.FixtureRequest, tmp_path: Path) -> DeploymentDescriptor:
    if request.param == "share":
        return DeploymentDescriptor(
            name="hospital-a",
            provider="onprem",
            backend="local",
            buckets={"data": f"file://{tmp_path}/share"},
        )
    found: DeploymentDescriptor = request.getfixturevalue("emulated")
    return found


def target_of(descriptor: DeploymentDescriptor) -> Target:
    return Target("here", "local", "onprem", settings={"descriptor": descriptor.model_dump(mode="json")})


def ready(folder: Path, *names: str) -> list[Path]:
    paths = [folder / "features" / "ready" / f"{name}.jsonl" for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{{"request": "{path.stem}"}}\n')
    return paths


def shipped(descriptor: DeploymentDescriptor, endpoint: str) -> dict[str, bytes]:
    place = features_place(descriptor, endpoint)
    files = target_files(descriptor, place)
    if not files.exists(place):
        return {}
    return {name.rpartition("/")[2]: files.cat_file(name) for name in files.ls(place, detail=False)}


def test_they_are_in_the_bucket_and_no_more_here(
    home: Home, tmp_path: Path, descriptor: DeploymentDescriptor
) -> None:
    name = f"whole-{tmp_path.name[:8].strip('_')}"
    paths = ready(tmp_path / "one", "a", "b") + ready(tmp_path / "two", "c")
    (paths[0].parents[1] / "open").mkdir()
    still_open = paths[0].parents[1] / "open" / "d.jsonl"
    still_open.write_text("{}\n")
    content = {path.name: path.read_bytes() for path in paths}
    folders = [tmp_path / "one", tmp_path / "two"]
    assert collect(home, target_of(descriptor), name, folders) == Collected(files=3)
    assert shipped(descriptor, name) == content
    assert not [path for path in paths if path.exists()]
    assert still_open.exists()
    assert collect(home, target_of(descriptor), name, folders) == Collected()


def test_one_that_was_shipped_before_a_kill_is_only_removed(
    home: Home, tmp_path: Path, descriptor: DeploymentDescriptor
) -> None:
    (path,) = ready(tmp_path / "one", "a")
    content = path.read_bytes()
    collect(home, target_of(descriptor), "again", [tmp_path / "one"])
    path.write_bytes(content)
    assert collect(home, target_of(descriptor), "again", [tmp_path / "one"]).files == 1
    assert shipped(descriptor, "again") == {"a.jsonl": content}
    assert not path.exists()


def test_one_that_was_half_shipped_is_shipped_again(
    home: Home, tmp_path: Path, descriptor: DeploymentDescriptor
) -> None:
    (path,) = ready(tmp_path / "one", "a")
    content, place = path.read_bytes(), features_place(descriptor, "half")
    files = target_files(descriptor, place)
    files.makedirs(place, exist_ok=True)
    files.pipe_file(f"{place}/a.jsonl", content[:5])
    collect(home, target_of(descriptor), "half", [tmp_path / "one"])
    assert shipped(descriptor, "half") == {"a.jsonl": content}


def test_without_a_bucket_they_stay(home: Home, tmp_path: Path) -> None:
    (path,) = ready(tmp_path, "a")
    assert collect(home, LOCAL, "chest", [tmp_path]) == Collected(left=1)
    assert path.exists()


def test_where_the_bucket_can_not_be_reached_they_stay(
    home: Home, tmp_path: Path, emulated: DeploymentDescriptor
) -> None:
    (path,) = ready(tmp_path, "a")
    away = emulated.model_copy(update={"buckets": {"data": "s3://no-such-bucket-anywhere/x"}})
    with pytest.raises(TransientFaultError, match="shipped"):
        collect(home, target_of(away), "chest", [tmp_path])
    assert path.exists()
