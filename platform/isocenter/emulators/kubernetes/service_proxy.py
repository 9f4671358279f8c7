"""Services with a port of this machine: each connection goes to the next of the pods that are ready.

As kube-proxy does, but in turns: a share of 10 % is exact here, and is not in a cluster.
https://kubernetes.io/docs/reference/networking/virtual-ips/
"""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from isocenter.emulators.kubernetes.objects import Objects

Object = dict[str, Any]
_CONNECT_S = 2.0
_PIECE = 65_536


class ServiceProxies:
    """The node's ports of all Services of the type NodePort.

    Args:
        objects: of the cluster.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._listening: dict[int, socket.socket] = {}
        self._turns: dict[int, Iterator[int]] = {}

    def give_port(self, service: Object) -> None:
        """Give a new Service its ports, which take connections from then on."""
        if service["spec"].get("type") != "NodePort":
            return
        for port in service["spec"]["ports"]:
            port["nodePort"] = self._listen(0, service["metadata"], port["port"])

    def reconcile(self) -> None:
        """Listen for Services that an emulator before this one knew; no more for those that are gone."""
        wanted = {}
        for service in self._objects.list("Service"):
            for port in service["spec"].get("ports") or ():
                if port.get("nodePort"):
                    wanted[port["nodePort"]] = (service["metadata"], port["port"])
        for number in wanted.keys() - self._listening.keys():
            with suppress(OSError):
                self._listen(number, *wanted[number])
        for number in list(self._listening.keys() - wanted.keys()):
            self._close(number)

    def close(self) -> None:
        """Take no more connections."""
        for number in list(self._listening):
            self._close(number)

    def _listen(self, number: int, metadata: Object, port: int) -> int:
        server = socket.create_server(("127.0.0.1", number), backlog=512)
        number = server.getsockname()[1]
        self._listening[number], self._turns[number] = server, itertools.count()
        named = (metadata["namespace"], metadata["name"], port)
        threading.Thread(target=self._accept, args=(number, server, named), daemon=True).start()
        return int(number)

    def _close(self, number: int) -> None:
        server = self._listening.pop(number)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()

    def _accept(self, number: int, server: socket.socket, named: tuple[str, str, int]) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(number, client, named), daemon=True).start()

    def _serve(self, number: int, client: socket.socket, named: tuple[str, str, int]) -> None:
        pods = self._ready(*named)
        begin = next(self._turns[number]) % len(pods) if pods else 0
        for address in (*pods[begin:], *pods[:begin]):
            try:
                upstream = socket.create_connection(address, timeout=_CONNECT_S)
            except OSError:
                continue
            upstream.settimeout(None)
            back = threading.Thread(target=_copy, args=(upstream, client), daemon=True)
            back.start()
            _copy(client, upstream)
            back.join()
            upstream.close()
            break
        client.close()

    def _ready(self, namespace: str, name: str, port: int) -> list[tuple[str, int]]:
        """Addresses of the pods behind the Service that are ready and don't leave."""
        service = self._objects.get("Service", namespace, name)
        if service is None:
            return []
        selector = service["spec"].get("selector") or {}
        target = next(p.get("targetPort", port) for p in service["spec"]["ports"] if p["port"] == port)
        return [
            (pod["status"]["podIP"], int(target))
            for pod in self._objects.list("Pod", namespace)
            if selector.items() <= (pod["metadata"].get("labels") or {}).items() and _is_ready(pod)
        ]


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or ()
    ready = any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
