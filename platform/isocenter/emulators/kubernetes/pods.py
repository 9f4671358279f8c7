"""Scheduler and kubelet: pods as processes of this machine.

A pod's container sees its variables, a home and a temporary folder of its own, and a termination message file
named by ISOCENTER_TERMINATION_LOG. The addresses that the cluster's name service would tell are put into the
variables that torchrun reads; the port of a job's first pod is a free one of this machine.
"""

import hashlib
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isocenter.emulators.job_process import Ending, JobProcess
from isocenter.emulators.kubernetes.environment import ConfigError, expand, variables
from isocenter.emulators.kubernetes.nodes import Node, choose
from isocenter.emulators.kubernetes.objects import Objects, now
from isocenter.emulators.kubernetes.probes import Probes

Object = dict[str, Any]
ENDED = ("Succeeded", "Failed")
DISRUPTED = "DisruptionTarget"
_MESSAGE_BYTES, _TAIL_BYTES = 4096, 2048
_DEFAULT_GRACE_S = 30
_BACKOFF = "CrashLoopBackOff"
_SHORTEST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.1, 5.0


class Kubelet:
    """Brings pods to where their objects say they should be.

    Args:
        objects: of the cluster.
        nodes: its machines.
        folder: keeps logs and working folders.
        program: what stands for the entry point of every image but the serving one.
        serving_program: what stands for that one's.
        volumes: folder of the claims' contents.
    """

    def __init__(
        self,
        objects: Objects,
        nodes: Sequence[Node],
        folder: Path,
        program: Sequence[str],
        serving_program: Sequence[str],
        volumes: Path,
    ) -> None:
        self._serving_program = serving_program
        self._probes = Probes()
        self._resting: dict[str, float] = {}
        self._objects = objects
        self._nodes = nodes
        self._folder = folder
        self._program = program
        self._volumes = volumes
        self._ports: dict[str, int] = {}
        self._told: set[str] = set()

    def log(self, pod: Object) -> Path:
        """The file with what the pod's container wrote."""
        return self._folder / str(pod["metadata"]["uid"]) / "log"

    def reconcile(self) -> None:
        """Take every pod one step on."""
        for pod in self._objects.list("Pod"):
            self._step(pod)

    def delete(self, pod: Object) -> None:
        """Ask for the pod's end: SIGTERM, its grace time, SIGKILL; then it is gone."""
        if "deletionTimestamp" not in pod["metadata"]:
            grace = int(pod["spec"].get("terminationGracePeriodSeconds", _DEFAULT_GRACE_S))
            pod["metadata"] |= {"deletionTimestamp": now(), "deletionGracePeriodSeconds": grace}
            self._objects.update(pod)

    def interrupt(self, pod: Object) -> None:
        """What happens to a pod whose spot machine is taken away."""
        message = "the node of the pod is shut down"
        disrupted = _condition(DISRUPTED, "True", "TerminationByKubelet", message)
        pod["status"]["conditions"].append(disrupted)
        self._objects.update(pod)

    def stop_all(self) -> None:
        """Kill what goes on."""
        for pod in self._objects.list("Pod"):
            self._process(pod).terminate(0.0)

    def close(self) -> None:
        """Kill what goes on, and ask no more whether it is ready."""
        self.stop_all()
        self._probes.close()

    def _step(self, pod: Object) -> None:
        phase = pod["status"]["phase"]
        leaving = "deletionTimestamp" in pod["metadata"]
        if phase in ENDED or (leaving and phase == "Pending"):
            if leaving:
                metadata = pod["metadata"]
                self._objects.remove("Pod", metadata["namespace"], metadata["name"])
            return
        if phase == "Pending":
            self._start(pod)
            return
        if _is_resting(pod):
            self._start_again(pod, leaving=leaving)
            return
        ending = self._process(pod).ending()
        if ending is not None and pod["spec"].get("restartPolicy") == "Always" and not leaving:
            self._rest(pod, ending)
        elif ending is not None:
            self._end(pod, ending)
        elif leaving or has_condition(pod, DISRUPTED):
            self._tell_to_stop(pod)
        elif has_condition(pod, "Ready") != self._probes.is_ready(pod):
            self._tell_ready(pod, not has_condition(pod, "Ready"))

    def _tell_ready(self, pod: Object, is_ready: bool) -> None:
        others = [found for found in pod["status"]["conditions"] if found["type"] != "Ready"]
        ready = _condition("Ready", "True" if is_ready else "False")
        pod["status"]["conditions"] = [*others, ready]
        for status in pod["status"].get("containerStatuses") or ():
            status["ready"] = is_ready
        self._objects.update(pod)

    def _rest(self, pod: Object, ending: Ending) -> None:
        """A container that has ended is started again after a while, each time a longer one."""
        self._probes.forget(pod)
        terminated = self._terminated(pod, ending)
        restarts = _restarts(pod) + 1
        waiting = {"reason": _BACKOFF, "message": "back-off restarting failed container"}
        _set_state(pod, {"waiting": waiting}, restarts=restarts, last={"terminated": terminated})
        wait = min(_SHORTEST_BACKOFF_S * 2**restarts, _LONGEST_BACKOFF_S)
        self._resting[pod["metadata"]["uid"]] = time.monotonic() + wait
        self._tell_ready(pod, False)

    def _start_again(self, pod: Object, *, leaving: bool) -> None:
        uid = pod["metadata"]["uid"]
        if leaving:
            self._resting.pop(uid, None)
            self._objects.remove("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
            return
        if time.monotonic() < self._resting.get(uid, 0.0):
            return
        self._resting.pop(uid, None)
        container, status = pod["spec"]["containers"][0], pod["status"]["containerStatuses"][0]
        last, restarts = status.get("lastState") or {}, status["restartCount"]
        _set_state(pod, {"running": {"startedAt": now()}}, restarts=restarts, last=last, ready=False)
        self._process(pod, container, self._environment(container, pod)).start()
        self._objects.update(pod)

    def _tell_to_stop(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._told:
            self._told.add(uid)
            grace = pod["spec"].get("terminationGracePeriodSeconds", _DEFAULT_GRACE_S)
            self._process(pod).terminate(float(grace))

    def _start(self, pod: Object) -> None:
        if not pod["spec"].get("nodeName"):
            node, why = choose(pod, self._nodes, self._objects.list("Pod"))
            placed = _condition(
                "PodScheduled", "True" if node else "False", "" if node else "Unschedulable", why
            )
            pod["status"]["conditions"] = [placed]
            if not node:
                self._objects.update(pod)
                return
            pod["spec"]["nodeName"] = node
        container = pod["spec"]["containers"][0]
        pod["status"]["podIP"] = _address(pod) if container.get("ports") else "127.0.0.1"
        try:
            environment = self._environment(container, pod)
        except ConfigError as error:
            waiting = {"reason": "CreateContainerConfigError", "message": str(error)}
            _set_state(pod, {"waiting": waiting})
            self._objects.update(pod)
            return
        is_ready = not container.get("readinessProbe")
        pod["status"] |= {"phase": "Running", "startTime": now()}
        pod["status"]["conditions"].append(_condition("Ready", "True" if is_ready else "False"))
        _set_state(pod, {"running": {"startedAt": now()}}, ready=is_ready)
        self._process(pod, container, environment).start()
        self._objects.update(pod)

    def _process(
        self, pod: Object, container: Object | None = None, environment: Mapping[str, str] | None = None
    ) -> JobProcess:
        folder = self._folder / str(pod["metadata"]["uid"])
        known = environment or {}
        is_serving = "/serving@" in pod["spec"]["containers"][0]["image"]
        program = self._serving_program if is_serving else self._program
        command = [
            *((container or {}).get("command") or program),
            *((container or {}).get("args") or ()),
        ]
        words = [expand(word, known) if container else word for word in command]
        restarts = _restarts(pod)
        own = folder / f"restart-{restarts}" if restarts else folder
        return JobProcess(words, known, own, folder / "log")

    def _environment(self, container: Object, pod: Object) -> dict[str, str]:
        namespace, uid = pod["metadata"]["namespace"], pod["metadata"]["uid"]
        secrets = {
            secret["metadata"]["name"]: secret.get("stringData") or {}
            for secret in self._objects.list("Secret", namespace)
        }
        found = variables(container, pod, secrets)
        folder = self._folder / uid
        temporary = folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        (folder / "termination-log").touch()
        own = {
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "HOSTNAME": pod["spec"].get("hostname", pod["metadata"]["name"]),
            "ISOCENTER_TERMINATION_LOG": str(folder / "termination-log"),
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            # Programs of this Python's environment, e.g. torchrun.
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        }
        mounts = {"/volumes/": f"{self._volumes}/", "/tmp/": f"{temporary}/"}  # noqa: S108 - the pod's own
        return {**self._reachable(_mounted(found, mounts), pod), **own}

    def _reachable(self, known: Mapping[str, str], pod: Object) -> dict[str, str]:
        """The first pod's host name as its address, if a headless service makes it known."""
        found = dict(known)
        subdomain = pod["spec"].get("subdomain", "")
        service = self._objects.get("Service", pod["metadata"]["namespace"], subdomain)
        headless = service is not None and service["spec"].get("clusterIP") == "None"
        for prefix in ("", "PET_"):
            if f"{prefix}MASTER_ADDR" not in found:
                continue
            if headless and found[f"{prefix}MASTER_ADDR"].endswith(f".{subdomain}"):
                found[f"{prefix}MASTER_ADDR"] = "127.0.0.1"
            found[f"{prefix}MASTER_PORT"] = str(self._port(pod))
        return found

    def _port(self, pod: Object) -> int:
        owner = pod["metadata"]["ownerReferences"][0]["uid"]
        if owner not in self._ports:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                self._ports[owner] = probe.getsockname()[1]
        return self._ports[owner]

    def _end(self, pod: Object, ending: Ending) -> None:
        terminated = self._terminated(pod, ending)
        pod["status"]["phase"] = "Succeeded" if terminated["exitCode"] == 0 else "Failed"
        conditions = [found for found in pod["status"]["conditions"] if found["type"] != "Ready"]
        pod["status"]["conditions"] = [*conditions, _condition("Ready", "False", "PodCompleted")]
        _set_state(pod, {"terminated": terminated}, restarts=_restarts(pod))
        self._objects.update(pod)

    def _terminated(self, pod: Object, ending: Ending) -> Object:
        code = ending.exit_code if ending.exit_code >= 0 else 128 - ending.exit_code
        reason = "Completed" if code == 0 else "Error"
        terminated: Object = {"exitCode": code, "reason": reason, "finishedAt": now()}
        if ending.error and ending.exit_code > 0:
            terminated |= {"exitCode": 128, "reason": "StartError", "message": f"exec: {ending.error}"}
        elif message := self._message(pod, failed=code != 0):
            terminated["message"] = message
        return terminated

    def _message(self, pod: Object, *, failed: bool) -> str:
        """https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/"""
        written = (self._folder / str(pod["metadata"]["uid"]) / "termination-log").read_bytes()[
            :_MESSAGE_BYTES
        ]
        policy = pod["spec"]["containers"][0].get("terminationMessagePolicy", "File")
        if not written and failed and policy == "FallbackToLogsOnError":
            written = self.log(pod).read_bytes()[-_TAIL_BYTES:]
        return written.decode("utf-8", errors="replace")


def _mounted(known: Mapping[str, str], mounts: Mapping[str, str]) -> dict[str, str]:
    """Variables that name a path under one of ``mounts``, as what it is on this machine."""
    found = dict(known)
    for name, value in known.items():
        for begin, place in mounts.items():
            if value.startswith(begin):
                found[name] = place + value.removeprefix(begin)
    return found


def has_condition(thing: Object, kind: str) -> bool:
    """Whether the condition of that type is true."""
    conditions = thing.get("status", {}).get("conditions") or ()
    return any(found["type"] == kind and found["status"] == "True" for found in conditions)


def _condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    more = {key: text for key, text in (("reason", reason), ("message", message)) if text}
    return {"type": kind, "status": status, "lastTransitionTime": now(), **more}


def _set_state(
    pod: Object, state: Object, *, restarts: int = 0, last: Object | None = None, ready: bool | None = None
) -> None:
    container = pod["spec"]["containers"][0]
    pod["status"]["containerStatuses"] = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": "running" in state if ready is None else ready,
            "restartCount": restarts,
            "started": "running" in state,
            "state": state,
            **({"lastState": last} if last else {}),
        }
    ]


def _is_resting(pod: Object) -> bool:
    statuses = pod["status"].get("containerStatuses") or ()
    return any(status["state"].get("waiting", {}).get("reason") == _BACKOFF for status in statuses)


def _restarts(pod: Object) -> int:
    statuses = pod["status"].get("containerStatuses") or ()
    return int(statuses[0]["restartCount"]) if statuses else 0


def _address(pod: Object) -> str:
    """An address of this machine for the pod alone, as each pod of a cluster has one of its own."""
    digest = hashlib.sha256(pod["metadata"]["uid"].encode()).digest()
    return f"127.{64 + digest[0] % 64}.{digest[1]}.{1 + digest[2] % 254}"
