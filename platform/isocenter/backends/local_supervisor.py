"""The process that stays with one local job: starts it, stops it when asked, writes down how it ended.

Started by :mod:`isocenter.backends.local` as ``python -I -S local_supervisor.py LOCK_FD`` in a new session,
with the attempt's directory as working directory. Standard library only, and little of it, so that it starts
in milliseconds. It holds the attempt's lock as long as it lives, which is how others see that it does.

SIGTERM asks the job to stop: its process group gets SIGTERM and, ``stop_grace_s`` later, SIGKILL. Whatever is
left in the session when the job has ended is killed.
"""

# pathlib would double the time to start:
# ruff: noqa: PTH123, PTH105, PTH208

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

_WATCHED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
_RESULT_BYTES = 1024


def main() -> None:
    """Run the job that ``job.json`` in the working directory describes."""
    os.set_inheritable(int(sys.argv[1]), False)
    with open("job.json", encoding="utf-8") as stream:
        job = json.load(stream)
    _reserve("exit.json")
    _reserve("started.json")
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    try:
        child = _start(job)
    except OSError as error:
        _publish("exit.json", {"exit_code": 127, "error": f"{job['argv'][0][-200:]}: {error.strerror}"})
        return
    _publish("started.json", {"supervisor": os.getpid(), "child": child.pid})
    _publish("exit.json", _wait(child, job.get("max_runtime_s"), job["stop_grace_s"]))


def _start(job: dict[str, Any]) -> "subprocess.Popen[bytes]":
    with open(job.get("log", "log"), "ab", buffering=0) as log:
        return subprocess.Popen(
            job["argv"],
            env=job["environment"],
            cwd=job["directory"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=_unblock_signals,  # this process has one thread
        )


def _unblock_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def _wait(child: "subprocess.Popen[bytes]", limit_s: float | None, grace_s: float) -> dict[str, Any]:
    """Wait for the job's end, stopping it on a signal or at the time limit."""
    stopped = timed_out = False
    deadline = time.monotonic() + limit_s if limit_s else None
    while not _has_ended(child.pid):
        late = deadline is not None and time.monotonic() >= deadline
        received = None if late else _next_signal(deadline)
        if received is None and late and (stopped or timed_out):
            _signal_group(child.pid, signal.SIGKILL)
            deadline = None
        elif not (stopped or timed_out) and (late or received in (signal.SIGTERM, signal.SIGINT)):
            stopped, timed_out = not late, late
            deadline = time.monotonic() + (grace_s if late else _asked_grace_s(grace_s))
            _signal_group(child.pid, signal.SIGTERM)
    _kill_rest_of_session()
    return {"exit_code": child.wait(), "stopped": stopped, "timed_out": timed_out}


def _asked_grace_s(default: float) -> float:
    """Seconds that whoever sent the signal wrote into the file ``grace``, if anything."""
    try:
        with open("grace", encoding="utf-8") as stream:
            return float(stream.read())
    except (OSError, ValueError):
        return default


def _next_signal(deadline: float | None) -> int | None:
    left = 3600.0 if deadline is None else max(0.0, deadline - time.monotonic())
    received = signal.sigtimedwait(_WATCHED, left)
    return None if received is None else received.si_signo


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _signal_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _kill_rest_of_session() -> None:
    """Kill every other process of this session, also those that made a group of their own."""
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid() and _session(int(name)) == os.getpid():
            _signal(int(name), signal.SIGKILL)


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except (ProcessLookupError, PermissionError):
        return 0


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def _reserve(name: str) -> None:
    """Take the disk blocks of ``name`` now, so that a full disk can't keep the result from being written."""
    with open(name + ".new", "wb") as stream:
        stream.write(b" " * _RESULT_BYTES)


def _publish(name: str, value: dict[str, Any]) -> None:
    """Write ``value`` over the reserved bytes (JSON allows trailing blanks) and rename.

    Not flushed to disk: after a power cut a missing result means that the job is done again, and that is
    better than a result that outlives the job's own files.
    """
    with open(name + ".new", "r+b") as stream:
        stream.write(json.dumps(value).encode()[:_RESULT_BYTES])
    os.replace(name + ".new", name)


if __name__ == "__main__":
    main()
