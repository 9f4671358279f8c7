"""The process that stays with one local endpoint and makes it what it was last asked to be.

Started as ``python -m isocenter.servers.local_supervisor DIRECTORY``. It can be killed at any time: the
router and the versions go on answering, and a supervisor that is started again finds them by the word in
their environment. SIGTERM ends the endpoint's processes after their last requests; the files stay, so that
it can be started again.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.servers.local_collection import Collection
from isocenter.servers.local_files import EndpointFiles
from isocenter.servers.local_front import Front
from isocenter.servers.local_group import SOCKET, Group
from isocenter.servers.local_log import bound_log
from isocenter.servers.local_process import inherited_environment, reap

_TICK_S = 0.05
_DRAIN_S = 75.0


class Supervisor:
    """One endpoint's processes.

    Args:
        files: its directory.
    """

    def __init__(self, files: EndpointFiles) -> None:
        self._files = files
        self._environment = inherited_environment()
        self._front = Front(files, self._environment)
        self._collection = Collection(files)
        self._groups: dict[str, Group] = {}
        self._wanted: Mapping[str, Any] = {}
        self._routes: Mapping[str, Any] = files.routed() or {}
        self._failure = ""
        self._is_loaded = False
        self._told: Mapping[str, Any] = {}
        self._began = time.monotonic()

    def tick(self) -> None:
        """Look at everything once and do the next step."""
        reap()
        wanted = self._files.wanted()
        if wanted is not None and wanted.get("rollout") != self._wanted.get("rollout"):
            self._take(wanted)
        for key in self._keys():
            if key not in self._groups:
                self._groups[key] = Group(key, self._spec(key), self._files, self._inherited())
        for group in self._groups.values():
            group.watch()
        self._watch_front()
        self._advance()
        self._let_go()
        self._tell()
        self._collection.watch(self._wanted)
        bound_log(self._files.supervisor_log)

    def end(self) -> bool:
        """Take the next step to the end of all processes; True when they have ended.

        First the router, after its last request: nobody asks the versions then.
        """
        reap()
        if self._front.is_alive and time.monotonic() - self._began < _DRAIN_S:
            self._front.stop()
            return False
        self._front.kill()
        for group in self._groups.values():
            group.stop()
        gone = [group.is_gone() for group in self._groups.values()]  # ask each: it kills what is late
        return all(gone) and self._collection.finish(self._wanted)

    def begin_end(self) -> None:
        """From now on the time for the last requests runs."""
        self._began = time.monotonic()
        self._adopt(set())
        self._files.tell({**self._files.status(), "state": "updating", "reason": "It is being ended."})

    @property
    def is_to_end(self) -> bool:
        """Whether the endpoint was asked to be no more."""
        wanted = self._files.wanted()
        return wanted is None or bool(wanted.get("end"))

    def _adopt(self, but: set[str]) -> None:
        """Know the processes of other versions that an earlier supervisor started, to end them too."""
        folder = self._files.directory / "groups"
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name not in self._groups.keys() | but:
                group = Group(path.name, _unknown_spec(), self._files, {})
                if group.is_alive:
                    self._groups[path.name] = group

    def _take(self, wanted: Mapping[str, Any]) -> None:
        self._wanted = wanted
        told = self._files.status()
        failed_before = told.get("rollout") == wanted["rollout"] and _was_not_reached(self._files)
        self._failure = str(told["reason"]) if failed_before else ""
        for key in self._keys():
            if key in self._groups and not self._groups[key].is_stopping:
                self._groups[key].leaves_since = None
        self._adopt(self._keys())

    def _keys(self) -> set[str]:
        """Of the versions whose processes are to run: those asked for, and those that answer."""
        routed = {route["key"] for route in self._routes.get("routes", ())}
        wanted = {variant["key"] for variant in self._wanted.get("variants", ())}
        return routed if self._failure else routed | wanted

    def _spec(self, key: str) -> Mapping[str, Any]:
        for variant in (*self._wanted["variants"], *self._routes.get("routes", ())):
            if variant["key"] == key:
                spec: Mapping[str, Any] = variant if "argv" in variant else self._routes["specs"][key]
                return spec
        raise KeyError(key)

    def _inherited(self) -> Mapping[str, str]:
        return {**self._environment, **self._wanted.get("access", {})}

    def _watch_front(self) -> None:
        port = self._front.port or int(self._files.status().get("port", 0)) or int(self._wanted["port"])
        try:
            self._front.watch(port, self._wanted.get("tls"))
        except OSError as error:
            self._failure = f"The port {port} can't be used: {error.strerror}."

    def _advance(self) -> None:
        """Move the traffic once all versions that were asked for are ready."""
        variants = self._wanted["variants"]
        groups = [self._groups[v["key"]] for v in variants if v["key"] in self._groups]
        if not self._failure:
            self._failure = next((problem for group in groups if (problem := group.problem())), "")
        is_new = self._routes.get("rollout") != self._wanted["rollout"]
        if is_new and not self._failure and len(groups) == len(variants) and all(map(_takes, groups)):
            self._routes = _routes(self._wanted)
            self._files.route(self._routes)
            self._is_loaded = False
        if not self._is_loaded:
            self._is_loaded = self._front.load_routes() == self._routes.get("rollout", "")

    def _let_go(self) -> None:
        """End versions that are not asked for any more, after their last request."""
        for key, group in list(self._groups.items()):
            if group.is_gone():
                del self._groups[key]
            elif key not in self._keys() and self._is_loaded:
                group.leaves_since = group.leaves_since or time.monotonic()
                late = time.monotonic() - group.leaves_since > _DRAIN_S
                if late or not self._front.is_alive or self._front.in_flight(key) == 0:
                    group.stop()

    def _tell(self) -> None:
        in_force = self._is_loaded and self._routes.get("rollout") == self._wanted["rollout"]
        in_force = in_force and all(self._groups[key].was_ready for key in self._keys())
        asked = [self._groups[v["key"]] for v in self._wanted["variants"] if v["key"] in self._groups]
        trouble = next((said for group in asked if (said := group.trouble())), "")
        is_failed = bool(self._failure) or any(group.is_given_up for group in asked)
        state = "failed" if is_failed else "ready" if in_force and not trouble else "updating"
        told = {
            "rollout": self._wanted["rollout"],
            "state": state,
            "reason": self._failure or trouble,
            "port": self._front.port,
            "supervisor": os.getpid(),
            "variants": [self._variant(key, group) for key, group in self._groups.items()],
        }
        if told != self._told:
            self._files.tell(told)
            self._told = told

    def _variant(self, key: str, group: Group) -> dict[str, Any]:
        route: Mapping[str, Any] = next((r for r in self._routes.get("routes", ()) if r["key"] == key), {})
        return {
            "reference": group.spec["reference"],
            "digest": group.spec["digest"],
            "weight": route.get("weight", 0),
            "shadow": route.get("shadow", False),
            "state": group.state,
            "instances": int(group.is_alive and group.is_ready),
        }


def _takes(group: Group) -> bool:
    return group.is_ready and not group.is_stopping


def _routes(wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the router reads, and beside it how to start the versions again that it names."""
    variants = wanted["variants"]
    routes = [
        {
            "key": variant["key"],
            "reference": variant["reference"],
            "socket": f"groups/{variant['key']}/{SOCKET}",
            "weight": variant["weight"],
            "shadow": variant["shadow"],
        }
        for variant in variants
    ]
    specs = {variant["key"]: variant for variant in variants}
    return {"rollout": wanted["rollout"], "routes": routes, "specs": specs}


