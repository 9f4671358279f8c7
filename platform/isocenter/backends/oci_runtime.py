"""Command lines that run an image on this machine with podman, docker or buildah. Pure, but for the search.

The program in the image sees its inputs read-only and its outputs, no network, no capabilities and no root.
https://docs.podman.io/en/stable/markdown/podman-run.1.html
https://docs.docker.com/reference/cli/docker/container/run/
https://github.com/containers/buildah/blob/main/docs/buildah-run.1.md
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from isocenter.errors import EnvironmentFaultError, InputError

RUNTIMES = ("podman", "docker", "buildah")
# What a runtime itself needs of the user's environment; the program sees none of it.
RUNTIME_VARIABLES = (
    *("STORAGE_DRIVER", "STORAGE_OPTS", "BUILDAH_ISOLATION", "CONTAINERS_STORAGE_CONF", "CONTAINERS_CONF"),
    *("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_HOST", "DOCKER_CONFIG", "DBUS_SESSION_BUS_ADDRESS"),
)
# As the training image's own user. A user who is not root keeps their number: the files are theirs.
_USER = 10001
_ANSWERS_S = 20


@dataclass(frozen=True)
class ImageRun:
    """What runs.

    Args:
        image: by digest.
        arguments: of its entry point.
        environment: what the program sees beside the image's own.
        inputs: path in the container -> directory here, read-only.
        outputs: the same, writable.
        gpus: how many of this machine's.
    """

    image: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    gpus: int = 0


@cache
def find_runtime(chosen: str = "") -> str:
    """The first of ``RUNTIMES`` that is installed and answers, or ``chosen``.

    Raises:
        EnvironmentFaultError: there is none.
    """
    for name in (chosen,) if chosen else RUNTIMES:
        if shutil.which(name) and _answers(name):
            return name
    raise EnvironmentFaultError(
        f"No image can be run here: {chosen or 'none of ' + ', '.join(RUNTIMES)} answers.",
        hint="On Debian: sudo apt-get install podman. Without an image, jobs run in this Python.",
    )


def _answers(name: str) -> bool:
    """A client is there also where its service isn't."""
    try:
        asked = subprocess.run([name, "info"], capture_output=True, timeout=_ANSWERS_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def container_user() -> tuple[int, int]:
    """User and group that the program runs as, by their numbers on this machine."""
    return (_USER, _USER) if os.getuid() == 0 else (os.getuid(), os.getgid())


def prepare_outputs(run: ImageRun) -> None:
    """Let the container's user write to the outputs."""
    if os.getuid() == 0:
        for directory in run.outputs.values():
            for path in (Path(directory), *Path(directory).rglob("*")):
                os.chown(path, *container_user(), follow_symlinks=False)


def start_command(runtime: str, run: ImageRun, name: str) -> list[str]:
    """The command that runs ``run`` in the foreground.

    Args:
        runtime: one of ``RUNTIMES``.
        run: what to run.
        name: of the container; with buildah, of one that ``buildah from`` made, and the entry point's words
            are still missing: they go before the arguments.

    Raises:
        InputError: GPUs with buildah, which hands none over.
    """
    if runtime == "buildah":
        return [*_without_network(), *_buildah(run), "--", name]
    return [*_run(runtime, run, name), run.image, *run.arguments]


def _run(runtime: str, run: ImageRun, name: str) -> list[str]:
    user = ":".join(map(str, container_user()))
    return [
        *(runtime, "run", "--name", name, "--rm", "--read-only", "--tmpfs", "/tmp:rw,mode=1777"),  # noqa: S108
        *("--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        # Rootless podman would make the user's number another one's.
        *(["--userns", "keep-id"] if runtime == "podman" and os.getuid() else []),
        *("--user", user, *_gpus(runtime, run.gpus), *_environment(run), *_mounts(run)),
    ]


def _buildah(run: ImageRun) -> list[str]:
    if run.gpus:
        raise InputError("buildah hands no GPU to a container.", hint="Install podman or docker.")
    user = ":".join(map(str, container_user()))
    return [
        *("buildah", "run", "--network", "none", "--cap-drop", "ALL", "--user", user),
        *(*_environment(run), *_mounts(run)),
    ]


def _without_network() -> list[str]:
    """Buildah's isolation ``chroot`` leaves the network as it is, whatever it is told.

    Raises:
        EnvironmentFaultError: nor can we cut it off.
    """
    if os.environ.get("BUILDAH_ISOLATION") != "chroot":
        return []
    if os.getuid() != 0:
        raise EnvironmentFaultError(
            "buildah's isolation chroot can't cut a container off from the network.",
            hint="Leave BUILDAH_ISOLATION unset, or install podman.",
        )
    return ["unshare", "--net"]


def _gpus(runtime: str, count: int) -> list[str]:
    if not count:
        return []
    # https://github.com/cncf-tags/container-device-interface, written by nvidia-ctk cdi generate
    devices = [word for number in range(count) for word in ("--device", f"nvidia.com/gpu={number}")]
    return devices if runtime == "podman" else ["--gpus", str(count)]


def _environment(run: ImageRun) -> list[str]:
    variables = {"HOME": "/tmp", "PYTHONUNBUFFERED": "1", **run.environment}  # noqa: S108 - the container's
    return [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]


def _mounts(run: ImageRun) -> list[str]:
    mounts = [f"{here}:{there}:ro" for there, here in run.inputs.items()]
    mounts += [f"{here}:{there}:rw" for there, here in run.outputs.items()]
    for mount in mounts:
        if mount.count(":") != 2:
            raise InputError("A directory with a colon in its path can't be given to a container.")
    return [word for mount in mounts for word in ("--volume", mount)]
