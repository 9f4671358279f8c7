"""The local backend runs an image: here with buildah, on a small one that this test builds."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from isocenter.backends import load_backend
from isocenter.backends.local import LocalBackend
from isocenter.backends.oci_runtime import ImageRun, start_command
from isocenter.domain.run import JobState, new_run_id
from isocenter.domain.training_job import Compute, TrainingJob
from isocenter.errors import EnvironmentFaultError, InputError, JobFailedError
from isocenter.home import Home

sys.path.insert(0, str(Path(__file__).parent))
from contract import descendants_alive, wait, wait_for

LACKS = "LACKS: "
DIGEST = "sha256:" + "5" * 64
IMAGE = f"registry.example/training@{DIGEST}"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image of one static shell, by digest; its entry point runs its first argument."""
    shell = shutil.which("busybox")
    if not shutil.which("buildah") or not shell or os.getuid():
        pytest.skip(f"{LACKS}buildah and busybox-static, run as root: images were not run")
    patch = pytest.MonkeyPatch()
    patch.setenv("STORAGE_DRIVER", "vfs")
    patch.setenv("BUILDAH_ISOLATION", "chroot")
    name = f"localhost/isocenter-test-{os.getpid()}"
    root = tmp_path_factory.mktemp("image")
    (root / "bin").mkdir()
    for program in ("sh", "busybox"):
        shutil.copy(shell, root / "bin" / program)
    (root / "tmp").mkdir(mode=0o1777)
    container = buildah("from", "scratch")
    buildah("add", "--quiet", container, str(root), "/")
    buildah("config", "--entrypoint", '["/bin/sh", "-c"]', "--env", "OF_THE_IMAGE=yes", container)
    buildah("commit", "--quiet", container, name)
    buildah("rm", container)
    digest = buildah("inspect", "--type", "image", "--format", "{{.FromImageDigest}}", name)
    yield f"{name}@{digest}"
    buildah("rmi", name)
    patch.undo()


def buildah(*words: str) -> str:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def job(image: str, script: str, **more: object) -> TrainingJob:
    return TrainingJob("program", (script,), image=image, **more)  # type: ignore[arg-type]