def _unknown_spec() -> Mapping[str, Any]:
    """Of processes that nobody asks for: they are only ended."""
    return {"reference": "", "digest": "", "ready_s": 0, "stop_grace_s": 60, "argv": [], "environment": {}}


def _was_not_reached(files: EndpointFiles) -> bool:
    """Whether the rollout that was told of last failed; one that was in force is tried again."""
    told, routed = files.status(), files.routed() or {}
    return told.get("state") == "failed" and routed.get("rollout") != told.get("rollout")


def supervise(directory: Path) -> None:
    """Stay until SIGTERM, or until the endpoint is to be no more."""
    files = EndpointFiles(directory)
    lock = os.open(files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    # What an earlier supervisor wrote holds no longer, if its processes have ended as well.
    stale = files.status()
    failed = _was_not_reached(files)
    told = {"state": "failed"} if failed else {"state": "updating", "reason": ""}
    files.tell({"variants": [], "reason": "", **stale, **told, "supervisor": os.getpid()})
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    supervisor = Supervisor(files)
    while not asked.is_set() and not supervisor.is_to_end:
        try:
            supervisor.tick()
        except OSError as error:  # e.g. a full disk: what answers goes on
            print(f"The supervisor can't go on for now: {error.strerror}.", flush=True)
        asked.wait(_TICK_S)
    supervisor.begin_end()
    while not supervisor.end():
        time.sleep(_TICK_S)
    if supervisor.is_to_end:
        files.forget()


if __name__ == "__main__":
    os.umask(0o077)
    supervise(Path(sys.argv[1]))
