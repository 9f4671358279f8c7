"""Scheduler and kubelet: pods as processes of this machine.

A pod's container sees its variables, a home and a temporary folder of its own, and a termination message file
named by ISOCENTER_TERMINATION_LOG. The addresses that the cluster's name service would tell are put into the
variables that torchrun reads; the port of a job's first pod is a free one of this machine.
"""

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isocenter.emulators.job_process import Ending, JobProcess
from isocenter.emulators.kubernetes.environment import ConfigError, expand, variables
from isocenter.emulators.kubernetes.nodes import Node, choose
from isocenter.emulators.kubernetes.objects import Objects, now

Object = dict[str, Any]
ENDED = ("Succeeded", "Failed")
DISRUPTED = "DisruptionTarget"
_MESSAGE_BYTES, _TAIL_BYTES = 4096, 2048
_DEFAULT_GRACE_S = 30


class Kubelet:
    """Brings pods to where their objects say they should be.

    Args:
        objects: of the cluster.
        nodes: its machines.
        folder: keeps logs and working folders.
        program: what stands for the entry point of every image.
        volumes: folder of the claims' contents.
    """

    def __init__(
        self, objects: Objects, nodes: Sequence[Node], folder: Path, program: Sequence[str], volumes: Path
    ) -> None:
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
        ending = self._process(pod).ending()
        if ending is not None:
            self._end(pod, ending)
        elif leaving or has_condition(pod, DISRUPTED):
            self._tell_to_stop(pod)

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
        try:
            environment = self._environment(container, pod)
        except ConfigError as error:
            waiting = {"reason": "CreateContainerConfigError", "message": str(error)}
            _set_state(pod, {"waiting": waiting})
            self._objects.update(pod)
            return
        pod["status"] |= {"phase": "Running", "startTime": now(), "podIP": "127.0.0.1"}
        pod["status"]["conditions"].append(_condition("Ready", "True"))
        _set_state(pod, {"running": {"startedAt": now()}})
        self._process(pod, container, environment).start()
        self._objects.update(pod)

    def _process(
        self, pod: Object, container: Object | None = None, environment: Mapping[str, str] | None = None
    ) -> JobProcess:
        folder = self._folder / str(pod["metadata"]["uid"])
        known = environment or {}
        command = [
            *((container or {}).get("command") or self._program),
            *((container or {}).get("args") or ()),
        ]
        words = [expand(word, known) if container else word for word in command]
        return JobProcess(words, known, folder, folder / "log")

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
        return {**self._reachable(self._mounted(found), pod), **own}

    def _mounted(self, known: Mapping[str, str]) -> dict[str, str]:
        return {
            name: value.replace("/volumes/", f"{self._volumes}/", 1)
            if value.startswith("/volumes/")
            else value
            for name, value in known.items()
        }

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
        code = ending.exit_code if ending.exit_code >= 0 else 128 - ending.exit_code
        terminated = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "finishedAt": now()}
        if ending.error and ending.exit_code > 0:
            terminated |= {"exitCode": 128, "reason": "StartError", "message": f"exec: {ending.error}"}
        elif message := self._message(pod, failed=code != 0):
            terminated["message"] = message
        pod["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
        conditions = [found for found in pod["status"]["conditions"] if found["type"] != "Ready"]
        pod["status"]["conditions"] = [*conditions, _condition("Ready", "False", "PodCompleted")]
        _set_state(pod, {"terminated": terminated})
        self._objects.update(pod)

    def _message(self, pod: Object, *, failed: bool) -> str:
        """https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/"""
        written = (self._folder / str(pod["metadata"]["uid"]) / "termination-log").read_bytes()[
            :_MESSAGE_BYTES
        ]
        policy = pod["spec"]["containers"][0].get("terminationMessagePolicy", "File")
        if not written and failed and policy == "FallbackToLogsOnError":
            written = self.log(pod).read_bytes()[-_TAIL_BYTES:]
        return written.decode("utf-8", errors="replace")


def has_condition(thing: Object, kind: str) -> bool:
    """Whether the condition of that type is true."""
    conditions = thing.get("status", {}).get("conditions") or ()
    return any(found["type"] == kind and found["status"] == "True" for found in conditions)


def _condition(kind: str, status: str, reason: str = "", message: str = "") -> Object:
    more = {key: text for key, text in (("reason", reason), ("message", message)) if text}
    return {"type": kind, "status": status, "lastTransitionTime": now(), **more}


def _set_state(pod: Object, state: Object) -> None:
    container = pod["spec"]["containers"][0]
    pod["status"]["containerStatuses"] = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": "running" in state,
            "restartCount": 0,
            "started": "running" in state,
            "state": state,
        }
    ]
