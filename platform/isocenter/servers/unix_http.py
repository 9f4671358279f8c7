"""One HTTP request to a Unix socket in a directory, however deep that lies."""

import http.client
import os
import socket
from pathlib import Path


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, directory: Path, name: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._directory, self._name = directory, name

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        # The path of a Unix socket has at most 107 bytes; by way of the directory's descriptor it is short.
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{descriptor}/{self._name}")
        finally:
            os.close(descriptor)


def ask_socket(
    directory: Path, name: str, path: str, *, method: str = "GET", timeout_s: float = 2.0
) -> tuple[int, bytes] | None:
    """Status and body of the answer; None if there is none.

    Args:
        directory: where the socket lies.
        name: its file name there.
        path: what to ask for.
        method: e.g. POST.
        timeout_s: for connecting, and for each part of the answer.
    """
    connection = _UnixConnection(directory, name, timeout_s)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
