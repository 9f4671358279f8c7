"""The process that stays with one container: starts it, hands SIGTERM on, and leaves nothing behind.

Started by the supervisor of :mod:`isocenter.backends.local` as ``python -I -S oci_runner.py PATH``, where the
file at PATH says as JSON what to do. Standard library only.
The runtimes' clients don't do for it: buildah dies of SIGTERM with its program, and podman's and docker's
containers outlive a client that is killed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

# What buildah itself says of a program that ended badly.
_NOISE = re.compile(rb"^(subprocess exited (with status|on) \w+|Error: (exit status \d+|signal: \w+)\s*)$")
_ENTRY_POINT = '{{range .OCIv1.Config.Entrypoint}}{{.}}{{"\\n"}}{{end}}'
_PULL_FAILED, _STOPPED = 125, 128 + signal.SIGTERM
_POLL_S = 0.1
# What removing a container may take.
_REMOVAL_S = 10.0


def main() -> int:
    """Run the container and return its program's exit code."""
    task = json.loads(Path(sys.argv[1]).read_bytes())
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    container = _Buildah(task) if task["runtime"] == "buildah" else _Container(task)
    try:
        command = container.prepare()
    except subprocess.CalledProcessError as error:
        print(f"\n{task['runtime']} could not get the image: {_last_line(error.stderr)}", file=sys.stderr)
        return _PULL_FAILED
    code = _STOPPED if stop.is_set() else _run(container, command, stop)
    container.remove()
    return code if code >= 0 else 128 - code


def _run(container: "_Container", command: list[str], stop: threading.Event) -> int:
    # A group of its own: only the program is to see the signal that stops a job.
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, process_group=0, **streams) as client:
        threading.Thread(target=container.stop_when, args=(stop,), daemon=True).start()
        _copy(client)
        return client.wait()


class _Container:
    """A container of podman or docker."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.task = task
        self.runtime, self.name = str(task["runtime"]), str(task["name"])

    def prepare(self) -> list[str]:
        self.remove()
        return list(self.task["command"])

    def signal(self, number: int) -> bool:
        """Send it to the program; False: there is none (yet)."""
        return _quietly([self.runtime, "kill", "--signal", str(number), self.name])

    def remove(self) -> None:
        _quietly([self.runtime, "rm", "--force", self.name])

    def stop_when(self, asked: threading.Event) -> None:
        """SIGTERM when asked, SIGKILL before the supervisor would kill us and leave the container behind."""
        asked.wait()
        deadline = time.monotonic() + _leaving_time(float(self.task["stop_grace_s"]))
        while not self.signal(signal.SIGTERM) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        time.sleep(max(0.0, deadline - time.monotonic()))
        self.signal(signal.SIGKILL)


def _leaving_time(grace_s: float) -> float:
    return max(grace_s - _REMOVAL_S, grace_s / 2)


class _Buildah(_Container):
    """A working container of buildah; its program is a process of this machine like others."""

    def prepare(self) -> list[str]:
        source = [self.runtime, "from", "--name", self.name, str(self.task["image"])]
        self.remove()
        subprocess.run(source, check=True, capture_output=True)
        inspect = [self.runtime, "inspect", "--type", "container", "--format", _ENTRY_POINT, self.name]
        words = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.split("\n")
        return [*self.task["command"], *(word for word in words if word), *self.task["arguments"]]

    def signal(self, number: int) -> bool:
        """To every process with the job's environment; buildah's own have it as arguments only."""
        mark = f"ISOCENTER_RUN_ID={self.task['run']}".encode()
        found = False
        for path in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (path / "environ").read_bytes().split(b"\0"):
                    os.kill(int(path.name), number)
                    found = True
            except OSError:
                continue
        return found

    def remove(self) -> None:
        _quietly([self.runtime, "rm", self.name])


def _copy(client: "subprocess.Popen[bytes]") -> None:
    """The program's words without those of buildah at their end."""
    assert client.stdout is not None  # noqa: S101 - it is a pipe
    held: list[bytes] = []
    for line in client.stdout:
        if _NOISE.match(line.strip()):
            held.append(line)
            continue
        sys.stdout.buffer.write(b"".join([*held, line]))
        sys.stdout.buffer.flush()
        held.clear()


def _quietly(command: list[str]) -> bool:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."


if __name__ == "__main__":
    sys.exit(main())
