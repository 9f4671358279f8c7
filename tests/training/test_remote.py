"""URIs as directories of this machine: fetched once, checked, uploaded whole or not at all, tidied up."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isocenter.domain.digest import digest_tree
from isocenter.errors import EnvironmentFaultError, InputError, IntegrityError, TransientFaultError
from isocenter_training.contract import RunContext, detect, storage
from isocenter_training.contract.remote import at_hand
from isocenter_training.contract.storage import Place

Write = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A folder that stands for a bucket, with a dataset in it."""
    folder = tmp_path / "bucket" / "set" / "pixels"
    folder.mkdir(parents=True)
    (folder / "64.npy").write_bytes(b"pixels")
    (folder.parent / "dataset.json").write_text("{}")
    return tmp_path / "bucket"


@pytest.fixture
def context(store: Path, tmp_path: Path) -> RunContext:
    """A job whose every place is a URI."""
    environ = {f"ISOCENTER_{kind.upper()}_DIR": f"file://{store}/run/{kind}" for kind in ("model", "output")}
    environ |= {
        "ISOCENTER_INPUT_DATASET": f"file://{store}/set/",
        "ISOCENTER_CHECKPOINT_DIR": f"file://{store}/run/checkpoints",
        "ISOCENTER_SCRATCH": str(tmp_path / "scratch"),
        "ISOCENTER_RUN_ID": "01J",
    }
    return detect(environ)


def save(context: RunContext, text: str) -> None:
    (context.checkpoint_dir / "checkpoint.pt").write_text(text)
    context.checkpoint_saved()


def test_inputs_come_and_outputs_go_and_nothing_stays(context: RunContext, store: Path) -> None:
    with at_hand(context) as ready:
        assert (ready.input("dataset") / "pixels" / "64.npy").read_bytes() == b"pixels"
        (ready.model_dir / "models").mkdir()
        (ready.model_dir / "models" / "w").write_text("weights")
        (ready.output_dir / "metrics").write_text("1")
        digest = digest_tree(ready.model_dir)
        assert not (store / "run" / "model").exists()
    assert digest_tree(store / "run" / "model") == digest
    assert (store / "run" / "output" / "metrics").read_text() == "1"
    assert not context.remote.scratch.exists()


def test_nothing_goes_when_the_program_fails(context: RunContext, store: Path) -> None:
    with pytest.raises(ZeroDivisionError), at_hand(context) as ready:
        (ready.model_dir / "w").write_text("half")
        raise ZeroDivisionError
    assert not (store / "run" / "model").exists()
    assert not context.remote.scratch.exists()


def test_checkpoint_goes_at_once_and_comes_back(context: RunContext, store: Path) -> None:
    with pytest.raises(ZeroDivisionError), at_hand(context) as ready:
        for text in ("one", "two"):
            save(ready, text)
        raise ZeroDivisionError
    assert len([path for path in (store / "run" / "checkpoints").iterdir() if path.is_dir()]) == 1
    with at_hand(context) as ready:
        assert (ready.checkpoint_dir / "checkpoint.pt").read_text() == "two"


