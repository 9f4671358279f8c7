"""Endpoints as processes of this machine: a supervisor, a router at one port, workers for each version.

An endpoint is one directory in the store (:mod:`isocenter.servers.local_files`). ``apply`` writes down what
it is to be and makes sure that a supervisor lives; the supervisor does the rest, so that an endpoint outlives
the command line.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from isocenter.backends.job_log import follow_lines, read_lines
from isocenter.backends.local_attempt import locked
from isocenter.domain.digest import digest_json
from isocenter.domain.rollout import (
    Comparison,
    Endpoint,
    EndpointState,
    Observation,
    Rollout,
    ServedVariant,
    Variant,
)
from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import Home
from isocenter.servers.base import Capability, refuse_unsupported
from isocenter.servers.local_access import access_environment
from isocenter.servers.local_collection import store_environment
from isocenter.servers.local_files import CAPTURE, EndpointFiles
from isocenter.servers.local_front import ask_front
from isocenter.servers.local_group import SOCKET
from isocenter.servers.local_log import open_log
from isocenter.servers.local_process import inherited_environment
from isocenter.tls import server_context, tls_files

_ENTRY_POINT = (sys.executable, "-m", "isocenter_serving")
_READY_S, _STOP_GRACE_S = 180.0, 75.0
_KEY_CHARACTERS = 12
_START_S = 20.0
_COLLECT_S = 60.0
_POLL_S = 0.02


class LocalServer:
    """The server of target ``local``.

    Args:
        home: the store; endpoints lie in its folder ``endpoints``.
        settings: ``serving_entry_point`` (what stands for the image's entry point: a list of arguments;
            default this Python's ``isocenter_serving``), ``serving_environment`` (further variables),
            ``port`` (of 127.0.0.1; default a free one that the endpoint then keeps), ``ready_s`` (how long a
            version may take to get ready, default 180), ``stop_grace_s`` (from SIGTERM to SIGKILL, default
            75), ``collect_s`` (how often denials and features are collected, default 60),
            ``tls_certificate``, ``tls_key`` and ``tls_client_ca`` (files of the port's TLS).
    """

    name: ClassVar[str] = "local"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.ABSTENTION, Capability.COMPARISON, Capability.SHADOW, Capability.SPLIT}
    )

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        chosen = settings or {}
        self._home = home
        self._entry_point = tuple(chosen.get("serving_entry_point", _ENTRY_POINT))
        self._environment = dict(chosen.get("serving_environment", {}))
        self._port = int(chosen.get("port", 0))
        self._tls = tls_files(*(chosen.get(f"tls_{name}") for name in ("certificate", "key", "client_ca")))
        buckets = chosen.get("descriptor", {}).get("buckets", {})
        self._collection = {
            "collect_s": float(chosen.get("collect_s", _COLLECT_S)),
            "ships": "data" in buckets,
        }
        self._limits = {
            "ready_s": float(chosen.get("ready_s", _READY_S)),
            "stop_grace_s": float(chosen.get("stop_grace_s", _STOP_GRACE_S)),
        }

    def plan(self, rollout: Rollout) -> Submission:
        """Arguments and environment of each version's processes, and how the router is to split."""
        refuse_unsupported(rollout, self.name, self.capabilities)
        request = {
            "endpoint": rollout.endpoint,
            "port": self._port,
            "variants": [self._variant(rollout, variant) for variant in rollout.variants],
            "labels": dict(rollout.labels),
        } | ({"tls": self._tls.as_json()} if self._tls else {})
        return Submission(self.name, rollout.id, request)

    def apply(self, submission: Submission) -> Endpoint:
        """Write down what the endpoint is to be, see that its supervisor lives, and say where it is."""
        files = self._files(submission.request["endpoint"])
        files.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(files.directory / "apply.lock"):
            if not _is_wanted(files, submission):
                if self._tls:
                    server_context(self._tls)
                access = dict(access_environment(self._home, submission.request["endpoint"]))
                asked = {"rollout": submission.run, "digest": submission.digest, "access": access}
                files.want({**submission.request, **asked, **self._collection})
            _start_supervisor(files)
        found = self.describe(submission.request["endpoint"])
        return found or Endpoint(files.directory.name, EndpointState.UPDATING, submission.run)

    def describe(self, name: str) -> Endpoint | None:
        """What the supervisor wrote last, held against who lives."""
        files = self._files(name)
        wanted = files.wanted()
        if wanted is None:
            return None
        status = files.status()
        state, reason = _state(files, wanted, status)
        return Endpoint(
            name=name,
            state=state,
            rollout=RunId(wanted["rollout"]),
            url=f"{'https' if wanted.get('tls') else 'http'}://127.0.0.1:{status['port']}"
            if status.get("port")
            else "",
            variants=tuple(ServedVariant(**variant) for variant in status.get("variants", ())),
            reason=reason,
        )

    def observe(self, name: str) -> Mapping[str, Observation]:
        """What the router counted since it took up the present routes, or was started."""
        found = ask_front(self._files(name)) or {}
        return {
            reference: Observation(**{**counts, "comparison": Comparison(**counts["comparison"])})
            for reference, counts in found.get("observed", {}).items()
        }

    def logs(self, name: str, reference: str | None = None, *, follow: bool = False) -> Iterator[str]:
        """Output of the serving processes; of all versions one after the other, then the supervisor's."""
        files = self._files(name)
        keys = _keys(files.wanted() or {}, files.routed() or {}, reference)
        logs = [files.group_log(key) for key in keys]
        if follow and logs:
            yield from follow_lines(logs[-1], lambda: self.describe(name) is None)
            return
        for log in logs if reference else (*logs, files.supervisor_log):
            yield from read_lines(log)

    def delete(self, name: str) -> None:
        """Have the supervisor end all processes after their last requests; logs and features stay."""
        files = self._files(name)
        if files.wanted() is None:
            return
        with locked(files.directory / "apply.lock"):
            wanted = files.wanted()
            if wanted is not None:
                if not wanted.get("end"):
                    files.want({**wanted, "end": True})
                _start_supervisor(files)

    def kept(self, name: str) -> Sequence[Path]:
        """See :class:`isocenter.servers.keeping.KeepsHere`."""
        return self._files(name).kept()

    def _files(self, name: str) -> EndpointFiles:
        return EndpointFiles(self._home.root / "endpoints" / name)

    def _variant(self, rollout: Rollout, variant: Variant) -> dict[str, Any]:
        workers = rollout.size.cpus * rollout.scaling.min_instances
        options = {
            "--bundle": variant.uri,
            "--digest": variant.digest,
            "--name": variant.model,
            "--number": str(variant.number),
            "--socket": SOCKET,
            "--workers": str(workers),
        }
        argv = [*self._entry_point, "serve", *(word for pair in options.items() for word in pair)]
        process = {"argv": argv, "environment": self._capture(rollout) | self._environment, **self._limits}
        return {
            # Another size or setting is another group of processes: it takes over when it is ready.
            "key": digest_json(process).removeprefix("sha256:")[:_KEY_CHARACTERS],
            "reference": variant.reference,
            "digest": variant.digest,
            "weight": variant.weight,
            "shadow": variant.shadow,
            **process,
        }

    def _capture(self, rollout: Rollout) -> dict[str, str]:
        # Relative to where a version's processes work: a rollout is planned without knowing the store.
        kept = {"dir": CAPTURE, **asdict(rollout.capture)}
        return {f"ISOCENTER_SERVING_CAPTURE_{name.upper()}": str(value) for name, value in kept.items()}


def _is_wanted(files: EndpointFiles, submission: Submission) -> bool:
    """Whether the endpoint was asked for just this before.

    Raises:
        InputError: it was asked for something that this must not replace.
    """
    wanted = files.wanted()
    if wanted is None:
        return False
    name = files.directory.name
    if wanted.get("end"):
        raise InputError(f"The endpoint {name} is being deleted.", hint="Try again when it is gone.")
    if wanted["rollout"] == submission.run and wanted["digest"] != submission.digest:
        raise InputError(f"The rollout {submission.run} was applied before with another request.")
    if wanted["rollout"] > submission.run:
        raise InputError(f"The rollout {submission.run} of {name} was replaced by {wanted['rollout']}.")
    if wanted["port"] != submission.request["port"]:
        raise InputError(
            f"The endpoint {name} was made for port {wanted['port']}, not {submission.request['port']}.",
            hint=f"isocenter endpoint delete {name}, then deploy it again.",
        )
    if wanted.get("tls") != submission.request.get("tls"):
        raise InputError(
            f"The endpoint {name} was made with other TLS files, or with none.",
            hint=f"isocenter endpoint delete {name}, then deploy it again.",
        )
    return bool(wanted["rollout"] == submission.run)


def _state(
    files: EndpointFiles, wanted: Mapping[str, Any], status: Mapping[str, Any]
) -> tuple[EndpointState, str]:
    if not _is_supervised(files):
        if ask_front(files) is None:
            return EndpointState.STOPPED, "None of its processes run; the same deploy starts it again."
        return EndpointState.READY, "It answers, but nobody watches it; the same deploy starts a supervisor."
    if wanted.get("end"):
        return EndpointState.UPDATING, "It is being deleted."
    if status.get("rollout") != wanted["rollout"]:
        return EndpointState.UPDATING, ""
    return EndpointState(status["state"]), str(status["reason"])


def _keys(wanted: Mapping[str, Any], routed: Mapping[str, Any], reference: str | None) -> list[str]:
    found = [*routed.get("routes", ()), *wanted.get("variants", ())]
    return list(dict.fromkeys(v["key"] for v in found if reference in (None, v["reference"])))


def _is_supervised(files: EndpointFiles) -> bool:
    """Whether the supervisor holds its lock."""
    try:
        descriptor = os.open(files.lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _start_supervisor(files: EndpointFiles) -> None:
    """Start the supervisor unless it lives. The caller holds ``apply.lock``.

    Raises:
        EnvironmentFaultError: it ends at once.
    """
    if _is_supervised(files):
        return
    with open_log(files.supervisor_log) as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "isocenter.servers.local_supervisor", str(files.directory)],
            cwd=files.directory,
            env=inherited_environment() | store_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_S
    while files.status().get("supervisor") != process.pid and files.wanted() is not None:
        if process.poll() is not None and _is_supervised(files):
            return  # another one was faster
        if process.poll() is not None or time.monotonic() > deadline:
            raise EnvironmentFaultError(
                f"The supervisor of {files.directory.name} doesn't stay.", hint=f"See {files.supervisor_log}."
            )
        time.sleep(_POLL_S)
    process.returncode = 0  # never waited for here, on purpose