class TestImage:
    @pytest.fixture
    def backend(self, home: Home) -> LocalBackend:
        backend = load_backend("local", home, {"oci_runtime": "buildah", "stop_grace_s": 20})
        assert isinstance(backend, LocalBackend)
        return backend

    def test_runs_under_the_contract(
        self, backend: LocalBackend, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        (tmp_path / "set").mkdir()
        (tmp_path / "set" / "f").write_text("pixels")
        script = (
            "busybox env; busybox id -u; busybox cat $ISOCENTER_INPUT_DATASET/f; echo;"
            "echo x > $ISOCENTER_INPUT_DATASET/f; echo weights > $ISOCENTER_MODEL_DIR/w;"
            "echo 3 > $ISOCENTER_CHECKPOINT_DIR/epoch; busybox ip -o link"
        )
        asked = job(
            image,
            script,
            inputs={"dataset": str(tmp_path / "set")},
            parameters={"a": [1, "é\n$(HOME)"]},
            environment={"OMP_NUM_THREADS": "2"},
        )
        handle = backend.submit(backend.plan(asked, new_run_id()))
        assert wait(backend, handle).state is JobState.SUCCEEDED
        lines = list(backend.logs(handle))
        variables = dict(line.split("=", 1) for line in lines if "=" in line)
        assert variables["ISOCENTER_RUN_ID"] == handle.run
        assert json.loads(variables["ISOCENTER_PARAMETERS"]) == {"a": [1, "é\n$(HOME)"]}
        assert (variables["OMP_NUM_THREADS"], variables["OF_THE_IMAGE"]) == ("2", "yes")
        assert "hunter2" not in "".join(lines)
        assert "10001" in lines
        assert "pixels" in lines
        assert (tmp_path / "set" / "f").read_text() == "pixels"
        assert any("Read-only file system" in line for line in lines)
        assert not [line for line in lines if "LOWER_UP" in line], "no network that is up"
        (model,) = backend.outputs(handle)
        assert (Path(model.uri) / "w").read_text() == "weights\n"

    def test_failure_says_why(self, backend: LocalBackend, image: str) -> None:
        script = "echo noise; echo; echo 'The disk'; echo 'is flat.'; exit 7"
        handle = backend.submit(backend.plan(job(image, script), new_run_id()))
        status = wait(backend, handle)
        assert (status.state, status.exit_code, status.reason) == (JobState.FAILED, 7, "The disk\nis flat.")
        assert list(backend.logs(handle)) == ["noise", "", "The disk", "is flat."]
        with pytest.raises(JobFailedError):
            backend.outputs(handle)

    def test_cancel_lets_the_program_save(self, backend: LocalBackend, image: str, home: Home) -> None:
        script = (
            "trap 'busybox sleep 0.3; echo yes > $ISOCENTER_CHECKPOINT_DIR/saved; exit 143' TERM;"
            "echo up > $ISOCENTER_OUTPUT_DIR/up; while true; do busybox sleep 0.05; done"
        )
        submission = backend.plan(job(image, script), new_run_id())
        handle = backend.submit(submission)
        wait_for(home.runs / handle.run / "output" / "up")
        backend.cancel(handle)
        assert wait(backend, handle).state is JobState.CANCELLED
        assert (home.runs / handle.run / "checkpoints" / "saved").read_text() == "yes\n"
        assert handle.run.lower() not in buildah("containers"), "the container is gone"

    def test_cancel_at_once_after_submit(self, backend: LocalBackend, image: str) -> None:
        script = "trap 'exit 143' TERM; while true; do busybox sleep 0.05; done"
        handle = backend.submit(backend.plan(job(image, script), new_run_id()))
        backend.cancel(handle)
        assert wait(backend, handle).state is JobState.CANCELLED
        assert handle.run.lower() not in buildah("containers")

    def test_a_program_that_ignores_the_signal_is_killed(
        self, home: Home, image: str, tmp_path: Path
    ) -> None:
        backend = LocalBackend(home, {"oci_runtime": "buildah", "stop_grace_s": 6})
        script = "trap '' TERM; echo up > $ISOCENTER_OUTPUT_DIR/up; while true; do busybox sleep 0.05; done"
        handle = backend.submit(backend.plan(job(image, script), new_run_id()))
        wait_for(home.runs / handle.run / "output" / "up")
        backend.cancel(handle)
        assert wait(backend, handle).state is JobState.CANCELLED
        assert not left_over(handle.run)
        assert handle.run.lower() not in buildah("containers"), "the container is gone"

    def test_time_limit_and_the_next_attempt(self, backend: LocalBackend, image: str, home: Home) -> None:
        script = (
            "test -f $ISOCENTER_CHECKPOINT_DIR/epoch && exit 0; echo 3 > $ISOCENTER_CHECKPOINT_DIR/epoch;"
            "trap 'exit 143' TERM; while true; do busybox sleep 0.05; done"
        )
        submission = backend.plan(job(image, script, compute=Compute(max_runtime_s=2)), new_run_id())
        first = backend.submit(submission)
        assert wait(backend, first).reason == "Stopped at its time limit."
        assert wait(backend, backend.submit(submission)).state is JobState.SUCCEEDED

    def test_image_that_is_not_there(self, backend: LocalBackend, image: str) -> None:
        handle = backend.submit(backend.plan(job(f"localhost/no-such@{DIGEST}", "true"), new_run_id()))
        status = wait(backend, handle, seconds=60)
        assert status.state is JobState.FAILED
        assert status.reason is not None
        assert status.reason.startswith("buildah could not get the image: ")


def left_over(run: str) -> list[int]:
    time.sleep(0.1)
    mark = f"ISOCENTER_RUN_ID={run}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except OSError:
            continue
    return descendants_alive(found)


RUN = ImageRun(
    IMAGE, ("train",), {"A": "b c"}, {"/isocenter/inputs/dataset": "/data/set"}, {"/isocenter/model": "/m"}
)


@pytest.mark.parametrize("runtime", ["podman", "docker"])
def test_command_line_says_what_holds_for_the_container(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 0)
    line = " ".join(start_command(runtime, RUN, "isocenter-x"))
    for part in (
        f"{runtime} run --name isocenter-x --rm --read-only",
        "--network none --cap-drop ALL --security-opt no-new-privileges",
        "--user 10001:10001",
        "--env A=b c",
        "--volume /data/set:/isocenter/inputs/dataset:ro --volume /m:/isocenter/model:rw",
    ):
        assert part in line
    assert line.endswith(f"{IMAGE} train")


def test_rootless_podman_keeps_the_users_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgid", lambda: 100)
    line = " ".join(start_command("podman", RUN, "x"))
    assert "--userns keep-id --user 1000:100" in line


def test_gpus() -> None:
    on_two = ImageRun(IMAGE, (), gpus=2)
    assert "--device nvidia.com/gpu=0 --device nvidia.com/gpu=1" in " ".join(
        start_command("podman", on_two, "x")
    )
    assert "--gpus 2" in " ".join(start_command("docker", on_two, "x"))
    with pytest.raises(InputError):
        start_command("buildah", on_two, "x")


def test_buildah_that_can_not_cut_off_the_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUILDAH_ISOLATION", "chroot")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(EnvironmentFaultError):
        start_command("buildah", RUN, "x")


@pytest.mark.parametrize("reference", ["registry.example/training:1.0", "registry.example/training"])
def test_a_tag_alone_is_refused(home: Home, reference: str) -> None:
    with pytest.raises(InputError, match="digest"):
        LocalBackend(home).plan(job(reference, "train"), new_run_id())


def test_plan_names_the_containers_own_places() -> None:
    backend = LocalBackend(Home(Path("/srv/isocenter")))
    asked = TrainingJob("train", ("train",), inputs={"dataset": "/data/set"}, image=IMAGE)
    request = backend.plan(asked, new_run_id()).request
    assert request["environment"]["ISOCENTER_INPUT_DATASET"] == "/isocenter/inputs/dataset"
    assert request["environment"]["ISOCENTER_MODEL_DIR"] == "/isocenter/model"
    assert request["inputs"] == {"/isocenter/inputs/dataset": "/data/set"}
    assert request["arguments"] == ["train"]


def test_no_runtime_here(home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from isocenter.backends import oci_runtime

    oci_runtime.find_runtime.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    backend = LocalBackend(home)
    with pytest.raises(EnvironmentFaultError, match="podman, docker, buildah"):
        backend.submit(backend.plan(job(IMAGE, "train"), new_run_id()))
    oci_runtime.find_runtime.cache_clear()