def test_checkpoint_that_was_cut_off_leaves_the_one_before(
    context: RunContext, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cut_off(place: Place, name: str, data: bytes) -> None:
        raise TransientFaultError("The storage went away.")

    with at_hand(context) as ready:
        save(ready, "one")
        monkeypatch.setattr(Place, "write", cut_off)
        save(ready, "two")
        monkeypatch.undo()
    assert capsys.readouterr().err == "A checkpoint was not copied: The storage went away.\n"
    with at_hand(context) as ready:
        assert (ready.checkpoint_dir / "checkpoint.pt").read_text() == "one"


def test_damaged_checkpoint_is_refused(context: RunContext, store: Path) -> None:
    with at_hand(context) as ready:
        save(ready, "one")
    (path,) = (store / "run" / "checkpoints").glob("*/checkpoint.pt")
    path.write_text("eno")
    with pytest.raises(IntegrityError, match="not what its list says"), at_hand(context):
        pass


@pytest.mark.parametrize(
    "latest",
    [
        "{",
        '{"folder": "../../set", "files": []}',
        '{"folder": "a", "files": [["../../../escaped", 1, "sha256:0"]]}',
    ],
)
def test_list_that_leads_elsewhere_is_refused(latest: str, context: RunContext, store: Path) -> None:
    (store / "run" / "checkpoints" / "a").mkdir(parents=True)
    (store / "run" / "checkpoints" / "latest.json").write_text(latest)
    with pytest.raises(IntegrityError), at_hand(context):
        pass
    assert not list(store.parent.rglob("escaped"))


def test_symbolic_link_among_the_inputs_is_refused(context: RunContext, store: Path) -> None:
    (store / "set" / "link").symlink_to("/etc/passwd")
    with pytest.raises(IntegrityError, match="leads out of its folder"), at_hand(context):
        pass
    assert not context.remote.scratch.exists()


def test_symbolic_link_among_the_outputs_is_refused(context: RunContext, store: Path) -> None:
    with pytest.raises(IntegrityError, match="symbolic link"), at_hand(context) as ready:
        (ready.model_dir / "w").symlink_to("/etc/passwd")
    assert not (store / "run" / "model").exists()


@pytest.mark.parametrize("name", ["../up", "a/../../up", "..", "a\\..\\b"])
def test_name_that_leads_out_is_refused(name: str) -> None:
    place = Place("memory://bucket/set")
    place._files.find = lambda root, detail: {f"{root}/{name}": {"size": 1, "type": "file"}}
    with pytest.raises(IntegrityError, match="leads out of its folder"):
        place.list()


def test_absent_input_is_named(context: RunContext, store: Path) -> None:
    elsewhere = replace(context.remote, inputs={"dataset": f"file://{store}/absent"})
    with (
        pytest.raises(InputError, match=r"nothing at file:.*absent"),
        at_hand(replace(context, remote=elsewhere)),
    ):
        pass


@pytest.mark.parametrize(
    ("fault", "kind", "told"),
    [
        (PermissionError("403"), EnvironmentFaultError, "may not use memory://bucket/set"),
        (OSError("503"), TransientFaultError, "can't be reached: OSError"),
    ],
)
def test_faults_of_the_storage_are_told_in_the_users_terms(
    fault: Exception, kind: type[Exception], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(path: str) -> bytes:
        tries.append(path)
        raise fault

    monkeypatch.setattr(storage, "_WAITS_S", (0.0, 0.0))
    place = Place("memory://bucket/set")
    place._files.cat_file = fail
    with pytest.raises(kind, match=told):
        place.read("x")
    assert len(tries) == (1 if kind is EnvironmentFaultError else 3)


def test_scheme_without_a_file_system_is_named() -> None:
    with pytest.raises(InputError, match="carrier-pigeon://"):
        Place("carrier-pigeon://loft")


def test_bucket_is_read_where_it_is_mounted(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_GCS_ROOT", str(store.parent))
    assert set(Place("gs://bucket/set", mounted=True).list()) == {"dataset.json", "pixels/64.npy"}


def test_processes_of_one_machine_fetch_once_and_the_last_one_tidies_up(
    context: RunContext, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    get = Place.get
    together, apart = threading.Barrier(3), threading.Barrier(3)
    found: dict[int, Any] = {}

    def count(place: Place, name: str, path: Path) -> None:
        fetched.append(name)
        get(place, name, path)

    def work(rank: int) -> None:
        with at_hand(replace(context, rank=rank, world_size=3)) as ready:
            together.wait(30)
            found[rank] = (ready.input("dataset") / "dataset.json").read_text()
            (ready.output_dir / f"of-{rank}").touch()
            apart.wait(30)

    monkeypatch.setattr(Place, "get", count)
    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(fetched) == ["dataset.json", "pixels/64.npy"]
    assert found == {0: "{}", 1: "{}", 2: "{}"}
    assert not context.remote.scratch.exists()
    assert (store / "run" / "output" / "of-0").exists()


def test_input_that_changed_is_fetched_again(context: RunContext, store: Path) -> None:
    with at_hand(context) as ready, at_hand(context):
        (store / "set" / "dataset.json").write_text('{"changed": true}')
        with at_hand(replace(context, rank=1, world_size=2)) as other:
            assert "changed" in (other.input("dataset") / "dataset.json").read_text()
        assert ready.remote.scratch.exists()


def test_scratch_of_somebody_else_is_refused(context: RunContext, tmp_path: Path) -> None:
    context.remote.scratch.parent.mkdir()
    context.remote.scratch.symlink_to(tmp_path)
    with pytest.raises(EnvironmentFaultError, match="belongs to somebody else"), at_hand(context):
        pass


def test_whole_model_is_marked_with_its_digest(context: RunContext, tmp_path: Path) -> None:
    elsewhere = replace(
        context.remote, outputs={**context.remote.outputs, "model": "memory://bucket/1/model"}
    )
    with at_hand(replace(context, remote=elsewhere)) as ready:
        (ready.model_dir / "w").write_text("weights")
        digest = digest_tree(ready.model_dir)
    place = Place("memory://bucket/1")
    assert set(place.list()) == {"model/w", "model.complete"}
    assert json.loads(place.read("model.complete") or b"")["digest"] == digest
